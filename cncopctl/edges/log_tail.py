"""The end of a run's log."""

from __future__ import annotations

import os
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
