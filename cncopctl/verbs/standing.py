"""How jobs stand: what is known of each, gathered from its compiled form, the history, locks, pauses and systemd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cncopctl.core.calendars import Blackout, InBlackout
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.naming import PATTERN, TARGET, service_name, timer_name
from cncopctl.core.overdue import Excuse, JobFacts, Limits, Running, Verdict, judge
from cncopctl.core.pause import Pause
from cncopctl.core.run import Progress, Run
from cncopctl.core.schedule import Seed, parse
from cncopctl.edges import machine
from cncopctl.edges.history import History
from cncopctl.edges.pauses import read_pauses
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import Systemd


@dataclass(frozen=True, slots=True)
class Timers:
    """The timers of an installation: since when they have been up, and whether their target is.

    `states` are the active states of jobs' units by name, None where there is no systemd to ask.
    """

    up_since: datetime
    states: Mapping[str, str] | None = None
    is_target_active: bool = True

    def idle(self, job: CompiledJob) -> str:
        """Why no timer will start the job, though it has schedules; "" where one will, or where nobody knows."""
        if self.states is None or not job.schedules:
            return ""
        if not self.is_target_active:
            return f"{TARGET} is stopped: nothing starts it"
        names = [timer_name(job.id, number + 1) for number in range(len(job.schedules))]
        if any(self.states.get(name) == "active" for name in names):
            return ""
        return f"{names[0]} is {self.states.get(names[0], 'not loaded')}: nothing starts it"

    def may_run(self, job: CompiledJob) -> bool:
        """Whether a run of the job may be under way; where it is not, what is noted of one was never closed."""
        return self.states is None or self.states.get(service_name(job.id), "inactive") not in _DOWN


_DOWN = ("inactive", "failed")


def observe_timers(systemd: Systemd | None, jobs: Sequence[CompiledJob]) -> Timers:
    """How the timers of `jobs` stand.

    Raises:
        SystemdError: the manager does not answer.
    """
    if systemd is None:
        return Timers(machine.booted_at())
    target = systemd.state_of(TARGET)
    patterns = [PATTERN] if len(jobs) != 1 else [f"{PATTERN.removesuffix('*')}{jobs[0].id}*"]
    states = {unit.name: unit.active_state for unit in systemd.units(patterns).values()}
    return Timers(target.active_since or machine.booted_at(), states, target.active_since is not None)


def gather(layout: Layout, jobs: Iterable[CompiledJob], timers: Timers, now: datetime) -> list[JobFacts]:
    """What is known of each of `jobs`.

    Raises:
        InstallError: the history, a pause or a compiled job cannot be read.
    """
    history = History(layout.history)
    kinds = (history.last_runs(), history.last_good_runs(), history.last_skipped_runs())
    usual, pauses = history.usual_durations(), read_pauses(layout.pauses, now)
    active, seed = running(layout.runs), machine.machine_id()
    found = []
    for job in jobs:
        last, good, skipped = (runs.get(job.id) for runs in kinds)
        pause = pauses.get(job.id)
        facts = JobFacts(
            job.id,
            job.title,
            tuple(parse(text, zone=zone, seed=Seed(seed, job.id)) for text, zone in job.schedules),
            job.schedule_since,
            random_delay=timedelta(seconds=job.random_delay),
            is_catching_up=bool(job.values.get("catch_up")),
            excuse=_excuses(job, pause),
            last_run=last,
            last_good=good,
            last_skipped=skipped,
            running=_running(active.get(job.id)) if timers.may_run(job) else None,
            usual=usual.get(job.id),
            silenced=pause.sentence() if pause else "",
            idle=timers.idle(job),
        )
        found.append(facts)
    return found


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
    return None if run.ended else Running(run.started, Progress.from_document(noted[1]).sentence())


def _excuses(job: CompiledJob, pause: Pause | None) -> Callable[[datetime], Excuse | None]:
    """What tells why an instant of the job needs no run."""
    blackout = Blackout.from_document(job.blackout) if job.blackout else None
    if blackout and blackout.effect is InBlackout.REPORT:
        blackout = None

    def excuse(at: datetime) -> Excuse | None:
        if pause and pause.since <= at and pause.holds(at):
            return Excuse(pause.sentence(), since=pause.since)
        if blackout and (inside := blackout.around(at)):
            name, end = inside
            moved = end if blackout.effect is InBlackout.MOVE else None
            return Excuse(f"in the blackout {name}", moved_to=moved)
        return None

    return excuse
