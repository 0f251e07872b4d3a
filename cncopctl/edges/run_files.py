"""What a run leaves behind while it lasts: one directory, from which its end can be told even after a kill."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

# An agent's result is read by root: one that is larger than this was not written for reading.
_MOST_BYTES = 1024 * 1024

# How a full disk, or a used-up quota, says so; and what stat(2) counts blocks in.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_BLOCK = 512


class RunFiles:
    """The directory of one run: `run.json` is ours, `result.json` the agent's, `progress.json` for watchers."""

    def __init__(self, runs: Path, run_id: str) -> None:
        self._directory = runs / run_id
        self.result = self._directory / "result.json"

    def write_run(self, document: dict[str, Any], *, durably: bool = False) -> None:
        """Note what is known of the run; `durably` so that a power cut does not undo it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._is_shared():
            self._directory.chmod(stat.S_IMODE(self._directory.stat().st_mode) | 0o050)
        self._replace("run.json", document)
        if durably:
            for path in (self._directory / "run.json", self._directory):
                _sync(path)

    def write_progress(self, document: dict[str, Any]) -> None:
        """Note how far it has come."""
        self._replace("progress.json", document)

    def read_run(self) -> dict[str, Any]:
        """What was noted of the run; {} where nothing was."""
        return self._read("run.json")

    def read_progress(self) -> dict[str, Any]:
        """How far it had come when that was noted last; {} where it was not."""
        return self._read("progress.json")

    def read_result(self) -> dict[str, Any]:
        """The agent's result; {} where it left none that can be read."""
        return self._read("result.json")

    def forget_result(self) -> None:
        """Remove the result of an earlier attempt."""
        self.result.unlink(missing_ok=True)

    def is_told(self) -> bool:
        """Whether somebody has been told about the run."""
        return (self._directory / "told").exists()

    def note_told(self) -> None:
        """Note that somebody has been told about the run; where that is not possible, they may be told again."""
        with contextlib.suppress(OSError):
            (self._directory / "told").touch()

    def is_said(self) -> bool:
        """Whether the log of the run says already how it has ended."""
        return (self._directory / "said").exists()

    def note_said(self) -> None:
        """Note that the log says how the run has ended; where that is not possible, it may say so again."""
        with contextlib.suppress(OSError):
            (self._directory / "said").touch()

    def keep_for_next_boot(self) -> None:
        """The machine is going down with the run: whoever looks after its next boot is to find it."""
        with contextlib.suppress(OSError):  # then it is only not made up for
            (self._directory / "again").touch()

    def is_kept_for_next_boot(self) -> bool:
        """Whether the run ended as the machine went down, and is to be made up for."""
        return (self._directory / "again").exists()

    def forget_boot(self) -> None:
        """The machine has been up since: the run is like any other that has ended."""
        (self._directory / "again").unlink(missing_ok=True)

    def note_boot(self, boot: str) -> None:
        """Note in which uptime of the machine the run began."""
        (self._directory / "boot").write_text(boot, encoding="ascii")

    def is_of_boot(self, boot: str) -> bool:
        """Whether the machine has been up since the run began, as far as that was noted."""
        try:
            return (self._directory / "boot").read_text(encoding="ascii") == boot
        except OSError:
            return True

    def last_sign(self) -> float:
        """When anything of the run was last noted by itself, in seconds since the epoch."""
        notes = (self._directory / name for name in ("run.json", "progress.json", "result.json"))
        times = (note.lstat().st_mtime for note in notes if note.exists())
        return max(times, default=self._directory.stat().st_mtime)

    def remove(self) -> None:
        """The run is closed: nothing of it is needed here any more."""
        import shutil  # only a close removes

        shutil.rmtree(self._directory, ignore_errors=True)

    def _is_shared(self) -> bool:
        """Whether the directory's group may read what is in it: it has the set-group-ID bit then."""
        return bool(self._directory.stat().st_mode & stat.S_ISGID)

    def obstacle(self) -> str:
        """Why nothing new can be written here, in words; "" where something can."""
        probe = self._directory / ".probe"
        try:
            probe.write_bytes(b"?")
        except OSError as error:
            return f"{self._directory}: {error.strerror}"
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        return ""

    def _replace(self, name: str, document: dict[str, Any]) -> None:
        aside, text = self._directory / f".{name}", json.dumps(document)
        try:
            aside.write_text(text, encoding="utf-8")
            if self._is_shared():
                aside.chmod(0o640)
            aside.rename(self._directory / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            if error.errno not in _NO_ROOM or not (self._directory / name).is_file():
                raise
            self._overwrite(name, text.encode())

    def _overwrite(self, name: str, data: bytes) -> None:
        """Write into the blocks that the file has already: on a disk that is full, those are all there is.

        Half of it would be there after a power cut in this very moment; without it, nothing new ever.

        Raises:
            OSError: it does not fit.
        """
        with (self._directory / name).open("r+b", buffering=0) as file:
            room = os.fstat(file.fileno()).st_blocks * _BLOCK
            if len(data) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
            os.pwrite(file.fileno(), data, 0)
            os.ftruncate(file.fileno(), len(data))

    def _read(self, name: str) -> dict[str, Any]:
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                document = json.loads(file.read(_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}


def boot_mark(run: Path) -> str:
    """What is another one each time that the machine has come up: a mark in the directory that goes down with it.

    The kernel's own boot_id is the host's in a sandboxed service of a container.
    """
    mark = run / "boot"
    if not mark.exists():
        run.mkdir(mode=0o750, parents=True, exist_ok=True)
        own = run / f".boot-{os.getpid()}"
        own.write_text(os.urandom(16).hex(), encoding="ascii")
        with contextlib.suppress(FileExistsError):  # linked, so that nobody ever reads half of it
            os.link(own, mark)
        own.unlink()
    return mark.read_text(encoding="ascii")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unclosed(runs: Path) -> dict[str, str]:
    """Ids of all runs that have not been closed, with their jobs."""
    found = {}
    for directory in sorted(runs.iterdir()) if runs.is_dir() else ():
        if run := RunFiles(runs, directory.name).read_run():
            found[directory.name] = str(run.get("job"))
    return found


def running(runs: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The runs that have not been closed, by job: what is noted of each, and how far it has come."""
    found = {}
    for directory in runs.iterdir() if runs.is_dir() else ():
        files = RunFiles(runs, directory.name)
        if run := files.read_run():
            found[str(run.get("job"))] = (run, files.read_progress())
    return found
