"""The spool: reports wait here, durably, until somebody has taken them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def spool_report(messages: Path, name: str, report: dict[str, Any]) -> None:
    """Put `report` into the spool so that it survives a power cut, or not at all.

    Written to a temporary name, fsynced, renamed, directory fsynced (design, section 10).
    """
    aside = messages / f".{name}.new"
    with aside.open("w", encoding="utf-8") as file:
        json.dump(report, file, ensure_ascii=False, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(messages / name)
    directory = os.open(messages, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
