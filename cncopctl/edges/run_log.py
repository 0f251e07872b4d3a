"""The log of a run: CA-YY-MM-DD_HHMM[-NNN].log, in local time, one file for each run."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import BinaryIO


class RunLog:
    """A log file that nobody else writes; the same lines go to stderr, and so to the journal."""

    def __init__(self, directory: Path, now: datetime) -> None:
        self.path, self._file = _create(directory, now.astimezone())

    def line(self, text: str) -> None:
        """Write one line of our own, with the time of day."""
        self.write(f"{datetime.now().astimezone():%H:%M:%S} {text}\n".encode("utf-8", "backslashreplace"))

    def write(self, data: bytes) -> None:
        """Write bytes as an agent or a command printed them."""
        self._file.write(data)
        self._file.flush()
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _create(directory: Path, local: datetime) -> tuple[Path, BinaryIO]:
    """Make the first free name ours: O_EXCL, since runs may begin in the same minute."""
    stem = f"CA-{local:%y-%m-%d_%H%M}"
    for number in range(1000):
        path = directory / (f"{stem}-{number:03}.log" if number else f"{stem}.log")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except FileExistsError:
            continue
        return path, os.fdopen(descriptor, "wb")
    raise FileExistsError(f"{directory}/{stem}-*.log: all thousand names of this minute are taken")
