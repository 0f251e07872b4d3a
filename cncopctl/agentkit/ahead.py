"""restic begun ahead: while the mirror is made, it gets ready to look at it.

Deriving its key takes restic half a second by design and its lock a fifth more, often longer than all the rest of a
run in which nothing has changed. None of that needs the mirror. So where what restic will be asked can be told
before the mirror is complete, it is asked then, and waits before it looks at any file: it reads the file with its
excludes when it has opened the repository and before it walks the tree, and that file is a pipe to whose end it
comes when we let it. What was foreseen wrongly is dropped, and restic is asked anew.

The pipe holds the beginning of a pattern that only we complete: an end that we have not made, because we were
killed, leaves it malformed, which restic refuses before it has looked at anything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from cncopctl.agentkit.engine import Lines, Started, run_lines, started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cncopctl.core.engines.running import Ended

_MALFORMED, _COMPLETED = b"/[p", b"]roc/0/none\n"
"""A pattern in two parts; together they mean what cannot be in a mirror."""

_GRACE = 10.0
"""Seconds in which restic has opened a repository, and finds that nothing is to be done."""

_LONGEST = 30.0
"""Seconds for which restic is kept waiting: the time of a snapshot is that at which restic was started."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A command that was started, the end of its pipe if it waits, and when that was."""

    command: list[str]
    engine: Started
    gate: IO[bytes] | None
    since: float


class Ahead:
    """Runs restic as `run_lines` does, going on with what was begun where that is what is asked for."""

    def __init__(self) -> None:
        self._begun: _Begun | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def is_begun(self) -> bool:
        """Whether something was begun that can be gone on with."""
        return self._begun is not None and _is_fit(self._begun)

    def begin(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start a command that will probably be asked for."""
        engine = self._stack.enter_context(started(command, env=env, cwd=cwd, stop_with=signal.SIGINT))
        self._begun = _Begun(list(command), engine, None, time.monotonic())

    def begin_backup(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        """Start a backup that will probably be asked for, and keep it waiting before it looks at any file.

        When it is dropped it ends by itself, at the end of its pipe: restic 0.14 leaves its lock behind where a
        signal finds it at looking twice for those of others.
        """
        reader, writer = os.pipe()
        gate = os.fdopen(writer, "wb", buffering=0)
        gate.write(_MALFORMED)
        os.set_inheritable(reader, True)
        waiting = [*command, f"--exclude-file=/proc/self/fd/{reader}"]
        try:
            engine = self._stack.enter_context(started(waiting, env=env, cwd=cwd, stop_with=signal.SIGINT))
            self._stack.callback(engine.end_within, _GRACE)
        finally:
            os.close(reader)
            self._stack.enter_context(gate)
        self._begun = _Begun(list(command), engine, gate, time.monotonic())

    def drop(self) -> None:
        """End what was begun, if it still goes on."""
        self._begun = None
        self._stack.close()

    def _let_go(self) -> None:
        """Have a backup end that is not wanted, without waiting for that."""
        if self._begun and self._begun.gate:
            self._begun.gate.close()
        else:
            self.drop()
        self._begun = None

    def __call__(
        self,
        command: Sequence[str],
        *,
        on_line: Callable[[bytes], None],
        cwd: Path | None,
        env: Mapping[str, str],
    ) -> Ended:
        begun = self._begun
        if begun is None or begun.command != list(command) or not _is_fit(begun):
            self._let_go()
            try:
                return run_lines(command, on_line=on_line, cwd=cwd, env=env)
            finally:
                self.drop()
        with contextlib.closing(self._stack.pop_all()):
            self._begun = None
            if begun.gate is not None:
                with contextlib.suppress(BrokenPipeError):
                    begun.gate.write(_COMPLETED)
                begun.gate.close()
            return begun.engine.follow(Lines(on_line).feed)


def _is_fit(begun: _Begun) -> bool:
    """Whether to go on with it; what has failed while it waited is tried anew, and tells why then."""
    if begun.gate is None:
        return True
    return not begun.engine.has_ended() and time.monotonic() - begun.since < _LONGEST
