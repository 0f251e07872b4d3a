"""Logs of runs: CA-YY-MM-DD_HHMM[-NNN].log, in local time, one file for each run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Self

_PREFIX, _SUFFIX = "CA-", ".log"
_MODE = 0o640
_BLOCK = 65536
_NAME = re.compile(r"CA-\d\d-\d\d-\d\d_\d{4}(-\d{3})?\.log")


class RunLog:
    """A log that is open for writing at its end; as long as it is, it counts as in use, by a shared flock(2).

    The steps of a run are processes of their own: the first creates the log, later ones reopen it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        fcntl.flock(descriptor, fcntl.LOCK_SH)

    @classmethod
    def create(cls, directory: Path, now: datetime) -> Self:
        """A new log, whose name nobody else has: O_EXCL, since runs may begin in the same minute.

        Raises:
            OSError: it cannot be made.
        """
        stem = f"{_PREFIX}{now.astimezone():%y-%m-%d_%H%M}"
        for number in range(1000):
            path = directory / (f"{stem}-{number:03}{_SUFFIX}" if number else f"{stem}{_SUFFIX}")
            with contextlib.suppress(FileExistsError):
                return cls(path, os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, _MODE))
        raise FileExistsError(None, "all thousand names of this minute are taken", f"{directory}/{stem}.log")

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """The log of a run that has begun.

        Raises:
            OSError: it cannot be written.
        """
        return cls(path, os.open(path, _FLAGS))

    def write(self, lines: Iterable[object]) -> None:
        """Write lines, to which their ends are added.

        Raises:
            OSError: they were not written, or in part.
        """
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def sync(self) -> None:
        """Return when what was written, and the log's name, would survive a power cut.

        Raises:
            OSError: they would not.
        """
        os.fsync(self._descriptor)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Close the file; from now on nobody uses it here."""
        os.close(self._descriptor)


_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def logs_by_day(directory: Path) -> dict[date, list[str]]:
    """Names of the logs in `directory`, by day, the last day first; those of a day in the order of their making.

    A day is the local one on which a log was begun. Files that are no logs of runs are left out.

    Raises:
        OSError: it cannot be listed.
    """
    found: dict[str, list[str]] = {}
    with contextlib.suppress(FileNotFoundError):
        for name in filter(_NAME.fullmatch, os.listdir(directory)):
            found.setdefault(name[3:11], []).append(name)
    days = {day: sorted(names, key=_order) for text, names in found.items() if (day := _day(text))}
    return dict(sorted(days.items(), reverse=True))


def _day(text: str) -> date | None:
    """The day of `26-11-21`, in the century that strptime(3) takes it for: a clock may begin in 1970."""
    century = 1900 if text >= "69" else 2000
    try:
        # Not strptime(), which loads calendars and locales into every close.
        return date(century + int(text[:2]), int(text[3:5]), int(text[6:8]))
    except ValueError:
        return None


def _order(name: str) -> str:
    """The first log of a minute has no number: by name alone it would come after those that have one."""
    return name.removesuffix(_SUFFIX)


class LogReader:
    """Reads a log from its beginning, in lines, as far as it has been written; a context manager.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def lines(self, *, is_complete: bool = True) -> Iterator[str]:
        """The lines since the last call; what has no end yet only if the log `is_complete`."""
        while block := self._file.read(_BLOCK):
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from (line.decode("utf-8", "backslashreplace") for line in whole)
        if is_complete and self._rest:
            yield self._rest.decode("utf-8", "backslashreplace")
            self._rest = b""


def both_ends(path: Path) -> tuple[str, list[str]]:
    """The first line of a log and its last ones, of one that is not read in full.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        first = file.readline(_BLOCK).decode("utf-8", "backslashreplace").rstrip("\n")
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _BLOCK))
        last = file.read(_BLOCK).decode("utf-8", "backslashreplace").splitlines()
    return first, last


def prune_logs(directory: Path, days: int, keep: Callable[[], Container[str]]) -> list[str]:
    """Remove the logs of runs that are older than `days`, and tell their names.

    Counted is back from the last day before the newest one that has logs: a clock that is wrong for a day does
    not cost every log. What was written to since is not old, nor is what somebody has in use. `keep` gives the
    file names of those that stay; it is asked only if there are old ones.

    Raises:
        OSError: they cannot be listed or removed.
    """
    by_day = logs_by_day(directory)
    if len(by_day) < 3:
        return []
    before = list(by_day)[1]
    try:
        oldest = before - timedelta(days=days)
    except OverflowError:
        return []
    old = [name for day, names in by_day.items() if day < oldest for name in names]
    kept = keep() if old else ()
    return [name for name in old if name not in kept and _remove_unused(directory / name, oldest)]


def is_in_use(path: Path) -> bool:
    """Whether a process has a log open for writing.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, _READING)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove_unused(path: Path, oldest: date) -> bool:
    try:
        descriptor = os.open(path, _READING)
    except FileNotFoundError:
        return False
    try:
        if datetime.fromtimestamp(os.fstat(descriptor).st_mtime).astimezone().date() >= oldest:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
