"""The pauses of jobs: one small file for each job that is paused, which outlives syncs and reboots."""

from __future__ import annotations

import json
import os
from collections.abc import Container
from datetime import datetime
from pathlib import Path

from cncopctl.core.errors import InstallError
from cncopctl.core.pause import Pause


def pause_file(directory: Path, job_id: str) -> Path:
    """Where the pause of the job is kept, as JSON."""
    return directory / f"{job_id}.json"


def read_pause(directory: Path, job_id: str, now: datetime) -> Pause | None:
    """The pause that keeps the job's timers from starting it at `now`.

    Raises:
        InstallError: there is one that cannot be read: whoever paused the job had a reason.
    """
    try:
        pause = Pause.from_document(json.loads(pause_file(directory, job_id).read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstallError(
            f"the pause of {job_id} cannot be read: {error}", f"end it with: cncopctl resume {job_id}"
        ) from error
    return pause if pause.holds(now) else None


def read_pauses(directory: Path, now: datetime) -> dict[str, Pause]:
    """The pauses that hold at `now`, by job.

    Raises:
        InstallError: one cannot be read.
    """
    found = (read_pause(directory, job_id, now) for job_id in _paused(directory))
    return {pause.job: pause for pause in found if pause}


def remove_pause(directory: Path, job_id: str) -> bool:
    """End the pause of the job; False where there was none.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        pause_file(directory, job_id).unlink()
    except FileNotFoundError:
        return False
    return True


def remove_pauses_but(directory: Path, jobs: Container[str]) -> None:
    """Remove what was left of jobs that are no more: one that gets such an id later is not paused."""
    for job_id in _paused(directory):
        if job_id not in jobs:
            remove_pause(directory, job_id)


def _paused(directory: Path) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]
