"""The spool: reports wait here, durably, until somebody has taken them.

`Messages` has those that wait, `Archive` a directory for each day with those that were taken, `Bad` what was
moved aside because it is no report. `wake` exists while there may be something that the reporter has not seen.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_ARCHIVE, _BAD, _WAKE = "Archive", "Bad", "wake"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def spool_report(messages: Path, name: str, report: dict[str, Any]) -> None:
    """Put `report` into the spool so that it survives a power cut, or not at all; one of that name is there once.

    Written to a temporary name, fsynced, renamed, directory fsynced (design, section 10). All of it is ASCII, so
    that nothing in it can drive a terminal that it is shown on.
    """
    if find_report(messages, name) is None:
        aside = messages / f".{name}.new"
        try:
            _write(aside, report)
            aside.rename(messages / name)
        except OSError:
            aside.unlink(missing_ok=True)  # on a full disk what is left of it is in the way of others
            raise
        _sync(messages)
    with contextlib.suppress(OSError):  # the report is safe: the reporter's timer finds it
        (messages.parent / _WAKE).touch(mode=0o600)


def _write(path: Path, report: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def find_report(messages: Path, name: str) -> Path | None:
    """Where a report of that name is, waiting or archived: one that a close has spooled which was killed, say."""
    archive = messages.parent / _ARCHIVE
    places = [messages, *(archive.iterdir() if archive.is_dir() else ())]
    return next((place / name for place in places if (place / name).exists()), None)


class Spool:
    """The spool as the reporter has it; one at a time, which `hold` sees to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._messages, self._archive = directory / "Messages", directory / _ARCHIVE
        self.aside = directory / _BAD

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other reporters waiting, by a lock that the kernel releases however we end.

        Raises:
            OSError: the spool cannot be written.
        """
        descriptor = os.open(self._directory / "reporter.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def has_woken(self) -> None:
        """What is spooled from now on wakes the reporter again: call it before looking."""
        (self._directory / _WAKE).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Names of all that waits, but for what is being written."""
        return [name for name in os.listdir(self._messages) if not name.startswith(".")]

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes of a waiting file and one more, if there is one.

        Raises:
            OSError: it cannot be read, or is no file.
        """
        path = self._messages / name
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is not a file", str(path))
            return file.read(most + 1)

    def archive(self, names: Sequence[str], day: str) -> list[OSError]:
        """Move waiting files into the archive's directory for `day`, for good once this returns; what failed."""
        return self._move({name: name for name in names}, self._archive / day)

    def set_aside(self, names: Sequence[str]) -> list[OSError]:
        """Move what is no report out of the way, where somebody may look at it; what failed.

        What was moved there before under the same name stays beside it.
        """
        return self._move({name: _free_name(self.aside, name) for name in names}, self.aside)

    def _move(self, names: Mapping[str, str], target: Path) -> list[OSError]:
        """Move the files of these names there, each under the name that it is mapped to."""
        failed = []
        if names:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, there in names.items():
                try:
                    os.rename(self._messages / name, target / there)
                except FileNotFoundError:
                    continue  # somebody has taken it away: it does not wait any more
                except OSError as error:
                    failed.append(error)
            # The new place first: after a power cut a file may be in both, never in neither.
            for directory in (target, target.parent, self._messages):
                _sync(directory)
        return failed

    def prune(self, days: int) -> None:
        """Remove all of the archive but its newest `days` days.

        They are counted, not dated: a clock that is wrong for once shall not cost all that was kept. What is no day
        of ours is neither counted nor removed.
        """
        if not self._archive.is_dir():
            return
        ours = [day.name for day in self._archive.iterdir() if _DAY.fullmatch(day.name) and day.is_dir()]
        if old := sorted(ours, reverse=True)[days:]:
            import shutil  # few passes remove anything

            for day in old:
                shutil.rmtree(self._archive / day)

    def forget_halves(self, older_than: float) -> None:
        """Remove what a killed writer has left half written before that time."""
        for path in self._messages.glob(".*.new"):
            with contextlib.suppress(OSError):  # gone meanwhile, or a directory, which is nobody's writing
                if path.lstat().st_mtime < older_than:
                    path.unlink()


def _free_name(directory: Path, name: str) -> str:
    """`name`, or what it becomes where `directory` has one of that name."""
    names = (f"{name[:200]}.{number}" if number else name for number in itertools.count())
    return next(free for free in names if not os.path.lexists(directory / free))


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
