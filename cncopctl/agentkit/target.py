"""Where a restore goes: a directory in which nothing is lost, and through which nobody leads it elsewhere.

Whoever may write to a directory may have put a link to /etc in it, and may do so while root restores. Where only
we and root can write, an engine writes in place. Elsewhere it writes to a directory of our own in the target, which
nobody else can enter, and what is there then is moved into its place, name by name and through no link.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cncopctl.agentkit.failure import AgentError, ExitStatus, Terminated
from cncopctl.agentkit.request import Restore
from cncopctl.core.engines.snapshots import RootMetadata
from cncopctl.core.errors import CncopError

_STAGING = ".cncop-restore-"
_TREE = "tree"
_LINKS = 40  # as many as Linux follows in one path (path_resolution(7))
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # on the way it need not be readable

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NAMED = 3


@dataclass(slots=True)
class Target:
    """The claimed target of a restore: engines write to `path`; `is_new` says that it was empty.

    `root` is mode, owner and time that the directory itself gets in the end; None for those that it has.
    """

    path: Path
    is_new: bool
    root: RootMetadata | None = None


@contextlib.contextmanager
def claimed(wanted: Restore, *, dry_run: bool) -> Iterator[Target]:
    """Make sure that the target of a restore loses nothing; what was written to it is in its place at the end.

    Single paths may go beside what is there; the whole only into an empty directory. With `dry_run` nothing is
    made, and nothing may be written.

    Raises:
        AgentError: something would be overwritten, and that was not asked for; the target is one where backups are
            kept; a file, a link or another disk is in the way; or what was begun has failed, with what became of it.
    """
    _refuse_backups(wanted.to)
    is_new = _is_empty(wanted.to)
    _refuse_loss(wanted, is_new)
    _refuse_other_kinds(wanted)
    if dry_run:
        yield Target(wanted.to, is_new)
        return
    descriptor, is_safe_way = _open(wanted.to)
    try:
        _remove_stale(descriptor)
        _refuse_loss(wanted, not os.listdir(descriptor))
        target = Target(wanted.to, is_new)
        try:
            with _where_to_write(wanted, descriptor, is_safe_way) as target.path:
                yield target
        except (AgentError, CncopError, Terminated) as error:
            raise _incomplete(error, wanted.to, descriptor) from error
        if target.root:
            _give(descriptor, target.root)
    finally:
        os.close(descriptor)


def _give(directory: int, root: RootMetadata) -> None:
    if os.geteuid() == 0:
        os.fchown(directory, root.uid, root.gid)
    os.fchmod(directory, root.mode)
    os.utime(directory, ns=(root.mtime_ns, root.mtime_ns))


def _is_empty(to: Path) -> bool:
    """Whether nothing is in the target, save what a killed restore left."""
    if not to.exists():
        return True
    if not to.is_dir():
        raise AgentError(f"{to} is not a directory", "name a directory to restore to")
    return all(entry.name.startswith(_STAGING) for entry in os.scandir(to))


def _refuse_backups(to: Path) -> None:
    """A restore into a mirror or a repository would be taken for a backup, or spoil all of them."""
    resolved = to.resolve()
    for directory in (resolved, *resolved.parents):
        if (directory / "repository" / "config").is_file() and (directory / "mirror").is_dir():
            raise AgentError(
                f"{to} is where backups are kept: {directory} has a mirror and a repository",
                "restore to another directory",
            )


def _refuse_loss(wanted: Restore, is_new: bool) -> None:
    there = [path for path in wanted.paths if os.path.lexists(wanted.to / path)]
    if not wanted.force and (there or not (is_new or wanted.paths)):
        raise AgentError(
            f"{listed([str(wanted.to / path) for path in there])} is there already"
            if there
            else f"{wanted.to} is not empty",
            "name an empty directory, or overwrite what is there with --force (nothing is deleted)",
        )


def _refuse_other_kinds(wanted: Restore) -> None:
    """What leads to a path in the backup are directories: engines put one in the place of a file or a link."""
    for path in wanted.paths:
        for above in reversed(Path(path).parents[:-1]):
            refuse_other_kind(wanted.to / above, is_directory=True)


def refuse_other_kind(path: Path, *, is_directory: bool) -> bool:
    """Whether anything is at `path`.

    Raises AgentError where it is a directory and comes back as something else, or the other way round.
    """
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(mode) != is_directory:
        raise _in_the_way(path)
    return True


def _incomplete(error: AgentError | CncopError | Terminated, to: Path, directory: int) -> AgentError:
    """The failure of a restore that had begun, with what it has left."""
    phrase = "nothing was restored" if not os.listdir(directory) else f"what came back to {to} is incomplete"
    if isinstance(error, AgentError):
        error.phrase = f"{error.phrase}; {phrase}"
        return error
    if isinstance(error, CncopError):
        is_transient = bool(getattr(error, "transient", False))
        return AgentError(f"{error.message}; {phrase}", error.hint, transient=is_transient)
    hint = f"to complete it: restore to {to} again, with --force for what is there already"
    status = ExitStatus.TERMINATED
    return AgentError(f"stopped before it was done; {phrase}", hint, exit_status=status)


def listed(paths: Sequence[str]) -> str:
    """The first of some paths, as a sentence names them."""
    return ", ".join(paths[:_NAMED]) + (" …" if len(paths) > _NAMED else "")


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid in (0, os.geteuid())


def _is_safe(status: os.stat_result) -> bool:
    """Whether nobody but us and root can change what is in a directory. An ACL shows in the group's bits (acl(5))."""
    return _is_ours(status) and not status.st_mode & _OTHERS_WRITE


def _open(path: Path) -> tuple[int, bool]:
    """A descriptor of a directory, made where it is missing, and whether its path is safe from everybody else.

    Links are followed where they are root's or ours, as the kernel's protected_symlinks has it in /tmp.

    Raises:
        AgentError: the path leads through somebody else's link, or cannot be made.
    """
    directory, is_safe, links = os.open("/", _WAY), True, 0
    left = list(reversed(path.parts[1:]))
    try:
        while left:
            name = left.pop()
            status = _made(name, directory, path)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if not _is_ours(status) or links > _LINKS:
                    raise AgentError(
                        f"{path}: {name} is a symbolic link of somebody else",
                        "name the directory that you mean without it",
                    )
                target = Path(os.readlink(name, dir_fd=directory))
                left += reversed(target.parts[1:] if target.is_absolute() else target.parts)
                name = "/" if target.is_absolute() else "."
            below = os.open(name, _WAY, dir_fd=directory)
            os.close(directory)
            directory = below
            here = os.fstat(directory)
            is_safe &= _is_ours(here) and (_is_safe(here) or bool(here.st_mode & stat.S_ISVTX) or not left)
        return os.open(".", _DIRECTORY, dir_fd=directory), is_safe
    except OSError as error:
        phrase = f"{path} cannot be used: {error.filename}: {error.strerror}"
        raise AgentError(phrase, "see what is there, or restore to another directory") from error
    finally:
        os.close(directory)


def _made(name: str, directory: int, path: Path) -> os.stat_result:
    """What is of that name, which is a directory of ours where nothing was."""
    try:
        status = os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        os.mkdir(name, dir_fd=directory)
        return os.lstat(name, dir_fd=directory)
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        raise AgentError(f"{path}: {name} is not a directory", "name a directory to restore to")
    return status


@contextlib.contextmanager
def _where_to_write(wanted: Restore, to: int, is_safe_way: bool) -> Iterator[Path]:
    """The path for engines: the target by its name, or a directory of our own in it.

    That is below our descriptor's, as restic 0.18 takes the link in /proc itself for something to be removed.
    """
    there = [directory for path in wanted.paths or ("",) for directory in _directories(to, path)]
    if is_safe_way and all(_is_safe(directory) for directory in there):
        yield wanted.to
        return
    anchor, above = _anchor(wanted, to)
    try:
        with _staging(anchor) as staging:
            os.mkdir(_TREE, 0o700, dir_fd=staging)
            yield Path(f"/proc/self/fd/{staging}/{_TREE}")
            _move(wanted, (staging, above), anchor)
    finally:
        os.close(anchor)


def _other_disk(path: Path) -> AgentError:
    return AgentError(
        f"{path} is on another disk than what is above it, and other users can write there",
        "restore to a directory on that disk",
    )


def _directories(to: int, path: str) -> Iterator[os.stat_result]:
    """All directories below the target that are there and through which a restore of `path` goes."""
    directory = os.dup(to)
    try:
        for name in path.split("/") if path else ():
            yield os.fstat(directory)
            try:
                below = os.open(name, _DIRECTORY, dir_fd=directory)
            except OSError:
                return  # missing, or a link or a file, which the directory that it is in answers for
            os.close(directory)
            directory = below
        for _, _, _, handle in os.fwalk(".", dir_fd=directory):
            yield os.fstat(handle)
    finally:
        os.close(directory)


def _anchor(wanted: Restore, to: int) -> tuple[int, str]:
    """The deepest directory below the target that is there and leads to all wanted paths, and its path.

    What is restored is written in it, so that it is on the disk on which it stays.
    """
    common = os.path.commonpath([str(Path(path).parent) for path in wanted.paths] or ["."])
    directory, above = os.dup(to), ""
    for name in () if common in ("", ".") else common.split("/"):
        try:
            below = os.open(name, _DIRECTORY, dir_fd=directory)
        except FileNotFoundError:
            break
        except OSError as error:
            os.close(directory)
            raise _in_the_way(wanted.to / above / name) from error
        os.close(directory)
        directory, above = below, f"{above}/{name}".lstrip("/")
    return directory, above


def _in_the_way(path: Path) -> AgentError:
    return AgentError(
        f"{path} is in the way: in the backup it is of another kind, and a link is not followed",
        "see what it is, move it away, or restore to an empty directory",
    )


@contextlib.contextmanager
def _staging(directory: int) -> Iterator[int]:
    """A new directory that nobody else can enter, gone at the end; its lock, which engines inherit, says: in use."""
    name = _STAGING + secrets.token_hex(4)
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except OSError as error:
        phrase = f"{os.readlink(f'/proc/self/fd/{directory}')} cannot be written: {error.strerror}"
        raise AgentError(phrase, "restore to another directory") from error
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077 or os.listdir(descriptor):
            raise AgentError(f"somebody is exchanging directories in the target: {name}", "restore elsewhere")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.set_inheritable(descriptor, True)
        yield descriptor
    finally:
        _empty(descriptor)
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=directory)


def _remove_stale(directory: int) -> None:
    """Remove what restores left that were killed."""
    for name in os.listdir(directory):
        if not name.startswith(_STAGING):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _empty(descriptor)
                    os.rmdir(name, dir_fd=directory)
            finally:
                os.close(descriptor)


def _empty(directory: int) -> None:
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.name, ignore_errors=True, dir_fd=directory)
        else:
            os.unlink(entry.name, dir_fd=directory)


def _move(wanted: Restore, source: tuple[int, str], anchor: int) -> None:
    """Move what an engine wrote below `source`, a directory and a path in it, to the anchor."""
    staging, above = source
    try:
        directory = os.open(f"{_TREE}/{above}", _DIRECTORY, dir_fd=staging)
    except FileNotFoundError:
        return
    try:
        _merge((directory, anchor), above, wanted)
    finally:
        os.close(directory)


def _merge(directories: tuple[int, int], path: str, wanted: Restore) -> None:
    """Move all entries of one directory to another, which keeps what it has besides them."""
    source, to = directories
    for name in os.listdir(source):
        below = f"{path}/{name}".lstrip("/")
        if not _is_asked(below, wanted) and _exists(name, to):
            _merge_into(directories, name, below, wanted)  # only on the way to what was asked for
            continue
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=to)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise _other_disk(wanted.to / below) from error
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise _in_the_way(wanted.to / below) from error
            _merge_into(directories, name, below, wanted)


def _is_asked(path: str, wanted: Restore) -> bool:
    """Whether a path of the backup is what a restore is about, not only above it."""
    return not wanted.paths or any(path == asked or path.startswith(f"{asked}/") for asked in wanted.paths)


def _exists(name: str, directory: int) -> bool:
    try:
        os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    return True


def _merge_into(directories: tuple[int, int], name: str, path: str, wanted: Restore) -> None:
    """Move what is in the directory `name` of the one to that of the other, which becomes as the backup has it."""
    source, to = directories
    with contextlib.ExitStack() as open_ones:
        try:
            below = os.open(name, _DIRECTORY, dir_fd=source)
            open_ones.callback(os.close, below)
            there = os.open(name, _DIRECTORY, dir_fd=to)
            open_ones.callback(os.close, there)
        except OSError as error:
            raise _in_the_way(wanted.to / path) from error
        _merge((below, there), path, wanted)
        if _is_asked(path, wanted):
            status = os.fstat(below)
            shutil.copystat(f"/proc/self/fd/{below}", f"/proc/self/fd/{there}")
            _give(
                there,
                RootMetadata(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns),
            )
