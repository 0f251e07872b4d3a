"""The gate: whether a run may begin at all. What it refuses is SKIPPED, and nothing else happens."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.naming import service_name, timer_name
from cncopctl.core.outcome import UNDER_WAY, Outcome
from cncopctl.core.run import Run
from cncopctl.dispatcher.hindrance import Hindrance, hindrance, may_be_hindered
from cncopctl.dispatcher.slot import wait_for_slot
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.lock import JobLock
from cncopctl.edges.notify import notify_status
from cncopctl.edges.run_files import RunFiles

PASSED, REFUSED = 0, 1


def gate(layout: Layout, job: CompiledJob) -> int:
    """Whether the run may begin, as ExecCondition= wants it: 0 for yes."""
    now = datetime.now(UTC)
    timer = _timer(layout, job, now)
    if timer and not _is_due(job, now):
        print(f"{job.id}: not due: its schedule was changed, and has had no time since", file=sys.stderr)
        return REFUSED
    if not _may_pass(layout, job, timer, now):
        return REFUSED
    # What was so when the job queued up need not be so when its turn has come.
    if wait_for_slot(layout, job, now) and not _may_pass(layout, job, timer, datetime.now(UTC)):
        return REFUSED
    return PASSED


def _may_pass(layout: Layout, job: CompiledJob, timer: str, now: datetime) -> bool:
    if found := hindrance(layout, job, timer, now):
        if timer:
            _refuse(layout, job, found, now)
            return False
        print(f"{job.id}: {found.reason}; runs all the same, as somebody has started it", file=sys.stderr)
    with JobLock(layout.locks, job.id) as lock:
        if lock.is_free():
            return True
        skip(layout, job, f"{UNDER_WAY}: {lock.holder()}", now)
        return False


def _timer(layout: Layout, job: CompiledJob, now: datetime) -> str:
    """The timer that is behind this start, "" where a person is; systemd is asked only where it may matter."""
    claimed = os.environ.get("TRIGGER_UNIT", "")
    if not claimed.endswith(".timer"):
        return ""
    if not may_be_hindered(layout, job, now) and _is_due(job, now):
        return claimed
    from cncopctl.edges.trigger import timer_behind

    timers = [timer_name(job.id, number) for number in range(1, len(job.schedules) + 2)]
    return timer_behind(service_name(job.id), timers, claimed, user=layout.scope is Scope.USER)


def _refuse(layout: Layout, job: CompiledJob, found: Hindrance, now: datetime) -> None:
    if found.is_news:
        skip(layout, job, found.reason, now)
        return
    print(f"{job.id}: not now: {found.reason}", file=sys.stderr)
    if found.comes_again:
        notify_status(f"waiting: {found.reason}")
        time.sleep(_LINGER)


def skip(layout: Layout, job: CompiledJob, reason: str, now: datetime) -> None:
    """Note that the run was SKIPPED, and why; its close says so, and takes that further."""
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


# A timer that starts its job again as soon as it has ended shall not do so every second.
_LINGER = 10

# A timer whose schedule has been in place for longer than this has been through a reload.
_SETTLED = 3600
