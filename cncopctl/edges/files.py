"""Writing files so that a reader, or a machine after a power cut, finds the old content or the new one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

ASIDE = ".cncop-new"
"""How the names of files end that are being written."""

_STAGING = ".cncop-staging"

# Above this many files one syncfs(2) costs less than an fsync(2) for each.
_FEW = 16


class Staging:
    """Files on their way into a directory: all written beside it and synced before the first is put there.

    The staging directory lies in the target directory, so that putting a file there is a rename(2). One that
    was left behind by a killed predecessor is removed first; callers see to it that there is one at a time.
    """

    def __init__(self, target: Path, contents: Mapping[str, str], mode: int = 0o644) -> None:
        self._target = target
        self._names = tuple(contents)
        self.directory = target / _STAGING
        shutil.rmtree(self.directory, ignore_errors=True)
        if contents:
            self.directory.mkdir(mode=0o700)
            for name, content in contents.items():
                if "/" in name:
                    Path(self.directory, name).parent.mkdir(mode=0o755, exist_ok=True)
                _write(f"{self.directory}/{name}", content, mode, sync=len(contents) <= _FEW)

    def is_synced(self) -> bool:
        """Whether the staged contents would survive a power cut already."""
        return len(self._names) <= _FEW

    def put(self) -> None:
        """Put each file into its place, atomically, and make that last."""
        for name in self._names:
            if "/" in name:
                Path(self._target, name).parent.mkdir(mode=0o755, exist_ok=True)
            os.rename(f"{self.directory}/{name}", f"{self._target}/{name}")
            if "/" in name:
                sync_directory(Path(self._target, name).parent)
        if self._names:
            sync_directory(self._target)
        self.discard()

    def discard(self) -> None:
        """Remove what is still staged."""
        shutil.rmtree(self.directory, ignore_errors=True)


def sync_all(stagings: Iterable[Staging]) -> None:
    """Return once all staged contents would survive a power cut, with one syncfs(2) for each filesystem."""
    directories = [staging.directory for staging in stagings if not staging.is_synced()]
    for directory in {directory.stat().st_dev: directory for directory in directories}.values():
        sync_filesystem(directory)


def _write(path: str, content: str | bytes, mode: int, *, sync: bool) -> None:
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(data)
        os.fchmod(descriptor, mode)
        if sync:
            os.fsync(descriptor)


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Put `content` into `path`: written aside, synced, renamed, its directory synced (rename(2), fsync(2))."""
    aside = path.with_name(f"{path.name}{ASIDE}")
    # A leftover of a killed predecessor is in the way of O_EXCL, which keeps links from being followed.
    aside.unlink(missing_ok=True)
    _write(str(aside), content, mode, sync=True)
    aside.rename(path)
    sync_directory(path.parent)


def link_atomically(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`, replacing what is there; its directory must exist."""
    try:
        path.symlink_to(target)
    except FileExistsError:
        aside = path.with_name(f"{path.name}{ASIDE}")
        aside.unlink(missing_ok=True)
        aside.symlink_to(target)
        aside.rename(path)


def remove_leftovers(directory: Path) -> None:
    """Remove what a killed predecessor has left in `directory` on its way to somewhere else."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(directory):
            if name == _STAGING:
                shutil.rmtree(directory / name, ignore_errors=True)
            elif name.endswith(ASIDE):
                (directory / name).unlink(missing_ok=True)


def remove_all(paths: Iterable[Path]) -> None:
    """Remove the files that are there."""
    for path in paths:
        path.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make renames and removals in `directory` last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(directory: Path) -> None:
    """syncfs(2) on the filesystem that holds `directory`, which Python does not offer."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(directory))
    finally:
        os.close(descriptor)
