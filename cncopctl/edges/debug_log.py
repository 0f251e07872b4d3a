"""Diagnostic logs of our programs: one for each program and day, beside the logs of runs."""

from __future__ import annotations

import contextlib
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO


def open_debug_log(directory: Path, program: str, days: int) -> TextIO:
    """The log of today, `PROGRAM-debug-YY-MM-DD.log`, to write at its end; those older than `days` are removed.

    Raises:
        OSError: it cannot be opened.
    """
    today = datetime.now().astimezone()
    oldest = f"{today - timedelta(days=days):%y-%m-%d}"
    pattern = re.compile(rf"{re.escape(program)}-debug-(\d\d-\d\d-\d\d)\.log")
    for name in os.listdir(directory):
        if (found := pattern.fullmatch(name)) and found[1] < oldest:
            with contextlib.suppress(OSError):
                (directory / name).unlink()
    path = directory / f"{program}-debug-{today:%y-%m-%d}.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")
