"""Reading compiled jobs."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError, UsageError

_RIGHTS = "try again with sudo, or with --user for jobs of your own"
_SYNC = "write it with: cncopctl sync-profile"


def read_compiled_job(directory: Path, job_id: str) -> CompiledJob:
    """The compiled job of that id.

    Raises:
        UsageError: there is none.
        InstallError: it cannot be read.
    """
    try:
        return CompiledJob.from_document(tomllib.loads((directory / f"{job_id}.toml").read_text("utf-8")))
    except FileNotFoundError:
        raise UsageError(f"there is no job {job_id}", _SYNC) from None
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", _RIGHTS) from error
    except ValueError as error:
        raise InstallError(f"the compiled job {job_id} is damaged: {error}", _SYNC) from error


def _names(directory: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(".toml"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", _RIGHTS) from error


def read_compiled_jobs(directory: Path) -> list[CompiledJob]:
    """All compiled jobs, by title."""
    names = [name.removesuffix(".toml") for name in _names(directory) if not name.startswith(".")]
    return sorted(
        (read_compiled_job(directory, name) for name in names), key=lambda job: job.title.casefold()
    )
