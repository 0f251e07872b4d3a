"""Waiting for changes of files and directories: inotify(7), which Python does not offer."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
from pathlib import Path
from typing import Self

_WRITTEN = 0x00000002  # IN_MODIFY
# IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF
_RENAMED = 0x00000040 | 0x00000080 | 0x00000100 | 0x00000200 | 0x00000400 | 0x00000800
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


class Watch:
    """Something to wait on until what is watched changes; a context manager.

    Raises:
        OSError: the kernel has no more watches to give.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._checked(self._libc.inotify_init1(_FLAGS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def add(self, path: Path) -> None:
        """Watch a file for what is written to it, or a directory for what comes and goes in it; once is enough."""
        try:
            self._checked(
                self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), _WRITTEN | _RENAMED)
            )
        except FileNotFoundError:
            return  # whoever waits looks for it, and sees that it is gone

    def wait(self, seconds: float) -> bool:
        """Wait for a change, at most so long; whether there was one since the last wait."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, 65536):
                pass
        return True

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "inotify")
        return result
