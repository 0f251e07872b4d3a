"""Cutting lines at a schedule's start and end.

What is not before 2026-06-15 12:00 is later hours of that day, or later days of that month, or later
months of that year, or later years: a few boxes, and exact for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cncopctl.core.schedule.boxes import Box, Days, Times, month_length, tidy
from cncopctl.core.schedule.changes import changes_between, midnight
from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.merge import (
    DAYS,
    HOURS,
    MINUTES,
    MONTHS,
    SECONDS,
    YEARS,
    first_instant,
    flat,
    joined,
    solid,
)
from cncopctl.core.schedule.zones import zone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cncopctl.core.schedule.changes import Change

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
# Masks wide enough for years; each set is cut to what it had.
EVERYTHING = (1 << 2200) - 1


def within(
    boxes: list[Box], zone_name: str | None, start: datetime | None, end: datetime | None
) -> list[Box]:
    """Return the boxes cut to start..end (UTC, both inclusive), which stand in a zone's local time."""
    if start is not None:
        floor = wall_floor(start, zone_name)
        boxes = [part for box in boxes for piece in not_before(floor) if (part := cut(box, piece))]
    if end is not None:
        ceiling = wall_ceiling(end, zone_name)
        boxes = [part for box in boxes for piece in not_after(ceiling) if (part := cut(box, piece))]
    return rejoined(boxes)


def without(boxes: list[Box], change: Change) -> list[Box]:
    """Return the boxes without the local days on which a change repeats an hour."""
    first, end = midnight(change.wall_after()), change.end_of_replaced_days()
    pieces = [*not_after(first - SECOND), *not_before(end)]
    return rejoined([part for box in boxes for piece in pieces if (part := cut(box, piece))])


def wall_floor(start: datetime, zone_name: str | None) -> datetime:
    """Return the first local time that a line may name; in a second pass none of its hour is left."""
    if start.microsecond:
        start = start.replace(microsecond=0) + SECOND
    local = wall(start, zone_name)
    if local.fold:
        return changes_between(zone_name, start - DAY, start + SECOND)[-1].wall_before()
    return local.replace(tzinfo=None)


def wall_ceiling(end: datetime, zone_name: str | None) -> datetime:
    """Return the last local time that a line may name; in a second pass all of its hour is."""
    local = wall(end, zone_name)
    if local.fold:
        return changes_between(zone_name, end - DAY, end + SECOND)[-1].wall_before() - SECOND
    return local.replace(tzinfo=None, microsecond=0)


def wall(instant: datetime, zone_name: str | None) -> datetime:
    """Return the aware local time of an instant."""
    return instant.astimezone(UTC if zone_name in (None, "UTC") else zone(str(zone_name)))


def not_before(floor: datetime) -> Iterator[tuple[int, ...]]:
    """Yield the pieces of the time from `floor` on, as sets of years, months, days and times."""
    parts = parts_of(floor)
    while len(parts) > 1 and parts[-1] == (0, 1, 1, 0, 0, 0)[len(parts) - 1]:
        parts.pop()
    for level, part in enumerate(parts):
        first = part if level == len(parts) - 1 else part + 1
        yield piece(parts[:level], EVERYTHING & -(1 << first))


def not_after(ceiling: datetime) -> Iterator[tuple[int, ...]]:
    """Yield the pieces of the time up to `ceiling`."""
    parts = parts_of(ceiling)
    last = (0, 12, month_length(ceiling.year, ceiling.month), 23, 59, 59)
    while len(parts) > 1 and parts[-1] == last[len(parts) - 1]:
        parts.pop()
    for level, part in enumerate(parts):
        end = part + 1 if level == len(parts) - 1 else part
        yield piece(parts[:level], (1 << end) - 1)


def parts_of(time: datetime) -> list[int]:
    """Return year, month, day, hour, minute and second."""
    return [time.year, time.month, time.day, time.hour, time.minute, time.second]


def piece(fixed: list[int], rest: int) -> tuple[int, ...]:
    """Return the sets of a piece: the coarse parts are fixed, the next has `rest`, the finer are free."""
    sets = [1 << part for part in fixed] + [rest]
    return (*sets, *[EVERYTHING] * (6 - len(sets)))


def cut(box: Box, limits: tuple[int, ...]) -> Box | None:
    """Return the part of a box within a piece, None if it is empty."""
    days, times = box
    years, months, numbers, *clock = limits
    cut_times = Times(*(mask & limit for mask, limit in zip(times, clock, strict=True)))
    if days.from_end and numbers != EVERYTHING:
        days = counted_forward(days, years, months)
    cut_days = tidy(
        days._replace(
            years=days.years & years,
            months=days.months & months,
            days=days.days if days.from_end else days.days & numbers,
        )
    )
    return Box(cut_days, cut_times) if cut_days and all(cut_times) else None


def counted_forward(days: Days, year: int, month: int) -> Days:
    """Return days that count from the end of one certain month as days from its beginning."""
    length = month_length(year.bit_length() - 1, month.bit_length() - 1)
    turned = sum(1 << length + 1 - back for back in values_of(days.days) if back <= length)
    return days._replace(days=turned, from_end=False)


def rejoined(boxes: list[Box]) -> list[Box]:
    """Return the boxes with pieces joined again that differ in one part only."""
    backward = [box for box in boxes if box.days.from_end]
    forward = joined(
        [flat(box) for box in boxes if not box.days.from_end], (SECONDS, MINUTES, HOURS, DAYS, MONTHS, YEARS)
    )
    return sorted([solid(sets) for sets in forward] + backward, key=first_instant)
