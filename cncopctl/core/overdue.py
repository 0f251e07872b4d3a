"""What should have run, and whether it did: schedules on one side, the history on the other.

An instant of a job's schedules is *due* unless something excuses it: a pause, a blackout, or a run that was under
way. It is *covered* by a run that began at it or later, was running at it, or is running now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from cncopctl.core.outcome import UNDER_WAY, Outcome
from cncopctl.core.run import Run
from cncopctl.core.schedule import Schedule, next_after, previous_before
from cncopctl.core.schedule.model import Continuous, Reboot
from cncopctl.core.spans import show_span

NOTHING = timedelta()
# A timer may fire a moment before its time, by another clock than ours.
_MOMENT = timedelta(seconds=2)
# What is not excused within so many instants is looked for in longer steps, and not further back than this.
_STEPS, _LONG_AGO = 500, timedelta(days=400)
# How long after its time a run is late, where nobody says otherwise, and how long a run may usually exceed.
LATE = timedelta(minutes=5)
GRACE = timedelta(hours=1)


class State(IntEnum):
    """The states, and exit statuses, of the Monitoring Plugins' guidelines."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why an instant needs no run.

    It goes for all instants from `since`, None where that is not known; with `moved_to` there is to be a run then.
    """

    sentence: str
    since: datetime | None = None
    moved_to: datetime | None = None


def _never(_: datetime) -> Excuse | None:
    return None


@dataclass(frozen=True, slots=True)
class Running:
    """A run that has not ended: since when, how far it has come in words, and whether it only waits for a slot."""

    since: datetime
    sentence: str = ""
    is_waiting: bool = False


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is known of a job.

    Args:
        id: its id.
        title: what people read.
        schedules: those that timers follow; empty where nothing starts it by itself.
        since: when they were installed: an instant before that is none of theirs.
        random_delay: how much later than an instant timers may start it.
        is_catching_up: whether instants that were missed while timers were down are made up for.
        excuse: why an instant needs no run; None where it does.
        last_run: the last one that has ended and was not skipped.
        last_good: the last one that was OK.
        last_skipped: the last one that was skipped.
        running: what runs now.
        usual: how long it usually takes.
        silenced: why nothing starts it now, because somebody wants it so.
        idle: why nothing will start it, though nobody has said that of the job.
    """

    id: str
    title: str
    schedules: tuple[Schedule, ...]
    since: datetime
    random_delay: timedelta = NOTHING
    is_catching_up: bool = True
    excuse: Callable[[datetime], Excuse | None] = _never
    last_run: Run | None = None
    last_good: Run | None = None
    last_skipped: Run | None = None
    running: Running | None = None
    usual: timedelta | None = None
    silenced: str = ""
    idle: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """An instant that had no run, and how long ago one ought to have begun at the latest."""

    at: datetime
    late: timedelta
    was_down: bool


def last_due(job: JobFacts, now: datetime) -> datetime | None:
    """The last instant before `now` at which the job was to begin; None where there was none."""
    cursor = now
    for step in range(_STEPS * 2):
        instants = [_previous(job, schedule, cursor) for schedule in job.schedules]
        at = max((instant for instant in instants if instant), default=None)
        if at is None or at < max(job.since, now - _LONG_AGO):
            return None
        excuse = job.excuse(at)
        if excuse is None:
            return at
        if excuse.moved_to and excuse.moved_to <= now:
            return excuse.moved_to
        cursor = min(at, excuse.since) if excuse.since else at
        cursor -= timedelta(hours=max(0, step - _STEPS))
    return None


def _previous(job: JobFacts, schedule: Schedule, before: datetime) -> datetime | None:
    """The last instant of a schedule; one without pause is due again as soon as a run has ended."""
    if isinstance(schedule.rule, Reboot):
        return None
    if not isinstance(schedule.rule, Continuous):
        return previous_before(schedule, before)
    at = job.last_run.ended if job.last_run and job.last_run.ended else job.since
    is_inside = not (schedule.start and at < schedule.start) and not (schedule.end and at > schedule.end)
    return at if at < before and is_inside else None


def is_covered(job: JobFacts, due: datetime) -> bool:
    """Whether the instant `due` had, or has, a run, or was skipped for a reason that somebody has given."""
    if job.running:
        return True
    run, skipped = job.last_run, job.last_skipped
    if run and (run.started >= due - _MOMENT or (run.ended is not None and run.ended > due)):
        return True
    return bool(skipped and skipped.started >= due - _MOMENT and not skipped.phrase.startswith(UNDER_WAY))


def missed(job: JobFacts, now: datetime, up_since: datetime) -> Missed | None:
    """The last instant that was due, where nothing covers it.

    Args:
        job: the job.
        now: the time.
        up_since: since when timers have been up: after that, those that catch up start what was missed before.
    """
    due = last_due(job, now)
    if due is None or is_covered(job, due):
        return None
    was_down = up_since > due
    begin = max(due, up_since) if was_down and job.is_catching_up else due
    return Missed(due, now - begin - job.random_delay, was_down)


def next_due(job: JobFacts, now: datetime) -> datetime | None:
    """The next instant of the job's schedules, whatever may excuse it; None where no clock starts it."""
    instants = [next_after(schedule, now) for schedule in job.schedules]
    return min((instant for instant in instants if instant), default=None)


@dataclass(frozen=True, slots=True)
class Limits:
    """How late a run may be (`grace`), and how old the last good one."""

    grace: timedelta = GRACE
    warning_age: timedelta | None = None
    critical_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job stands, in a sentence, and how old its last good run is."""

    job: str
    state: State
    sentence: str
    age: timedelta | None = None


def judge(
    job: JobFacts,
    now: datetime,
    up_since: datetime,
    limits: Limits,
    show: Callable[[datetime], str],
) -> Verdict:
    """How the job stands; `show` writes instants."""
    begun = job.last_good.started if job.last_good else None
    age = max(now - begun, NOTHING) if begun else None
    found = [
        _by_age(job, age, now, limits),
        _by_run(job, now),
        _by_schedule(job, now, up_since, limits, show),
    ]
    if job.silenced:
        found[1:] = [(State.OK, job.silenced)]
    state, sentence = max(found, key=lambda each: (each[0], bool(each[1])))
    return Verdict(job.id, state, sentence or _good(job, now, age, show), age)


def _by_age(job: JobFacts, age: timedelta | None, now: datetime, limits: Limits) -> tuple[State, str]:
    known = age if age is not None else now - job.since
    told = f"its last good run is {show_span(known)} old" if age is not None else "it has never ended OK"
    if limits.critical_age is not None and known > limits.critical_age:
        return State.CRITICAL, told
    if limits.warning_age is not None and known > limits.warning_age:
        return State.WARNING, told
    return State.OK, ""


def _by_run(job: JobFacts, now: datetime) -> tuple[State, str]:
    run, running = job.last_run, job.running
    if run and run.outcome and run.outcome.is_failure():
        again = ", and runs again now" if running else ""
        ago = show_span(max(now - (run.ended or run.started), NOTHING))
        return State.CRITICAL, f"{run.outcome} {ago} ago: {run.phrase}{again}"
    if running and job.usual is not None and not running.is_waiting:
        taken = now - running.since
        if taken > max(3 * job.usual, job.usual + GRACE):
            usual = f"which usually takes {show_span(job.usual)}"
            return State.WARNING, f"has been running for {show_span(taken)}, {usual}"
    if run and run.outcome is Outcome.OK and run.warnings:
        more = f" (and {len(run.warnings) - 1} more)" if len(run.warnings) > 1 else ""
        return State.WARNING, f"ended OK with a warning: {run.warnings[0]}{more}"
    return State.OK, ""


def _by_schedule(
    job: JobFacts, now: datetime, up_since: datetime, limits: Limits, show: Callable[[datetime], str]
) -> tuple[State, str]:
    what = missed(job, now, up_since)
    if what is None or what.late <= min(LATE, limits.grace):
        return (State.WARNING, job.idle) if job.idle else (State.OK, "")
    down = ", when timers were not up" if what.was_down else ""
    if what.late <= limits.grace:
        return State.WARNING, f"is late: it was to run at {show(what.at)}{down}"
    return (
        State.CRITICAL,
        f"has not run: it was to run at {show(what.at)}, {show_span(now - what.at)} ago{down}",
    )


def _good(job: JobFacts, now: datetime, age: timedelta | None, show: Callable[[datetime], str]) -> str:
    """The sentence on a job that is as it should be."""
    if job.running:
        word = "waiting for a slot" if job.running.is_waiting else "running"
        return f"has been {word} for {show_span(max(now - job.running.since, NOTHING))}"
    ended = f"OK {show_span(age)} ago" if age is not None else "has not run yet"
    due = next_due(job, now)
    if due:
        return f"{ended}, next run at {show(due)}"
    return ended if job.schedules else f"{ended}, no schedule starts it"
