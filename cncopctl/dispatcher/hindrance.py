"""What keeps a timer from starting a job now, though its time has come: a pause, bounds, a blackout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.naming import move_timer_name, timer_name
from cncopctl.edges.pauses import read_pause

if TYPE_CHECKING:
    from cncopctl.core.calendars import Blackout
    from cncopctl.core.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why not now. `is_news` is whether a run is lost by it, `comes_again` whether the timer asks again at once."""

    reason: str
    is_news: bool = True
    comes_again: bool = False


def may_be_hindered(layout: Layout, job: CompiledJob, now: datetime) -> bool:
    """Whether it matters which timer has started the job, or whether one has.

    Raises:
        InstallError: a pause cannot be read.
    """
    timers = [timer_name(job.id, number + 1) for number in range(len(job.schedules))]
    may = job.blackout is not None or any(_is_continuous(job, timer) for timer in timers)
    return may or read_pause(layout.pauses, job.id, now) is not None


def hindrance(layout: Layout, job: CompiledJob, timer: str, now: datetime) -> Hindrance | None:
    """What keeps `timer` from starting the job; with "" for a person's start, what would keep a timer.

    Raises:
        InstallError: a pause or a calendar cannot be read.
    """
    again = _is_continuous(job, timer)
    is_end = job.blackout is not None and timer == move_timer_name(job.id, len(job.schedules))
    if is_end and not _is_owed(layout, job, now):
        return Hindrance("a blackout has ended, and no run is owed", is_news=False)
    if pause := read_pause(layout.pauses, job.id, now):
        return Hindrance(pause.sentence(), is_news=not again, comes_again=again)
    if again and (reason := _out_of_bounds(job, timer, now)):
        return Hindrance(reason, is_news=False, comes_again=True)
    if job.blackout is None:
        return None
    from cncopctl.core.calendars import InBlackout  # few jobs have one

    blackout = _blackout(job)
    if blackout.effect is InBlackout.REPORT or not (inside := _sentence(blackout, now)):
        return None
    moved = ", and is made up for then" if blackout.effect is InBlackout.MOVE and not again else ""
    return Hindrance(f"{inside}{moved}", is_news=not again, comes_again=again)


def in_blackout(job: CompiledJob, now: datetime) -> str:
    """`in the blackout holidays until 2026-…`; "" where the job is in none.

    Raises:
        InstallError: a calendar cannot be read.
    """
    return _sentence(_blackout(job), now) if job.blackout else ""


def _sentence(blackout: Blackout, now: datetime) -> str:
    inside = blackout.around(now)
    return f"in the blackout {inside[0]} until {inside[1].astimezone():%Y-%m-%d %H:%M %Z}" if inside else ""


def _blackout(job: CompiledJob) -> Blackout:
    from cncopctl.core.calendars import Blackout

    try:
        return Blackout.from_document(job.blackout or {})
    except (KeyError, TypeError, ValueError) as error:
        raise InstallError(
            f"the calendars of the compiled job are damaged: {error}",
            "write it anew with: cncopctl sync-profile",
        ) from error


def _is_owed(layout: Layout, job: CompiledJob, now: datetime) -> bool:
    """Whether the last instant of the job's schedules has had no run yet, and nothing keeps it from running now.

    The history tells, so that neither a kill nor a reboot loses a run that a blackout has moved.
    """
    from cncopctl.core.schedule import previous_before
    from cncopctl.edges.history import History

    instants = [previous_before(_schedule(job, number), now) for number in range(len(job.schedules))]
    last = max((instant for instant in instants if instant), default=None)
    if last is None or _blackout(job).around(now):
        return False
    try:
        return not History(layout.history).has_run_since(job.id, last)
    except InstallError:
        return True  # the close tells what is wrong with the history; one run too many is better than none


def _schedule(job: CompiledJob, number: int) -> Schedule:
    from cncopctl.core.schedule import Seed, parse
    from cncopctl.edges.machine import machine_id

    text, zone = job.schedules[number]
    return parse(text, zone=zone, seed=Seed(machine_id(), job.id))


def _number(job: CompiledJob, timer: str) -> int | None:
    numbers = range(len(job.schedules))
    return next((number for number in numbers if timer == timer_name(job.id, number + 1)), None)


def _is_continuous(job: CompiledJob, timer: str) -> bool:
    number = _number(job, timer)
    written = job.schedules[number][0] if number is not None else None
    return (
        isinstance(written, Mapping) and str(written.get("interval", "")).strip().casefold() == "continuous"
    )


def _out_of_bounds(job: CompiledJob, timer: str, now: datetime) -> str:
    """Why a schedule whose bounds its timer cannot say has no time now; "" where it has."""
    number = _number(job, timer)
    if number is None:
        return ""
    schedule = _schedule(job, number)
    if schedule.start and now < schedule.start:
        return f"its schedule begins at {schedule.start.astimezone():%Y-%m-%d %H:%M %Z}"
    if schedule.end and now > schedule.end:
        return f"its schedule has ended at {schedule.end.astimezone():%Y-%m-%d %H:%M %Z}"
    return ""
