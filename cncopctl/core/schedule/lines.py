"""Writing calendar lines as a person would: ranges before steps before lists, nothing open-ended.

Mon..Fri *-*-* 02:30:00 Europe/Berlin
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.model import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_WEEKDAYS,
    ALL_YEARS,
)

if TYPE_CHECKING:
    from cncopctl.core.schedule.boxes import Box, Days, Times

NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHORTEST_RANGE = 3
# A step is worth its slash when it says the whole set, or a good part of it.
SHORTEST_STEP = 4
SHORTEST_PARTIAL_STEP = 6


class Segment(NamedTuple):
    """The values low, low + step, ... high."""

    low: int
    high: int
    step: int


def write_line(box: Box, zone: str | None) -> str:
    """Return the `OnCalendar=` value of a box."""
    line = f"{write_days(box.days)} {write_times(box.times)}"
    return f"{line} {zone}" if zone else line


@lru_cache(maxsize=4096)
def write_days(days: Days) -> str:
    """Return weekday and date; the weekday is left out when it is every one, since `*` is refused there."""
    back = "~" if days.from_end else "-"
    year = write(days.years, ALL_YEARS, 4)
    date = f"{year}-{write(days.months, ALL_MONTHS, 2)}{back}{write(days.days, ALL_DAYS, 2)}"
    return date if days.weekdays == ALL_WEEKDAYS else f"{write_weekdays(days.weekdays)} {date}"


def write_times(times: Times) -> str:
    """Return the time of day."""
    hours, minutes, seconds = times
    return f"{write(hours, ALL_HOURS, 2)}:{write(minutes, ALL_MINUTES, 2)}:{write(seconds, ALL_MINUTES, 2)}"


def write_weekdays(mask: int) -> str:
    """Return weekday names; ranges run forward from Monday only."""
    parts = []
    for run in runs(mask):
        names = [NAMES[day] for day in run]
        parts.append(f"{names[0]}..{names[-1]}" if len(names) >= SHORTEST_RANGE else ",".join(names))
    return ",".join(parts)


def runs(mask: int) -> list[list[int]]:
    """Return the values of a mask, those that follow one another together."""
    found: list[list[int]] = []
    for value in values_of(mask):
        if found and found[-1][-1] == value - 1:
            found[-1].append(value)
        else:
            found.append([value])
    return found


@lru_cache(maxsize=16384)
def write(mask: int, everything: int, width: int) -> str:
    """Return a set of numbers as systemd takes it: `*`, `05`, `01..05`, `00..56/7`, `01,15`."""
    if mask == everything:
        return "*"
    parts = []
    for low, high, step in segments(mask):
        if low == high:
            parts.append(f"{low:0{width}}")
        else:
            parts.append(f"{low:0{width}}..{high:0{width}}" + (f"/{step}" if step > 1 else ""))
    return ",".join(parts)


@lru_cache(maxsize=16384)
def segments(mask: int) -> tuple[Segment, ...]:
    """Return the few even runs that make up a set, taking the longest from its lowest value each time."""
    found = []
    while mask:
        low = (mask & -mask).bit_length() - 1
        segment = longest_from(low, mask)
        found.append(segment)
        for value in range(segment.low, segment.high + 1, segment.step):
            mask ^= 1 << value
    return tuple(found)


def longest_from(low: int, mask: int) -> Segment:
    """Return the longest even run from the lowest value of a set; short ones are single values."""
    best, best_count = Segment(low, low, 1), 1
    highest, total = mask.bit_length() - 1, mask.bit_count()
    for step in range(1, (highest - low) // 2 + 1):
        if (highest - low) // step < best_count:
            break
        count = 1
        while mask >> low + count * step & 1:
            count += 1
        if count > best_count and count >= worth_it(step, count == total):
            best, best_count = Segment(low, low + (count - 1) * step, step), count
    return best


def worth_it(step: int, is_whole: bool) -> int:
    """Return how many values a run must have to be written as one."""
    if step == 1:
        return SHORTEST_RANGE
    return SHORTEST_STEP if is_whole else SHORTEST_PARTIAL_STEP
