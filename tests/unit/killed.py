"""Killing a piece of work at each of its lines in turn."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import cncopctl

_OURS = os.path.dirname(cncopctl.__file__)  # noqa: PTH120 - compared with names of files
_PURE = f"{_OURS}/core/"  # does nothing that a kill could leave half done


def killed_at_each_line(work: Callable[[], object]) -> Iterator[int]:
    """Do `work` in a process that is killed (SIGKILL) before the first line of ours, then before the second, …

    Yields after each kill, with the number of the line, until the work gets to its end before the kill.
    """
    line = 1
    while _killed_before(line, work):
        yield line
        line += 1


def _killed_before(line: int, work: Callable[[], object]) -> bool:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        sys.settrace(_Countdown(line))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


class _Countdown:
    def __init__(self, lines: int) -> None:
        self._left = lines

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> _Countdown | None:
        name = frame.f_code.co_filename
        if not name.startswith(_OURS) or name.startswith(_PURE):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self
