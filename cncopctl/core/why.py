"""Why a job runs, does not run, or did not run: facts in, one answer out, and then the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cncopctl.core.naming import TARGET, service_name
from cncopctl.core.overdue import JobFacts, is_covered, last_due, missed, next_due
from cncopctl.core.schedule import Schedule
from cncopctl.core.schedule.model import Continuous, Reboot
from cncopctl.core.schedule.nights import nights
from cncopctl.core.spans import show_span

_DAY = timedelta(days=1)
_MOMENT = timedelta(seconds=2)


class Reason(StrEnum):
    """What the answer is about, for programs."""

    NOT_SYNCED = "not synced"
    DISABLED = "disabled"
    RUNNING = "running"
    WAITING = "waiting for a slot"
    LOCKED = "locked"
    STOPPED = "stopped"
    PAUSED = "paused"
    MASKED = "masked"
    TARGET_STOPPED = "target stopped"
    TIMER_DOWN = "timer down"
    CONDITION = "condition"
    BLACKOUT = "blackout"
    SKIPPED = "skipped"
    MISSED = "missed"
    CLOCKS = "clocks changed"
    FAILED = "failed"
    OVER = "schedule is over"
    NOT_DUE = "not due"


@dataclass(frozen=True, slots=True)
class TimerFacts:
    """A timer of the job: its load state and its active state, as systemd has them."""

    name: str
    load_state: str
    active_state: str


@dataclass(frozen=True, slots=True)
class WhyFacts:
    """All that an answer is drawn from; what is not known is None, or empty.

    Args:
        job: what is known of the job itself.
        now: the time.
        up_since: since when timers have been up.
        has_systemd: whether there is a manager to ask; without one there are no states of units.
        next_run: when a timer starts it next, by systemd's own word.
        is_target_active: whether the target of all jobs is.
        timers: the job's timers.
        service_load_state: that of its service.
        refused_at: when a condition of its unit kept it from starting last, if that was the last try.
        is_enabled: what the profile says, None where it cannot be read.
        halt, pause: what somebody has said of it, in words.
        blackout: the blackout that it is in now, in words.
        next_excuse: why its next run will be skipped, in words.
        lock: who holds its lock, where it is held.
    """

    job: JobFacts
    now: datetime
    up_since: datetime
    has_systemd: bool = True
    next_run: datetime | None = None
    is_target_active: bool = True
    timers: Sequence[TimerFacts] = ()
    service_load_state: str = "loaded"
    refused_at: datetime | None = None
    is_enabled: bool | None = True
    halt: str = ""
    pause: str = ""
    blackout: str = ""
    next_excuse: str = ""
    lock: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer in a sentence, what it is about, what to do, and the facts behind it as labels and texts."""

    reason: Reason
    sentence: str
    hint: str = ""
    facts: tuple[tuple[str, str], ...] = field(default=())


Show = Callable[[datetime], str]


def answer(facts: WhyFacts, show: Show) -> Answer:
    """The one answer to why; `show` writes instants."""
    found = next(_reasons(facts, show))
    return Answer(*found, facts=tuple(_facts(facts, show)))


def _reasons(facts: WhyFacts, show: Show) -> Iterator[tuple[Reason, str, str]]:
    """What there is to say, the nearest first; the last one always holds."""
    yield from _now(facts, show)
    yield from _by_somebodys_will(facts)
    yield from _by_units(facts, show)
    if facts.blackout:
        yield Reason.BLACKOUT, f"is {facts.blackout}", "cncopctl runjob runs it all the same"
    yield from _in_the_past(facts, show)
    run = facts.job.last_run
    last = f"; its last run ended {run.outcome} {_ago(run.ended or run.started, facts.now)}" if run else ""
    yield Reason.NOT_DUE, f"waits for its time: {_next(facts, show)}{last}", ""


def _now(facts: WhyFacts, show: Show) -> Iterator[tuple[Reason, str, str]]:
    job, running = facts.job, facts.job.running
    if running and running.is_waiting:
        yield Reason.WAITING, f"{running.sentence or 'waits for a slot'}, since {show(running.since)}", ""
    if running:
        how = f": {running.sentence}" if running.sentence else ""
        yield (
            Reason.RUNNING,
            f"runs since {show(running.since)}{how}",
            f"follow it: cncopctl logs -f {job.id}",
        )
    if facts.lock and not running:
        hint = f"look at: systemctl status {service_name(job.id)}; what is left of that run has to end first"
        yield Reason.LOCKED, f"its lock is held, though it does not run: {facts.lock}", hint


def _by_somebodys_will(facts: WhyFacts) -> Iterator[tuple[Reason, str, str]]:
    job = facts.job.id
    if facts.halt:
        yield Reason.STOPPED, f"is {facts.halt}", f"run: cncopctl job start {job}"
    if facts.is_enabled is False:
        yield (
            Reason.DISABLED,
            "is disabled: the profile says enabled = false",
            "remove that, then: cncopctl sync-profile",
        )
    if facts.pause:
        yield Reason.PAUSED, f"is {facts.pause}", f"run: cncopctl resume {job}"


def _by_units(facts: WhyFacts, show: Show) -> Iterator[tuple[Reason, str, str]]:
    if not facts.has_systemd:
        return
    job, repair = facts.job, "run: cncopctl sync-profile"
    if not facts.is_target_active:
        yield (
            Reason.TARGET_STOPPED,
            f"{TARGET} is stopped: nothing starts it",
            f"run: systemctl start {TARGET}",
        )
    if facts.service_load_state == "masked":
        yield Reason.MASKED, f"its unit {service_name(job.id)} is masked", repair
    down = [timer for timer in facts.timers if timer.active_state != "active"]
    if down and job.schedules:
        timer = next((timer for timer in down if timer.load_state == "masked"), down[0])
        state = "masked" if timer.load_state == "masked" else timer.active_state
        reason = Reason.MASKED if state == "masked" else Reason.TIMER_DOWN
        yield reason, f"its timer {timer.name} is {state}: it starts nothing", repair
    due = last_due(job, facts.now)
    if facts.refused_at and due and facts.refused_at >= due - _MOMENT and not is_covered(job, due):
        what = f"a condition of its unit did not hold at {show(facts.refused_at)}"
        yield Reason.CONDITION, what, f"look at: systemctl status {service_name(job.id)}"


def _in_the_past(facts: WhyFacts, show: Show) -> Iterator[tuple[Reason, str, str]]:
    job, run, skipped = facts.job, facts.job.last_run, facts.job.last_skipped
    next_time = _next(facts, show)
    if what := missed(job, facts.now, facts.up_since):
        if what.was_down and job.is_catching_up:
            sentence = f"was to run at {show(what.at)}, when timers were not up, and is made up for now"
        elif what.was_down:
            sentence = f"was to run at {show(what.at)}, when timers were not up; catch_up is off"
        elif what.late.total_seconds() < 0:
            sentence = f"is put off by its random delay of up to {show_span(job.random_delay)}"
        else:
            sentence = f"was to run at {show(what.at)}, and nothing tells why it did not"
        yield Reason.MISSED, f"{sentence}; {next_time}", f"look at: journalctl -u {service_name(job.id)}"
    if skipped and (run is None or skipped.started > run.started):
        yield Reason.SKIPPED, f"was SKIPPED at {show(skipped.started)}: {skipped.phrase}; {next_time}", ""
    if lost := _lost_night(facts):
        yield (
            Reason.CLOCKS,
            f"{lost}; {next_time}",
            'leave out dst = "skip", or move the schedule out of that hour',
        )
    if run and run.outcome and run.outcome.is_failure():
        hint = run.hint or f"look at: cncopctl logs --run {run.id[:8]}"
        yield Reason.FAILED, f"its last run ended as {run.outcome}: {run.phrase}; {next_time}", hint
    if job.schedules and _next_at(facts) is None and not _has_no_clock(job.schedules):
        yield Reason.OVER, "its schedule is over: it never runs again", "give it another one in the profile"


def _lost_night(facts: WhyFacts) -> str:
    """The change of the clocks, since the job ran last and within two days, that took a run from it."""
    run = facts.job.last_run
    start = max(facts.now - 2 * _DAY, run.started if run else facts.job.since)
    found = (night for each in facts.job.schedules for night in nights(each, start, facts.now))
    return next((night.sentence for night in found if night.sentence.endswith("does not run")), "")


def _next_at(facts: WhyFacts) -> datetime | None:
    return facts.next_run or next_due(facts.job, facts.now)


def _next(facts: WhyFacts, show: Show) -> str:
    at = _next_at(facts)
    if at is None:
        return "no clock starts it"
    excuse = f", but {facts.next_excuse}" if facts.next_excuse else ""
    return f"it runs next at {show(at)} (in {show_span(max(at - facts.now, timedelta()))}){excuse}"


def _ago(at: datetime, now: datetime) -> str:
    return f"{show_span(max(now - at, timedelta()))} ago"


def _has_no_clock(schedules: Sequence[Schedule]) -> bool:
    """Whether some of them depend on boots, or on the job's own runs."""
    return any(isinstance(each.rule, Continuous | Reboot) for each in schedules)


def _facts(facts: WhyFacts, show: Show) -> Iterator[tuple[str, str]]:
    job, run, good = facts.job, facts.job.last_run, facts.job.last_good
    if run:
        ended = run.ended or run.started
        span = show_span(max(ended - run.started, timedelta()))
        yield (
            "last run",
            f"{show(run.started)}, {show_span(max(facts.now - run.started, timedelta()))} ago, for {span}",
        )
        yield "it ended", f"{run.outcome}: {run.phrase}"
        yield from (("warning", warning) for warning in run.warnings[:5])
    else:
        yield "last run", "none yet"
    if good and run and good.id != run.id:
        yield "last good run", show(good.started)
    if job.last_skipped:
        yield "last skipped", f"{show(job.last_skipped.started)}: {job.last_skipped.phrase}"
    for each in job.schedules:
        yield "schedule", f"{each.text}: {each.explain()}"
    if job.random_delay:
        yield "random delay", f"up to {show_span(job.random_delay)}"
    yield "next run", show(at) if (at := _next_at(facts)) else "no clock starts it"
    if facts.next_excuse:
        yield "but then", facts.next_excuse
    if job.usual is not None:
        yield "usually takes", show_span(job.usual)
    yield (
        "catch-up",
        "on: what is missed while timers are down is made up for" if job.is_catching_up else "off",
    )
    if facts.has_systemd:
        yield "timers up since", show(facts.up_since)
    yield from (("clocks", sentence) for sentence in _coming_nights(facts))


def _coming_nights(facts: WhyFacts) -> list[str]:
    """What the next change of the clocks does to it, if that is near."""
    found = [
        night for each in facts.job.schedules for night in nights(each, facts.now, facts.now + 30 * _DAY)
    ]
    return list(dict.fromkeys(night.sentence for night in found))
