"""Whether an engine still gets anything done: a server that hangs may keep a connection alive for ever.

rsync's own time limit does not see that: what counts for it is that its keep-alives can be written, and a hanging
server's kernel takes them (rsync's io.c lets the generator decide, which writes them). So we look at what its
processes read, as proc(5) counts it in /proc/PID/io, and at the time that they computed: who has done neither for a
while waits for something that does not come.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_COMPUTED = 0.2  # seconds of computing that are more than waking up to see that nothing has come
_LOOKS = 20  # within the time that is allowed
_TRYING = 256 << 10
"""Bytes: connecting anew to a server that hangs takes a few thousand, listing a large directory more."""


class SilentError(Exception):
    """Nothing has come for too long."""


class Watch:
    """Watches a program for `silence` seconds without anything done; 0 for never."""

    def __init__(self, pid: int, silence: int) -> None:
        self._pid, self._silence = pid, silence
        self._name = _name(pid)
        self._done = (0, 0.0)
        self._since = time.monotonic()
        self.interval = silence / _LOOKS if silence else None
        self._next = self._since + (self.interval or 0.0)

    def look(self) -> None:
        """Look, if it is time for that.

        Raises:
            SilentError: nothing has been done for too long.
        """
        now = time.monotonic()
        if self.interval is None or now < self._next:
            return
        self._next = now + self.interval
        self._name = self._name if self._name != "setpriv" else _name(self._pid)
        read, computed = (sum(column) for column in zip((0, 0.0), *self._counts(self._pid), strict=True))
        if read != self._done[0] or computed > self._done[1] + _COMPUTED:
            self._done, self._since = (int(read), computed), now
        elif now - self._since >= self._silence:
            raise SilentError

    def _counts(self, pid: int) -> list[tuple[int, float]]:
        """Bytes read and seconds computed by each of the program's processes, not by what it connects with."""
        try:
            own = [_count(pid)] if _name(pid) == self._name else []
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            return []  # it has just ended
        return own + [count for child in children for count in self._counts(child)]


class Standstill:
    """Watches a program that counts what it has done, and that tries again and again where it gets nowhere."""

    def __init__(self, pid: int, seconds: int) -> None:
        self._pid, self._seconds = pid, seconds
        self._counted: object = None
        self._read, self._since = 0, time.monotonic()

    def note(self, counted: object) -> None:
        """Take in what it says to have done so far.

        Raises:
            SilentError: for too long that has stayed the same, and hardly anything was read.
        """
        now, read = time.monotonic(), self._read
        with contextlib.suppress(OSError):  # where nobody may look, what it counts has to do
            read = _count(self._pid)[0]
        if counted != self._counted or read > self._read + _TRYING:
            self._counted, self._read, self._since = counted, read, now
        elif now - self._since >= self._seconds:
            raise SilentError


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _count(pid: int) -> tuple[int, float]:
    read = Path(f"/proc/{pid}/io").read_text().split()[1]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(read), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
