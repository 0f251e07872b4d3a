"""The gate: whether a run may begin at all. What it refuses is SKIPPED, and nothing else happens."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.lock import JobLock
from cncopctl.edges.notify import notify_status
from cncopctl.edges.pauses import read_pause
from cncopctl.edges.run_files import RunFiles

PASSED, REFUSED = 0, 1


def gate(layout: Layout, job: CompiledJob) -> int:
    """Whether the run may begin, as ExecCondition= wants it: 0 for yes."""
    now = datetime.now(UTC)
    by_timer = os.environ.get("TRIGGER_UNIT", "").endswith(".timer")
    if by_timer and not _is_due(job, now):
        print(f"{job.id}: not due: its schedule was changed, and has had no time since", file=sys.stderr)
        return REFUSED
    if pause := read_pause(layout.pauses, job.id, now):
        if by_timer:
            skip(layout, job, pause.sentence(), now)
            return REFUSED
        print(f"{job.id}: {pause.sentence()}; runs all the same, as somebody has started it", file=sys.stderr)
    with JobLock(layout.locks, job.id) as lock:
        if lock.take():
            return PASSED
        skip(layout, job, f"another run of this job is under way: {lock.holder()}", now)
        return REFUSED


def skip(layout: Layout, job: CompiledJob, reason: str, now: datetime) -> None:
    """Note that the run was SKIPPED, and why; its close takes that further."""
    run = Run(
        id=run_id(),
        job=job.id,
        title=job.title,
        started=now,
        ended=now,
        outcome=Outcome.SKIPPED,
        phrase=reason,
    )
    RunFiles(layout.runs, run.id).write_run(run.document())
    notify_status(f"SKIPPED: {reason}")
    print(f"{job.id}: SKIPPED: {reason}", file=sys.stderr)


def _is_due(job: CompiledJob, now: datetime) -> bool:
    """Whether any of the job's schedules had an instant since it was installed.

    A reload makes systemd ask a changed timer for its first time after the last trigger, which may long be
    past: it then fires at once, at a time that no schedule ever named.
    """
    if not job.schedules or (now - job.schedule_since).total_seconds() > _SETTLED:
        return True
    from cncopctl.core.schedule import Seed, parse, previous_before  # seldom needed
    from cncopctl.edges.machine import machine_id

    for text, zone in job.schedules:
        schedule = parse(text, zone=zone, seed=Seed(machine_id(), job.id))
        previous = previous_before(schedule, now)
        if previous is None or previous >= job.schedule_since:
            return True
    return False


# A timer whose schedule has been in place for longer than this has been through a reload.
_SETTLED = 3600
