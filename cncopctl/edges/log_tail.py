"""The end of a run's log, and a line added to it after the run."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

_BYTES, _LINES, _LINE = 16 * 1024, 30, 1000


def read_tail(path: Path) -> list[str]:
    """The last lines of the log, however long it or they are; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _BYTES))
            data = file.read(_BYTES)
    except OSError:
        return []
    lines = data.decode("utf-8", "backslashreplace").splitlines()
    whole = lines[1:] if size > _BYTES and len(lines) > 1 else lines
    return [line[-_LINE:] for line in whole[-_LINES:]]


def add_line(path: Path, text: str) -> bool:
    """Add a line to the log of a run that has ended; False where that is not ours to write, or gone."""
    line = f"{datetime.now().astimezone():%H:%M:%S} {text}\n".encode("utf-8", "backslashreplace")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        try:
            file.write(line)
        except OSError:
            return False
    return True
