"""Killing, or disturbing, a piece of work at each of its lines in turn."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import traceback
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
    for line in itertools.count(1):
        status = _interrupted_before(line, work, _kill)
        assert status == 0 or os.WIFSIGNALED(status)
        if status == 0:
            return
        yield line


def disturbed_at_each_line(work: Callable[[], object], disturb: Callable[[], object]) -> Iterator[int]:
    """Do `work` in a process where `disturb` is called before the first line of ours, then before the second, …

    Yields after each time, with the number of the line. What `work` raises by it is an assertion that fails.
    """
    for line in itertools.count(1):

        def tell() -> None:
            disturb()
            os.write(told, b"x")  # noqa: B023 - called in a child of this turn

        seen, told = os.pipe()
        try:
            assert _interrupted_before(line, work, tell) == 0, f"disturbed before line {line}"
            os.set_blocking(seen, False)
            with contextlib.suppress(BlockingIOError):
                os.read(seen, 1)
                yield line
                continue
            return
        finally:
            os.close(seen)
            os.close(told)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _interrupted_before(line: int, work: Callable[[], object], interrupt: Callable[[], object]) -> int:
    """The status, as waitpid(2) has it, of a process that does `work`."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        sys.settrace(_Countdown(line, interrupt))
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the status tells
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


class _Countdown:
    def __init__(self, lines: int, interrupt: Callable[[], object]) -> None:
        self._left, self._interrupt = lines, interrupt

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> _Countdown | None:
        name = frame.f_code.co_filename
        if not name.startswith(_OURS) or name.startswith(_PURE):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                self._interrupt()
        return self
