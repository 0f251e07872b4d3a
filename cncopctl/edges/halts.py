"""The halts of jobs: one small file for each job that was stopped or removed, which outlives syncs and reboots."""

from __future__ import annotations

import json
import os
from collections.abc import Container
from pathlib import Path

from cncopctl.core.errors import InstallError
from cncopctl.core.life_cycle import Halt


def halt_file(directory: Path, job_id: str) -> Path:
    """Where the halt of the job is kept, as JSON."""
    return directory / f"{job_id}.json"


def read_halts(directory: Path) -> dict[str, Halt]:
    """The halts, by job.

    Raises:
        InstallError: one cannot be read: whoever stopped the job had a reason.
    """
    return {job_id: _read(directory, job_id) for job_id in _halted(directory)}


def _read(directory: Path, job_id: str) -> Halt:
    try:
        return Halt.from_document(json.loads(halt_file(directory, job_id).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        path = halt_file(directory, job_id)
        raise InstallError(
            f"{path} cannot be read: {error}",
            f"it says that {job_id} is stopped or removed; delete it, then stop the job anew",
        ) from error


def remove_halt(directory: Path, job_id: str) -> None:
    """The job is halted no more.

    Raises:
        OSError: it cannot be removed.
    """
    halt_file(directory, job_id).unlink(missing_ok=True)


def remove_halts_but(directory: Path, jobs: Container[str]) -> None:
    """Remove what was left of jobs that are no more: one that gets such an id later is not stopped.

    Raises:
        OSError: one cannot be removed.
    """
    for job_id in _halted(directory):
        if job_id not in jobs:
            remove_halt(directory, job_id)


def _halted(directory: Path) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]
