"""pause and resume: keep timers from starting jobs for a while, without touching a timer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.pause import Pause, parse_until
from cncopctl.edges.files import write_atomically
from cncopctl.edges.machine import time_zone
from cncopctl.edges.pauses import pause_file, remove_pause


def pause_jobs(layout: Layout, jobs: Iterable[CompiledJob], until: str, reason: str) -> list[Pause]:
    """Pause `jobs` until the time that `until` names, "" for until they are resumed; a pause replaces an earlier one.

    Raises:
        UsageError: `until` is no time, or past.
        InstallError: the pauses cannot be kept.
    """
    now = datetime.now(UTC)
    end = parse_until(until, now, ZoneInfo(time_zone())) if until else None
    pauses = [Pause(job.id, now, end, reason) for job in jobs]
    try:
        layout.pauses.mkdir(parents=True, exist_ok=True)
        for pause in pauses:
            text = json.dumps(pause.document()) + "\n"
            write_atomically(pause_file(layout.pauses, pause.job), text)
    except OSError as error:
        raise _failed(error) from error
    return pauses


def resume_jobs(layout: Layout, jobs: Iterable[CompiledJob]) -> list[CompiledJob]:
    """End the pauses of `jobs`; those that were paused.

    Raises:
        InstallError: one cannot be ended.
    """
    try:
        return [job for job in jobs if remove_pause(layout.pauses, job.id)]
    except OSError as error:
        raise _failed(error) from error


def _failed(error: OSError) -> InstallError:
    hint = "try again with sudo, or with --user for jobs of your own" if os.geteuid() else "is the disk full?"
    return InstallError(f"{error.filename}: {error.strerror}", hint)
