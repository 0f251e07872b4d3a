"""The spool: reports wait here, durably, until somebody has taken them.

`Messages` has those that wait, `Archive` a directory for each day with those that were taken, `Bad` what was
moved aside because it is no report. `wake` exists while there may be something that the reporter has not seen.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

_ARCHIVE, _WAKE = "Archive", "wake"


def spool_report(messages: Path, name: str, report: dict[str, Any]) -> None:
    """Put `report` into the spool so that it survives a power cut, or not at all; one of that name is there once.

    Written to a temporary name, fsynced, renamed, directory fsynced (design, section 10). All of it is ASCII, so
    that nothing in it can drive a terminal that it is shown on.
    """
    if not _is_there(messages, name):
        aside = messages / f".{name}.new"
        try:
            _write(aside, report)
            aside.rename(messages / name)
        except OSError:
            aside.unlink(missing_ok=True)  # on a full disk what is left of it is in the way of others
            raise
        _sync(messages)
    with contextlib.suppress(OSError):  # the report is safe: the reporter's timer finds it
        (messages.parent / _WAKE).touch(mode=0o600)


def _write(path: Path, report: dict[str, Any]) -> None:
    with path.open("w", encoding="ascii") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _is_there(messages: Path, name: str) -> bool:
    """Whether a close that was killed, and is repeated, has spooled it before."""
    archive = messages.parent / _ARCHIVE
    days = archive.iterdir() if archive.is_dir() else ()
    return (messages / name).exists() or any((day / name).exists() for day in days)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
