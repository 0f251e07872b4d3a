"""Slots: at most so many jobs run at once, by one flock(2) for each slot and one for whose turn it is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Only the first in the queue looks for a free slot, since flock(2) can only wait for one lock.
_LOOK_EVERY = 0.25


class Slots:
    """The slots of an installation, `number` of them, kept in `directory` as slot-1.lock and so on.

    A slot is held by an open descriptor: whoever keeps that open keeps the slot, which is how systemd keeps it
    for the whole run. The files are never removed, as with a job's lock.
    """

    def __init__(self, directory: Path, number: int) -> None:
        self._directory = directory
        self._number = number

    def take(self, note: dict[str, Any], on_wait: Callable[[str], None]) -> tuple[int, bool]:
        """Take a slot, waiting for one in the order of arrival; its descriptor, and whether that took time.

        `note` says who has it (job, run, since), for `holders`; `on_wait` is told in words what is waited for.
        """
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        with _opened(self._directory / "queue.lock") as queue:
            waits = not _lock(queue, wait=False)
            if waits:
                on_wait(self.sentence())
                _lock(queue, wait=True)
            while (slot := self._free()) is None:
                if not waits:
                    on_wait(self.sentence())
                waits = True
                time.sleep(_LOOK_EVERY)
        os.ftruncate(slot, 0)
        os.pwrite(slot, json.dumps(note).encode(), 0)
        return slot, waits

    def holders(self) -> list[dict[str, Any]]:
        """The notes of those who have a slot now."""
        found = []
        for path in self._paths():
            with contextlib.suppress(OSError), _opened(path, os.O_RDONLY) as slot:
                if not _lock(slot, wait=False):
                    found.append(_note(slot))
        return found

    def sentence(self) -> str:
        """Whom one waits for, in words."""
        jobs = ", ".join(sorted(str(note.get("job", "?")) for note in self.holders()))
        limit = f"max_parallel_jobs = {self._number}"
        return f"waits for a slot ({limit}); now run: {jobs}" if jobs else f"waits for its turn ({limit})"

    def _paths(self) -> list[Path]:
        return [self._directory / f"slot-{number}.lock" for number in range(1, self._number + 1)]

    def _free(self) -> int | None:
        for path in self._paths():
            slot = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            if _lock(slot, wait=False):
                return slot
            os.close(slot)
        return None


@contextlib.contextmanager
def _opened(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o640)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _note(descriptor: int) -> dict[str, Any]:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
