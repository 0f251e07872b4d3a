"""What people have been told of each job: one small file for each, which only decides how often they are told."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from cncopctl.core.told import Told


def read_told(directory: Path, job_id: str) -> Told | None:
    """What people have been told of the job; None where that is not known: they are rather told once more."""
    try:
        return Told.from_document(json.loads((directory / f"{job_id}.json").read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_told(directory: Path, job_id: str, told: Told) -> None:
    """Remember what people have been told of the job; where that cannot be written, they are told again."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        aside = directory / f".{job_id}.{os.getpid()}"
        aside.write_text(json.dumps(told.document()), encoding="ascii")
        aside.rename(directory / f"{job_id}.json")
