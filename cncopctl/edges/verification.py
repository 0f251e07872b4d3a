"""systemd's own opinion of units, before they are installed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from cncopctl.core.errors import InstallError

# All arguments of one program together may have 2 MiB (execve(2)); a unit's name has at most 90 bytes.
_MOST = 10_000

# Fewer units than this are read by one process as quickly as by two.
_WORTH_SHARING = 200


class Verification:
    """systemd-analyze at work on the units `names` in `directory`; `require` has its verdict.

    It runs beside the caller, who meanwhile has files to sync.

    Raises:
        InstallError: it cannot be started.
    """

    def __init__(self, directory: Path, names: Iterable[str], *, user: bool) -> None:
        self._directory = os.path.realpath(directory)
        self._complaints: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed in require
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
        command += ["--user" if user else "--system"]
        paths = [f"./{_without_colon(directory, name)}" for name in names]
        size = _share(len(paths))
        self._processes = [
            self._start([*command, *paths[start : start + size]]) for start in range(0, len(paths), size)
        ]

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
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
        status = max([process.wait() for process in self._processes], default=0)
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


def _share(count: int) -> int:
    """How many of `count` units each process gets: one process for each processor, where that helps."""
    processes = os.cpu_count() or 1 if count >= _WORTH_SHARING else 1
    return max(1, min(_MOST, -(-count // processes)))


def _without_colon(directory: Path, name: str) -> str:
    """A name of the unit without a colon, at which systemd-analyze sees an alias begin (since 250)."""
    if ":" not in name:
        return name
    # Job ids have no colon, and no unit of ours is called so otherwise.
    other = f"verified-{name.replace(':', '.')}"
    (directory / other).hardlink_to(directory / name)
    return other
