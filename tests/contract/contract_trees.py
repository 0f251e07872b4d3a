# ruff: noqa: PTH101, PTH102, PTH103, PTH118, PTH123, PTH211 - names are bytes, since not every one is text
"""Trees of everything that a file system can hold, and what can be said of a tree."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ODD_NAMES = (
    b"plain",
    b"new\nline",
    b"-rf",
    b"--delete",
    b"not utf-8 \xff\xfe",
    "emoji \U0001f600".encode(),
    b"x" * 255,
    b" leading and trailing ",
    b"*",
    b"[a-z]?",
    b"back\\slash",
    b"$(touch pwned)`touch pwned`;touch pwned",
    b"#comment",
    b"{a,b}",
    b"'\"",
    b"~",
    b"%d",
)


def make_odd_tree(root: Path, names: Sequence[bytes] = ODD_NAMES, *, with_fifo: bool = True) -> None:
    """Fill `root` with odd names, links of both kinds, holes, xattrs, special modes and old times."""
    base = os.fsencode(root)
    os.makedirs(base, exist_ok=True)
    for number, name in enumerate(names):
        _write(os.path.join(base, name), b"%d " % number + name)
    deep = base
    for name in names[:6]:
        deep = os.path.join(deep, b"d" + name[:200])
        os.mkdir(deep)
        _write(os.path.join(deep, b"file"), name)
    _write(os.path.join(base, b"empty"), b"")
    os.mkdir(os.path.join(base, b"empty directory"))
    os.link(os.path.join(base, b"plain"), os.path.join(base, b"dplain", b"hard link"))
    _make_links_and_holes(base)
    if with_fifo:
        os.mkfifo(os.path.join(base, b"fifo"))
    _set_times(base)


def _make_links_and_holes(base: bytes) -> None:
    os.symlink(b"plain", os.path.join(base, b"link"))
    os.symlink(b"/nonexistent/\xf0\x9f\x98\x80", os.path.join(base, b"dangling"))
    os.symlink(b"dplain", os.path.join(base, b"link to directory"))
    with open(os.path.join(base, b"sparse"), "wb") as sparse:
        sparse.truncate(20 << 20)
        sparse.seek(10 << 20)
        sparse.write(b"in the middle")
    os.setxattr(os.path.join(base, b"plain"), "user.cncop", b"\x00\xffvalue")
    os.setxattr(os.path.join(base, b"dplain"), "user.directory", b"1")
    for name, mode in ((b"set-uid", 0o4755), (b"read-only", 0o444), (b"private", 0o600)):
        _write(os.path.join(base, name), name)
        if os.geteuid() == 0:
            os.chown(os.path.join(base, name), 12345, 54321)
        os.chmod(os.path.join(base, name), mode)
    os.chmod(os.path.join(base, b"empty directory"), 0o2700)


def _set_times(base: bytes) -> None:
    """Times with nanoseconds, set from the leaves up, since writing to a directory changes its own."""
    second = 1_000_000_000
    for where, directories, files in os.walk(base, topdown=False):
        for number, name in enumerate(sorted(files + directories)):
            time = (1_234_567_890 + number) * second + 123_456_789
            os.utime(os.path.join(where, name), ns=(time, time), follow_symlinks=False)
    os.utime(base, ns=(987_654_321_123_456_789,) * 2)


def _write(path: bytes, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


Described = dict[str, tuple[Any, ...]]
_SAID = ("mode", "owner", "group", "time", "content", "extended attributes", "hard links")


def described(root: Path) -> Described:
    """All that a backup has to bring back, by path; hard links by the first path of each file."""
    first_of: dict[int, bytes] = {}
    said: Described = {}
    base = os.fsencode(root)
    paths = [base]
    for where, directories, files in os.walk(base):
        paths += [os.path.join(where, name) for name in directories + files]
    for path in sorted(paths):
        entry = os.lstat(path)
        relative = os.path.relpath(path, base)
        first = first_of.setdefault(entry.st_ino, relative)
        said[repr(relative)] = (
            stat.filemode(entry.st_mode),
            entry.st_uid,
            entry.st_gid,
            entry.st_mtime_ns,
            _content(path, entry),
            {name: os.getxattr(path, name, follow_symlinks=False) for name in _xattrs(path)},
            first if stat.S_ISREG(entry.st_mode) else None,
        )
    return said


def _xattrs(path: bytes) -> list[str]:
    return sorted(os.listxattr(path, follow_symlinks=False))


def _content(path: bytes, entry: os.stat_result) -> object:
    if stat.S_ISLNK(entry.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(entry.st_mode):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def contents(root: Path) -> dict[str, bytes]:
    """Every regular file below `root` with what is in it."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


SECOND = 10**9


def _by_rsync(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Everything."""
    return entry


def _by_sftp(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Names, contents, modes, owners, links, and times to the second."""
    mode, uid, gid, time, content, _xattrs, _first = entry
    return mode, uid, gid, time // SECOND, content


def _by_ftp(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Names, contents, links, and times of files to the second."""
    mode, _uid, _gid, time, content, _xattrs, _first = entry
    return mode[0], time // SECOND if mode[0] == "-" else None, content


def _by_smb(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Names, contents, and times of files to 100 nanoseconds."""
    mode, _uid, _gid, time, content, _xattrs, _first = entry
    return mode[0], time // 100 if mode[0] == "-" else None, content


_Carry = Callable[[tuple[Any, ...]], tuple[Any, ...]]
_CARRIES: dict[str, _Carry] = {
    "backupagentsftp": _by_sftp,
    "backupagentftp": _by_ftp,
    "backupagentcifs": _by_smb,
}
_DROPS = {"backupagentsftp": "p", "backupagentftp": "p", "backupagentcifs": "pl"}


def carried(agent: str, tree: Path | Described) -> dict[str, tuple[Any, ...]]:
    """What of a tree an agent has to bring back: all that its protocol carries (agents/README.md)."""
    carries = _CARRIES.get(agent, _by_rsync)
    return {
        path: carries(entry)
        for path, entry in (described(tree) if isinstance(tree, Path) else tree).items()
        if str(entry[0])[0] not in _DROPS.get(agent, "")
    }


def different(before: Described, after: Described) -> dict[str, int]:
    """What differs in two trees, and in how many paths."""
    counts = {"path": len(before.keys() ^ after.keys())}
    for path in before.keys() & after.keys():
        for name, one, other in zip(_SAID, before[path], after[path], strict=True):
            counts[name] = counts.get(name, 0) + (one != other)
    return {name: count for name, count in counts.items() if count}


def make_odd_tree_for(agent: str, root: Path) -> None:
    """An odd tree of what the protocol of an agent can name."""
    match agent:
        case "backupagentftp":
            make_odd_tree(root, [name for name in ODD_NAMES if b"\n" not in name])
        case "backupagentcifs":
            names = [name for name in ODD_NAMES if not re.search(rb'[\n"*:<>?\\|\xff]|[ .]$', name)]
            make_odd_tree(root, names, with_fifo=False)
        case _:
            make_odd_tree(root)
