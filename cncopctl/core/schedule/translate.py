"""From a schedule to the lines of a timer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cncopctl.core.schedule.boxes import Box, Times
from cncopctl.core.schedule.changes import Change, Clock, changes_between, extra_instants
from cncopctl.core.schedule.days import days_of
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.instants import next_after, previous_before
from cncopctl.core.schedule.lines import write_line
from cncopctl.core.schedule.model import ALL_YEARS, CalendarRule, Interval, Moment, Reboot

if TYPE_CHECKING:
    from cncopctl.core.schedule.model import Schedule

# At least 400 days must lie ahead when the weekly re-sync is due next.
HORIZON = timedelta(days=408)
BOOT_DELAY = timedelta(minutes=1)
PAUSE = timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Translation:
    """What a timer needs so that it elapses at exactly the schedule's instants.

    `oncalendar` are values of `OnCalendar=`; their union counts. `horizon_end` is the UTC instant up to
    which they are exact, None when they are for ever (to 2199): before it comes, translate again.
    `on_boot` and `on_inactive` are values of `OnBootSec=` and `OnUnitInactiveSec=`. `warnings` are those
    of the schedule and those of the translation. With `is_over` there is nothing left to elapse.
    """

    oncalendar: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    horizon_end: datetime | None = None
    on_boot: timedelta | None = None
    on_inactive: timedelta | None = None
    is_over: bool = False


def translate(schedule: Schedule, *, now: datetime, horizon: timedelta = HORIZON) -> Translation:
    """Return what to write into a timer so that it elapses at exactly the schedule's instants.

    `now` is aware. Where lines for ever cannot say the schedule, those returned are exact from `now` for
    at least `horizon`; they change with the calendar month of `now` only, so that syncing again leaves
    timers alone.

    Raises:
        ScheduleError: the schedule never elapses, or would need more lines than systemd bears.
    """
    rule = schedule.rule
    if isinstance(rule, CalendarRule):
        return translate_calendar(schedule, rule, window(now, horizon))
    if isinstance(rule, Moment):
        return translate_moment(schedule, rule, now)
    if isinstance(rule, Interval):
        return translate_interval(schedule, rule, window(now, horizon))
    if isinstance(rule, Reboot):
        return Translation(warnings=schedule.warnings, on_boot=BOOT_DELAY)
    return Translation(warnings=schedule.warnings, on_boot=BOOT_DELAY, on_inactive=PAUSE)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that lines with dates cover: whole months of UTC, so that they change rarely."""

    now: datetime
    start: datetime
    end: datetime
    horizon: timedelta


def window(now: datetime, horizon: timedelta) -> Window:
    """Return the window from the month of `now` to the end of the month of the horizon."""
    now = now.astimezone(UTC)
    reached = next_month(now) + horizon
    return Window(now, first_of_month(now), next_month(reached), horizon)


def next_month(time: datetime) -> datetime:
    """Return the first instant of the month after this one."""
    return first_of_month(first_of_month(time) + timedelta(days=31))


def first_of_month(time: datetime) -> datetime:
    """Return the first instant of a month."""
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def translate_calendar(schedule: Schedule, rule: CalendarRule, ahead: Window) -> Translation:
    """Return the lines of a calendar rule, and the extra ones for the changes of its zone's clocks."""
    changes = changes_between(schedule.zone, ahead.start, ahead.end)
    # In a zone whose clocks change `~` is not safe: systemd takes the second pass of an hour for the first.
    days = days_of(rule, backward=not changes)
    times = Times(rule.hour, rule.minute, rule.second)
    boxes = [Box(box, times) for box in days]
    if schedule.start is not None or schedule.end is not None:
        boxes = bounded(boxes, schedule, schedule.zone, ahead)
    for change in changes:
        if change.replaces_days():
            boxes = without_days_of(boxes, change)
    lines = [write_line(box, schedule.zone) for box in boxes]
    if changes:
        lines += extra_lines(schedule, rule.starred, Clock(days, times), changes)
    return finished(schedule, lines, ahead.end if changes else None, ahead)


def without_days_of(boxes: list[Box], change: Change) -> list[Box]:
    """Return the boxes without the days of a change; extra instants stand in for them."""
    from cncopctl.core.schedule.bounds import without

    return without(boxes, change)


def extra_lines(schedule: Schedule, starred: bool, clock: Clock, changes: tuple[Change, ...]) -> list[str]:
    """Return the lines, in UTC, for what the zoned lines do not do at the changes of the clocks."""
    follows = schedule.dst.catches_up()
    minutes: dict[datetime, int] = {}
    for change in changes:
        for minute, seconds in extra_instants(clock, change, follows and starred, follows and not starred):
            if kept := seconds_within(minute, seconds, schedule):
                minutes[minute] = minutes.get(minute, 0) | kept
    if not minutes:
        return []
    from cncopctl.core.schedule.merge import boxes_of_instants

    return [write_line(box, "UTC") for box in boxes_of_instants(minutes)]


def seconds_within(minute: datetime, seconds: int, schedule: Schedule) -> int:
    """Return those seconds of a minute that lie within the schedule's bounds."""
    if schedule.start is not None and minute < schedule.start:
        seconds &= -1 << min(60, -((minute - schedule.start) // timedelta(seconds=1)))
    if schedule.end is not None and minute + timedelta(seconds=59) > schedule.end:
        seconds &= (1 << max(0, (schedule.end - minute) // timedelta(seconds=1) + 1)) - 1
    return seconds


def bounded(boxes: list[Box], schedule: Schedule, zone: str | None, ahead: Window) -> list[Box]:
    """Return the boxes within the schedule's bounds; a start that is past needs no lines."""
    from cncopctl.core.schedule.bounds import within

    start = schedule.start if schedule.start is not None and schedule.start > ahead.now else None
    return within(boxes, zone, start, schedule.end)


def translate_moment(schedule: Schedule, rule: Moment, now: datetime) -> Translation:
    """Return the line of a date; a past one has none, and says so."""
    instant = rule.instant
    outside = (schedule.start is not None and instant < schedule.start) or (
        schedule.end is not None and instant > schedule.end
    )
    if outside:
        raise ScheduleError("the schedule never elapses: its date is out of its bounds", "move the bounds")
    if instant <= now:
        return over(schedule, f"{instant:%Y-%m-%d %H:%M:%S} UTC is past: nothing is scheduled")
    local = rule.local
    if local is None or changes_between(schedule.zone, instant - DAY, instant + DAY):
        # Near a change of the clocks a dated local time may elapse at another instant than it says.
        return Translation((f"{written(instant)} UTC",), schedule.warnings)
    zone = f" {schedule.zone}" if schedule.zone else ""
    return Translation((written(local) + zone,), schedule.warnings)


def written(time: datetime) -> str:
    """Return a date as systemd takes it."""
    return f"{time:%Y-%m-%d %H:%M:%S}" + (f".{time.microsecond:06}" if time.microsecond else "")


def translate_interval(schedule: Schedule, rule: Interval, ahead: Window) -> Translation:
    """Return the lines of an interval, which stand in UTC whatever the zone."""
    from cncopctl.core.schedule.rolling import boxes_for_ever, boxes_until

    boxes = boxes_for_ever(rule.every, rule.anchor)
    horizon_end = None
    if boxes is None:
        if schedule.start is not None and schedule.start > ahead.now:
            ahead = replace(window(schedule.start, ahead.horizon), now=ahead.now)
        following = next_after(schedule, ahead.now)
        horizon_end = ahead.end if following is None else max(ahead.end, next_month(following))
        boxes = boxes_until(rule.every, rule.anchor, ahead.start, horizon_end)
    if schedule.start is not None or schedule.end is not None:
        boxes = bounded(boxes, schedule, "UTC", ahead)
    return finished(schedule, [write_line(box, "UTC") for box in boxes], horizon_end, ahead)


def finished(
    schedule: Schedule, lines: list[str], horizon_end: datetime | None, ahead: Window
) -> Translation:
    """Return the translation of these lines, or why there is nothing to write."""
    if (is_limited(schedule) or not lines) and next_after(schedule, ahead.now) is None:
        last = previous_before(schedule, ahead.now)
        if last is None:
            hint = "move the bounds, or remove the schedule"
            raise ScheduleError("the schedule never elapses within its bounds", hint)
        return over(schedule, f"the schedule elapsed for the last time on {last:%Y-%m-%d %H:%M:%S} UTC")
    return Translation(tuple(lines), schedule.warnings, horizon_end)


def is_limited(schedule: Schedule) -> bool:
    """Return whether the schedule may come to an end."""
    rule = schedule.rule
    return schedule.end is not None or (isinstance(rule, CalendarRule) and rule.year != ALL_YEARS)


def over(schedule: Schedule, why: str) -> Translation:
    """Return a translation without lines, and why."""
    return Translation(warnings=(*schedule.warnings, why), is_over=True)
