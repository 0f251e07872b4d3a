"""How jobs stand: what is known of each, gathered from its compiled form, the history, locks, pauses and systemd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cncopctl.core.calendars import Blackout, InBlackout
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.life_cycle import Halt
from cncopctl.core.naming import PATTERN, TARGET, is_timer, service_name, timer_name
from cncopctl.core.overdue import Excuse, JobFacts, Limits, Running, Verdict, judge
from cncopctl.core.pause import Pause
from cncopctl.core.run import Progress, Run
from cncopctl.core.schedule import Schedule, Seed, parse
from cncopctl.edges import machine
from cncopctl.edges.halts import read_halts
from cncopctl.edges.history import History
from cncopctl.edges.pauses import read_pauses
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import Systemd


@dataclass(frozen=True, slots=True)
class Timers:
    """The timers of an installation: since when they have been up, and whether their target is.

    `states` are the active states of jobs' units by name, None where there is no systemd to ask; `started` is since
    when those timers have been active that were started by themselves, later than their target.
    """

    up_since: datetime
    states: Mapping[str, str] | None = None
    is_target_active: bool = True
    started: Mapping[str, datetime] = field(default_factory=dict)

    def since(self, job: CompiledJob) -> datetime:
        """Since when timers have followed the job's schedules: what was due before is none of theirs."""
        started = [self.started.get(name) for name in _timers_of(job)]
        known = [instant for instant in started if instant]
        return (
            max(job.schedule_since, min(known))
            if known and len(known) == len(started)
            else job.schedule_since
        )

    def idle(self, job: CompiledJob) -> str:
        """Why no timer will start the job, though it has schedules; "" where one will, or where nobody knows."""
        if self.states is None or not job.schedules:
            return ""
        if not self.is_target_active:
            return f"{TARGET} is stopped: nothing starts it"
        names = _timers_of(job)
        if any(self.states.get(name) == "active" for name in names):
            return ""
        return f"{names[0]} is {self.states.get(names[0], 'not loaded')}: nothing starts it"

    def may_run(self, job: CompiledJob) -> bool:
        """Whether a run of the job may be under way; where it is not, what is noted of one was never closed."""
        return self.states is None or self.states.get(service_name(job.id), "inactive") not in _DOWN


_DOWN = ("inactive", "failed")
# More jobs than this are not asked for by their names.
_FEW = 20
# Timers that their target has started have been active about as long as it.
_TOGETHER = timedelta(minutes=1)


def _timers_of(job: CompiledJob) -> list[str]:
    return [timer_name(job.id, number + 1) for number in range(len(job.schedules))]


def observe_timers(systemd: Systemd | None, jobs: Sequence[CompiledJob]) -> Timers:
    """How the timers of `jobs` stand.

    Raises:
        SystemdError: the manager does not answer.
    """
    if systemd is None:
        return Timers(machine.booted_at())
    target = systemd.state_of(TARGET)
    patterns = [PATTERN] if len(jobs) != 1 else [f"{PATTERN.removesuffix('*')}{jobs[0].id}*"]
    units = systemd.units(patterns).values()
    up_since = target.active_since or machine.booted_at()
    active = systemd.active_since(unit for unit in units if is_timer(unit.name))
    return Timers(
        up_since,
        {unit.name: unit.active_state for unit in units},
        target.active_since is not None,
        {name: instant for name, instant in active.items() if instant > up_since + _TOGETHER},
    )


def gather(layout: Layout, jobs: Sequence[CompiledJob], timers: Timers, now: datetime) -> list[JobFacts]:
    """What is known of each of `jobs`.

    Raises:
        InstallError: the history, a pause or a compiled job cannot be read.
    """
    history = History(layout.history)
    ids = [job.id for job in jobs] if len(jobs) <= _FEW else []
    kinds = (history.last_runs(ids), history.last_good_runs(ids), history.last_skipped_runs(ids))
    usual, pauses = history.usual_durations(jobs=ids), read_pauses(layout.pauses, now)
    active, halts = running(layout.runs), read_halts(layout.halts)
    found = []
    for job in jobs:
        last, good, skipped = (runs.get(job.id) for runs in kinds)
        pause, halt = pauses.get(job.id), halts.get(job.id)
        facts = JobFacts(
            job.id,
            job.title,
            schedules_of(job),
            timers.since(job),
            random_delay=timedelta(seconds=job.random_delay),
            is_catching_up=bool(job.values.get("catch_up")),
            excuse=_excuses(job, pause, halt),
            last_run=last,
            last_good=good,
            last_skipped=skipped,
            running=_running(active.get(job.id)) if timers.may_run(job) else None,
            usual=usual.get(job.id),
            silenced=halt.sentence() if halt else pause.sentence() if pause else "",
            idle=timers.idle(job),
        )
        found.append(facts)
    return found


def schedules_of(job: CompiledJob) -> tuple[Schedule, ...]:
    """The schedules that the job's timers follow."""
    seed = Seed(machine.machine_id(), job.id)
    return tuple(parse(text, zone=zone, seed=seed) for text, zone in job.schedules)


def verdicts(
    facts: Iterable[JobFacts],
    timers: Timers,
    limits: Limits,
    show: Callable[[datetime], str],
    now: datetime | None = None,
) -> list[Verdict]:
    """How each job stands."""
    return [judge(each, now or datetime.now(UTC), timers.up_since, limits, show) for each in facts]


def _running(noted: tuple[dict[str, Any], dict[str, Any]] | None) -> Running | None:
    """The run that is noted and has not ended; one that was never closed counts until somebody closes it."""
    if noted is None:
        return None
    try:
        run = Run.from_document(noted[0])
    except (ValueError, KeyError, TypeError):
        return None
    progress = Progress.from_document(noted[1])
    return None if run.ended else Running(run.started, progress.sentence(), progress.phase == "waiting")


def _excuses(job: CompiledJob, pause: Pause | None, halt: Halt | None) -> Callable[[datetime], Excuse | None]:
    """What tells why an instant of the job needs no run."""
    blackout = Blackout.from_document(job.blackout) if job.blackout else None
    if blackout and blackout.effect is InBlackout.REPORT:
        blackout = None

    def excuse(at: datetime) -> Excuse | None:
        if halt and halt.since <= at:
            return Excuse(halt.sentence(), since=halt.since)
        if pause and pause.since <= at and pause.holds(at):
            return Excuse(pause.sentence(), since=pause.since)
        if blackout and (inside := blackout.around(at)):
            name, end = inside
            moved = end if blackout.effect is InBlackout.MOVE else None
            return Excuse(f"in the blackout {name}", moved_to=moved)
        return None

    return excuse
