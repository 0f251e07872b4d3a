"""Progress lines on the descriptor that the dispatcher gave; losing it never fails a run."""

from __future__ import annotations

import json
import os
import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTERVAL = 0.25  # seconds between two lines of one phase


class Progress:
    """Writes at most four lines a second, and one at once when the phase changes.

    A line that the reader has no room for is dropped: progress is worth nothing late.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._phase = ""
        self._next = 0.0
        if descriptor is not None:
            try:
                # An engine that inherited it would keep the reader waiting for an end of file.
                os.set_inheritable(descriptor, False)
            except OSError:
                self._descriptor = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Progress:
        """The descriptor in CNCOP_PROGRESS_FD, or none."""
        number = environment.get("CNCOP_PROGRESS_FD", "")
        return cls(int(number) if number.isdecimal() else None)

    def is_due(self) -> bool:
        """Whether a line would be written now; lets callers skip parsing what nobody sees."""
        return self._descriptor is not None and time.monotonic() >= self._next

    def tell(self, phase: str, phrase: str, **numbers: int | None) -> None:
        """Say how far `phase` is; `numbers` are bytes_done, bytes_total, files_done, files_total."""
        if phase == self._phase and not self.is_due():
            return
        self._phase = phase
        self._next = time.monotonic() + _INTERVAL
        known = {name: number for name, number in numbers.items() if number is not None}
        line = json.dumps({"phase": phase, "phrase": phrase} | known, ensure_ascii=False)
        self._write(line.encode(errors="replace") + b"\n")

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:
            return
        try:
            if select.select([], [self._descriptor], [], 0)[1]:
                os.write(self._descriptor, line)
        except (OSError, ValueError):
            self._descriptor = None
