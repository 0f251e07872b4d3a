"""What there is: each installed job with its next run, its last outcome and what it does now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.life_cycle import Event, Halt, Status, event_of, status_of
from cncopctl.core.naming import PATTERN, is_timer, job_of, move_timer_name, service_name
from cncopctl.core.outcome import Outcome
from cncopctl.core.pause import Pause
from cncopctl.core.run import Progress, Run
from cncopctl.core.schedule import Seed, next_after, parse
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.halts import read_halts
from cncopctl.edges.history import History
from cncopctl.edges.machine import machine_id
from cncopctl.edges.pauses import read_pauses
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import LoadedUnit, Systemd


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it stands; `next_run` is None where no timer will start it, `progress` where it does not run.

    While it is paused, what elapses before the pause's end starts nothing; `halt` is there while it is stopped.
    """

    job: CompiledJob
    next_run: datetime | None
    last_run: Run | None
    progress: Progress | None
    pause: Pause | None = None
    status: Status = Status.SCHEDULED
    halt: Halt | None = None

    @property
    def event(self) -> Event:
        """What somebody wants to become of it and has not come about yet."""
        return event_of(self.status, self.halt)


def job_states(layout: Layout, systemd: Systemd | None) -> list[JobState]:
    """All installed jobs, by title.

    Next runs are systemd's own word, with what it adds to spread starts; without a manager they are worked
    out from the schedules.

    Raises:
        InstallError: a compiled job cannot be read.
        SystemdError: the manager does not answer.
    """
    jobs = read_compiled_jobs(layout.compiled_jobs)
    halts = read_halts(layout.halts)
    units = systemd.units([PATTERN]) if systemd else {}
    next_runs = _elapses(systemd, units, jobs) if systemd else _instants(jobs)
    last_runs = History(layout.history).last_runs()
    active = running(layout.runs)
    if systemd:  # what is noted of a run whose service is down was never closed: it does not run any more
        at_work = {name for name, unit in units.items() if unit.active_state not in ("inactive", "failed")}
        active = {job: noted for job, noted in active.items() if service_name(job) in at_work}
    pauses = read_pauses(layout.pauses, datetime.now(UTC))
    timers = {job_of(name) for name, unit in units.items() if is_timer(name) and unit.is_up()}
    return [
        JobState(
            job,
            None if job.id in halts else next_runs.get(job.id),
            last_runs.get(job.id),
            Progress.from_document(active[job.id][1]) if job.id in active else None,
            pauses.get(job.id),
            _status(units, job, halts.get(job.id), is_scheduled=job.id in (timers if systemd else next_runs)),
            halts.get(job.id),
        )
        for job in jobs
    ]


def _status(
    units: Mapping[str, LoadedUnit], job: CompiledJob, halt: Halt | None, *, is_scheduled: bool
) -> Status:
    service = units.get(service_name(job.id))
    states = (service.active_state, service.sub_state) if service else ("inactive", "dead")
    return status_of(*states, halt, is_scheduled=is_scheduled)


@dataclass(frozen=True, slots=True)
class TaskState:
    """A periodic task as it stands; `outcome` is in our words for the ends of runs."""

    name: str
    description: str
    next_run: datetime | None
    last_run: datetime | None
    outcome: str


def task_states(systemd: Systemd) -> list[TaskState]:
    """The tasks whose timers systemd knows: what cncop does by itself besides running jobs.

    Raises:
        SystemdError: the manager does not answer.
    """
    units = systemd.units(["cncop-*.timer", "cncop-*.service"])
    timers = [unit for name, unit in units.items() if name.endswith(".timer") and not job_of(name)]
    elapses = systemd.next_elapses([timer for timer in timers if timer.is_up()])
    return [
        TaskState(
            timer.name.removeprefix("cncop-").removesuffix(".timer"),
            timer.description,
            elapses.get(timer.name),
            last := systemd.last_elapse(timer),
            _task_outcome(systemd, units.get(timer.name.replace(".timer", ".service")), last),
        )
        for timer in timers
    ]


def _task_outcome(systemd: Systemd, service: LoadedUnit | None, last: datetime | None) -> str:
    if service and service.active_state not in ("inactive", "failed"):
        return "running"
    if last is None:
        return "never ran"
    failed = service is not None and systemd.service_result(service) != "success"
    return str(Outcome.ERROR if failed else Outcome.OK)


def _elapses(
    systemd: Systemd, units: Mapping[str, LoadedUnit], jobs: list[CompiledJob]
) -> dict[str, datetime]:
    """When timers start jobs next; the ends of blackouts are no times of theirs."""
    ends = {move_timer_name(job.id, len(job.schedules)) for job in jobs if job.blackout}
    timers = [
        unit for unit in units.values() if is_timer(unit.name) and unit.is_up() and unit.name not in ends
    ]
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
