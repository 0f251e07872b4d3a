"""systemd's own opinion of units, before they are installed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from cncopctl.core.errors import InstallError


class Verification:
    """systemd-analyze at work on the units `names` in `directory`; `require` has its verdict.

    It runs beside the caller, who meanwhile has files to sync.

    Raises:
        InstallError: it cannot be started.
    """

    def __init__(self, directory: Path, names: Iterable[str], *, user: bool) -> None:
        self._directory = str(directory)
        self._complaints: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed in require
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
        command += [
            "--user" if user else "--system",
            *(str(_without_colon(directory, name)) for name in names),
        ]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._complaints
            )
        except OSError as error:
            hint = "it is in Debian's package systemd"
            raise InstallError(f"systemd-analyze cannot be started: {error.strerror}", hint) from error

    def require(self) -> None:
        """Return when systemd-analyze has nothing against the units.

        Its exit status alone is no help: an OnCalendar= line that it ignores, or that never elapses, leaves it
        at 0 (systemd 252). What it prints about a file of ours is a fault, then; and where it fails without
        a word about them, it has not looked at them.

        Raises:
            InstallError: it complained, or could not do its work.
        """
        status = self._process.wait()
        with self._complaints as file:
            file.seek(0)
            said = [line.rstrip() for line in file]
        lines = [line for line in said if self._directory in line]
        if status and not lines:
            why = "; ".join(said[:3]) or f"status {status}"
            raise InstallError(
                f"systemd-analyze verify failed: {why}", "nothing was changed; mend that first"
            )
        if lines:
            shown = "\n".join(line.replace(f"{self._directory}/", "") for line in lines[:10])
            raise InstallError(
                f"systemd-analyze verify refuses what would be installed, so nothing was changed:\n{shown}",
                "this is a fault of cncop: please report it with the lines above",
            )


def _without_colon(directory: Path, name: str) -> Path:
    """A path of the unit without a colon, at which systemd-analyze sees an alias begin (since 250)."""
    path = directory / name
    if ":" not in name:
        return path
    # Job ids have no colon, and no unit of ours is called so otherwise.
    other = path.with_name(f"verified-{name.replace(':', '.')}")
    other.hardlink_to(path)
    return other
