"""What a server shows of a tree besides contents, and making a mirror agree with it.

rclone carries names, contents and times of files. Links, modes, owners and times of directories are surveyed
by the agent itself, as far as the protocol tells them, and given to the mirror after rclone has filled it.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_READABLE, _READABLE_DIRECTORY = 0o600, 0o700
"""What a mirror's owner needs who is not root, lest the next run could not go on from it."""


TOO_LONG = "its path is longer than a path may be"
_LONGEST_PATH = 4095 - 255  # PATH_MAX (limits.h), less what the mirror's own path may take


def is_too_long(path: str) -> bool:
    """Whether a directory lies so deep that no mirror could hold it: a tree without an end does, sooner or later."""
    return len(os.fsencode(path)) > _LONGEST_PATH


class Kind(Enum):
    """What a name stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


class Entry(NamedTuple):
    """What a server says of one name; None for what it does not say. `mtime` is in seconds.

    A tuple, since it is made in a quarter of the time of a frozen dataclass, once for each file.
    """

    kind: Kind
    size: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime: int | None = None
    target: str | None = None


@dataclass(slots=True)
class Survey:
    """A tree by paths from its root, less what is excluded; "" is the root itself.

    `unreadable` are paths that the server would not show, with its reason.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def paths(self, kind: Kind) -> Iterator[str]:
        """The paths of one kind."""
        return (path for path, entry in self.entries.items() if entry.kind is kind)

    def size(self) -> int:
        """Bytes in all files."""
        return sum(entry.size for entry in self.entries.values() if entry.kind is Kind.FILE)


@dataclass(slots=True)
class Mirrored:
    """What a mirror holds: figures of its regular files, and files of the survey that are not among them."""

    files: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)


def clear_way(mirror: Path, survey: Survey | None) -> None:
    """Take from a mirror what would stand in rclone's way, before it writes.

    All links go: rclone would write through them, to wherever the server makes them point. So does what has
    become something else, since rclone deletes only after it has written.
    """
    waiting = [("", str(mirror))]
    while waiting:
        below, where = waiting.pop()
        with os.scandir(where) as listing:
            there = list(listing)
        for entry in there:
            surveyed = survey.entries.get(below + entry.name) if survey else None
            kind = Kind.DIRECTORY if entry.is_dir(follow_symlinks=False) else Kind.FILE
            if entry.is_symlink() or (surveyed and surveyed.kind is not kind):
                _remove(entry.path, kind)
            elif kind is Kind.DIRECTORY:
                waiting.append((f"{below}{entry.name}/", entry.path))


def _remove(path: str, kind: Kind) -> None:
    if kind is Kind.DIRECTORY:
        shutil.rmtree(path)
    else:
        Path(path).unlink()


def differing(mirror: Path, survey: Survey) -> list[str] | None:
    """The files that are not in a mirror as a survey tells them, by size and time; None where more is to be done.

    That is where a directory is missing, or something is in the mirror that is not in the survey. Links do not
    count: they are made anew in any case.
    """
    left = {
        path: entry for path, entry in survey.entries.items() if entry.kind in (Kind.FILE, Kind.DIRECTORY)
    }
    left.pop("", None)
    waiting, found = [("", str(mirror))], []
    while waiting:
        below, where = waiting.pop()
        with os.scandir(where) as listing:
            listed = list(listing)
        for there in listed:
            path = below + there.name
            entry = left.pop(path, None)
            if entry is None or there.is_symlink() or there.is_dir() is not (entry.kind is Kind.DIRECTORY):
                return None
            if entry.kind is Kind.DIRECTORY:
                waiting.append((f"{path}/", there.path))
                continue
            status = there.stat(follow_symlinks=False)
            if (status.st_size, status.st_mtime_ns) != (entry.size, (entry.mtime or 0) * 10**9):
                found.append(path)
    if any(entry.kind is Kind.DIRECTORY for entry in left.values()):
        return None
    return found + list(left)


def replace_conflict(mirror: Path, path: Path) -> bool:
    """Remove what of the mirror is at `path` and of another kind than what is to be there; whether it was."""
    if not path.is_relative_to(mirror) or path == mirror or path.is_symlink():
        return False
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return True


def finish_mirror(mirror: Path, survey: Survey | None) -> Mirrored:
    """Give a mirror that rclone has filled the rest of what the survey says of it, and count it.

    Works by descriptors of directories and follows no link, and leaves as it is what is right already, so
    that nothing looks changed that is not.
    """
    mirrored = Mirrored()
    hands = _Hands(os.geteuid() == 0)
    entries = survey.entries if survey else {}
    links = _by_directory(survey) if survey else {}
    found: set[str] = set()
    for where, directories, files, handle in os.fwalk(mirror, topdown=False):
        below = "" if where == str(mirror) else os.path.relpath(where, mirror) + "/"
        for name in files:
            status = os.lstat(name, dir_fd=handle)
            if stat.S_ISREG(status.st_mode):
                mirrored.files += 1
                mirrored.bytes += status.st_size
                found.add(below + name)
                hands.set_owner_and_mode(name, handle, status, entries.get(below + name))
        for name in links.get(below, ()):
            hands.make_link(name, handle, entries[below + name])
        for name in directories:
            if entry := entries.get(below + name):
                status = os.lstat(name, dir_fd=handle)
                hands.set_owner_and_mode(name, handle, status, entry)
                hands.set_time(name, handle, status, entry)
    if root := entries.get(""):
        status = mirror.stat()
        hands.set_owner_and_mode(str(mirror), None, status, root)
        hands.set_time(str(mirror), None, status, root)
    mirrored.missing = [path for path in survey.paths(Kind.FILE) if path not in found] if survey else []
    return mirrored


def _by_directory(survey: Survey) -> dict[str, list[str]]:
    links: dict[str, list[str]] = {}
    for path in survey.paths(Kind.LINK):
        above, slash, name = path.rpartition("/")
        links.setdefault(above + slash, []).append(name)
    return links


@dataclass(frozen=True, slots=True)
class _Hands:
    """Sets what is not yet as it should be. Only root can give owners, and do without its own rights."""

    is_root: bool

    def set_owner_and_mode(
        self, name: str, directory: int | None, status: os.stat_result, entry: Entry | None
    ) -> None:
        """Give a name of a directory, open as `directory`, the owner and mode that the survey tells of it."""
        if entry is None:
            return
        mode = stat.S_IMODE(status.st_mode)
        if self._owns_wrongly(status, entry):
            os.chown(name, entry.uid or 0, entry.gid or 0, dir_fd=directory, follow_symlinks=False)
            mode = -1  # chown takes set-user-id bits away
        if entry.mode is None:
            return
        needed = _READABLE_DIRECTORY if entry.kind is Kind.DIRECTORY else _READABLE
        wanted = entry.mode if self.is_root else (entry.mode & 0o777) | needed
        if wanted != mode:
            os.chmod(name, wanted, dir_fd=directory)

    def _owns_wrongly(self, status: os.stat_result, entry: Entry) -> bool:
        if not self.is_root or entry.uid is None or entry.gid is None:
            return False
        return (entry.uid, entry.gid) != (status.st_uid, status.st_gid)

    @staticmethod
    def set_time(name: str, directory: int | None, status: os.stat_result, entry: Entry) -> None:
        """Give it the time that the survey tells of it."""
        if entry.mtime is not None and status.st_mtime_ns != entry.mtime * 10**9:
            os.utime(name, (entry.mtime, entry.mtime), dir_fd=directory, follow_symlinks=False)

    def make_link(self, name: str, directory: int, entry: Entry) -> None:
        """Make a link of the survey, with its owner and time; nothing is of that name, since `clear_way`."""
        os.symlink(entry.target or "", name, dir_fd=directory)
        if self.is_root and entry.uid is not None and entry.gid is not None:
            os.chown(name, entry.uid, entry.gid, dir_fd=directory, follow_symlinks=False)
        if entry.mtime is not None:
            os.utime(name, (entry.mtime, entry.mtime), dir_fd=directory, follow_symlinks=False)
