"""What there is: each installed job with its next run, its last outcome and what it does now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.naming import PATTERN, job_of, move_timer_name
from cncopctl.core.pause import Pause
from cncopctl.core.run import Progress, Run
from cncopctl.core.schedule import Seed, next_after, parse
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.history import History
from cncopctl.edges.machine import machine_id
from cncopctl.edges.pauses import read_pauses
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import Systemd


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it stands; `next_run` is None where no timer will start it, `progress` where it does not run.

    While it is paused, what elapses before the pause's end starts nothing.
    """

    job: CompiledJob
    next_run: datetime | None
    last_run: Run | None
    progress: Progress | None
    pause: Pause | None = None


def job_states(layout: Layout, systemd: Systemd | None) -> list[JobState]:
    """All installed jobs, by title.

    Next runs are systemd's own word, with what it adds to spread starts; without a manager they are worked
    out from the schedules.

    Raises:
        InstallError: a compiled job cannot be read.
        SystemdError: the manager does not answer.
    """
    jobs = read_compiled_jobs(layout.compiled_jobs)
    next_runs = _elapses(systemd, jobs) if systemd else _instants(jobs)
    last_runs = History(layout.history).last_runs()
    active = running(layout.runs)
    pauses = read_pauses(layout.pauses, datetime.now(UTC))
    return [
        JobState(
            job,
            next_runs.get(job.id),
            last_runs.get(job.id),
            Progress.from_document(active[job.id][1]) if job.id in active else None,
            pauses.get(job.id),
        )
        for job in jobs
    ]


def _elapses(systemd: Systemd, jobs: list[CompiledJob]) -> dict[str, datetime]:
    """When timers start jobs next; the ends of blackouts are no times of theirs."""
    ends = {move_timer_name(job.id, len(job.schedules)) for job in jobs if job.blackout}
    units = systemd.units([f"{PATTERN}.timer"]).values()
    timers = [unit for unit in units if unit.is_up() and unit.name not in ends]
    found: dict[str, datetime] = {}
    for name, elapse in systemd.next_elapses(timers).items():
        job = job_of(name)
        found[job] = min(elapse, found.get(job, elapse))
    return found


def _instants(jobs: list[CompiledJob]) -> dict[str, datetime]:
    now, machine = datetime.now(UTC), machine_id()
    found = {}
    for job in jobs:
        parsed = [parse(text, zone=zone, seed=Seed(machine, job.id)) for text, zone in job.schedules]
        if instants := [instant for schedule in parsed if (instant := next_after(schedule, now))]:
            found[job.id] = min(instants)
    return found
