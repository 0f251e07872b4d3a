"""Intervals as calendar lines in UTC: for ever where they fit a week, over the horizon where not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import gcd
from typing import TYPE_CHECKING

from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.merge import (
    HOURS,
    MINUTES,
    SECONDS,
    WEEKDAYS,
    Flat,
    boxes_of_instants,
    fewest,
    joined,
    solid,
)
from cncopctl.core.schedule.model import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_WEEKDAYS,
    ALL_YEARS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cncopctl.core.schedule.boxes import Box

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# More `OnCalendar=` lines than this make a timer that nobody reads and PID 1 searches slowly.
MOST_LINES = 500


def boxes_for_ever(every: timedelta, anchor: datetime) -> list[Box] | None:
    """Return the lines of an interval that fits a minute, hour, day or week; None if it does not.

    Raises:
        ScheduleError: it fits, but takes too many lines.
    """
    seconds = int(every.total_seconds())
    phase = int((anchor - EPOCH).total_seconds())
    for period, dimensions in (
        (MINUTE, (SECONDS,)),
        (HOUR, (SECONDS, MINUTES)),
        (DAY, (SECONDS, MINUTES, HOURS)),
        (WEEK, (SECONDS, MINUTES, HOURS, WEEKDAYS)),
    ):
        if period % seconds == 0:
            instants = (flat_within(phase % seconds + n, period) for n in range(0, period, seconds))
            boxes = joined(instants, (SECONDS,))
            refuse_too_many(len(boxes) // 10_000 * MOST_LINES, seconds)
            few = fewest(boxes, dimensions)
            refuse_too_many(len(few), seconds)
            return [solid(box) for box in sorted(few, key=in_week)]
    return None


def flat_within(second: int, period: int) -> Flat:
    """Return the box of one second of a recurring period; what is coarser than the period is free."""
    weekday = 1 << (second // DAY + 3) % 7 if period == WEEK else ALL_WEEKDAYS  # 1970 began on a Thursday
    hours = 1 << second // HOUR % 24 if period >= DAY else ALL_HOURS
    minutes = 1 << second // MINUTE % 60 if period >= HOUR else ALL_MINUTES
    return (weekday, ALL_DAYS, ALL_MONTHS, ALL_YEARS, hours, minutes, 1 << second % 60)


def in_week(box: Flat) -> tuple[int, ...]:
    """Return where a box stands in the week."""
    return tuple(part & -part for part in (box[WEEKDAYS], box[HOURS], box[MINUTES], box[SECONDS]))


def boxes_until(every: timedelta, anchor: datetime, start: datetime, end: datetime) -> list[Box]:
    """Return the lines of an interval from `start` to before `end`.

    Raises:
        ScheduleError: they are too many.
    """
    seconds = int(every.total_seconds())
    refuse_too_many(at_least(seconds, (end - start).days), seconds)
    minutes: dict[datetime, int] = {}
    for instant in multiples(every, anchor, start, end):
        minute = instant.replace(second=0)
        minutes[minute] = minutes.get(minute, 0) | 1 << instant.second
    boxes = boxes_of_instants(minutes) if minutes else []
    refuse_too_many(len(boxes), seconds)
    return boxes


def at_least(seconds: int, days: int) -> int:
    """Return a number of lines below which an interval cannot be said over so many days.

    A line is a product of dates, hours and minutes, and all its elapses have one phase: so its dates begin
    at one phase, and so do its hours within the date and its minutes within the hour.
    """
    lines = min(days, seconds // gcd(seconds, DAY)) if seconds < DAY else 1
    if seconds < HOUR:
        lines *= min(24, seconds // gcd(seconds, HOUR))
    if seconds < MINUTE:
        lines *= min(60, seconds // gcd(seconds, MINUTE))
    return lines


def multiples(every: timedelta, anchor: datetime, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants of an interval from `start` to before `end`."""
    instant = anchor - (anchor - start) // every * every
    while instant < end:
        yield instant
        instant += every


def refuse_too_many(lines: int, seconds: int) -> None:
    """Refuse an interval that would fill the timer with lines, and offer those that do not."""
    if lines > MOST_LINES:
        raise ScheduleError(
            f"an interval of {spoken(seconds)} would take more than {MOST_LINES} calendar lines",
            f"write {' or '.join(map(spoken, neighbours(seconds)))}, which fit the hour or the day",
            field="interval",
        )


def neighbours(seconds: int) -> list[int]:
    """Return the nearest shorter and longer intervals that fit an hour or a day."""
    of_hour = {n for n in range(1, HOUR + 1) if HOUR % n == 0}
    of_day = {n for n in range(MINUTE, DAY + 1, MINUTE) if DAY % n == 0}
    fitting = sorted(of_hour | of_day)
    below = [n for n in fitting if n < seconds]
    above = [n for n in fitting if n > seconds]
    return below[-1:] + above[:1]


def spoken(seconds: int) -> str:
    """Return a length of time in the largest unit that fits it."""
    for size, unit in ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' * (seconds != size)}"
    return f"{seconds} second{'s' * (seconds != 1)}"
