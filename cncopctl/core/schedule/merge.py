"""Joining boxes: from many instants to the few lines that say the same."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

from cncopctl.core.schedule.boxes import Box, Days, Times
from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.model import ALL_WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

# A box as one flat tuple, so that joining along any of its dimensions is the same few lines.
Flat = tuple[int, ...]
WEEKDAYS, DAYS, MONTHS, YEARS, HOURS, MINUTES, SECONDS = range(7)


def flat(box: Box) -> Flat:
    """Return the sets of a box that counts its days forward."""
    return (*box.days[:4], *box.times)


def solid(sets: Flat) -> Box:
    """Return the box of a flat tuple."""
    return Box(days_in(sets), Times(*sets[HOURS:]))


def days_in(sets: Sequence[int]) -> Days:
    """Return the days of a flat tuple."""
    return Days(sets[WEEKDAYS], sets[DAYS], sets[MONTHS], sets[YEARS])


def joined(boxes: Iterable[Flat], order: Iterable[int]) -> list[Flat]:
    """Return boxes with the same union, joined along one dimension after the other."""
    current = list(boxes)
    for dimension in order:
        together: dict[Flat, int] = {}
        for box in current:
            key = (*box[:dimension], *box[dimension + 1 :])
            together[key] = together.get(key, 0) | box[dimension]
        current = [(*key[:dimension], mask, *key[dimension:]) for key, mask in together.items()]
    return current


def fewest(boxes: Iterable[Flat], dimensions: Iterable[int]) -> list[Flat]:
    """Return boxes with the same union, joined in the order of dimensions that leaves the fewest."""
    boxes = list(boxes)
    return min((joined(boxes, order) for order in permutations(dimensions)), key=len)


def boxes_of_instants(instants: Mapping[datetime, int]) -> list[Box]:
    """Return the few boxes that hold exactly some instants: UTC minutes, each with its seconds."""
    flats = [dated(minute.date(), 1 << minute.hour, 1 << minute.minute, s) for minute, s in instants.items()]
    candidates = []
    for order in ((MINUTES, HOURS), (HOURS, MINUTES)):
        by_times: dict[Flat, set[Flat]] = {}
        for box in joined(flats, order):
            by_times.setdefault(box[HOURS:], set()).add(box[:HOURS])
        candidates.append(
            [(*days, *times) for times, dates in by_times.items() for days in boxes_of_dates(dates)]
        )
    best = min(candidates, key=len)
    return sorted(map(solid, best), key=first_instant)


def dated(day: date, hours: int, minutes: int, seconds: int) -> Flat:
    """Return the box of some times of one date."""
    return (ALL_WEEKDAYS, 1 << day.day, 1 << day.month, 1 << day.year, hours, minutes, seconds)


def boxes_of_dates(dates: set[Flat]) -> list[Flat]:
    """Return the few boxes that hold exactly some dates."""
    by_month = fewest(dates, (DAYS, MONTHS, YEARS))
    if len(by_month) == 1:
        return by_month
    together = joined(by_month, (DAYS, MONTHS, YEARS))
    whole = on_weekdays(dates)
    return [whole] if whole else together if len(together) < len(by_month) else by_month


def on_weekdays(dates: set[Flat]) -> Flat | None:
    """Return the one box of dates that only their weekdays tell from others: `Sun 2026,2027-03-28,29`."""
    from datetime import date

    sets = [0, 0, 0, 0]
    for box in dates:
        for dimension in (DAYS, MONTHS, YEARS):
            sets[dimension] |= box[dimension]
        sets[WEEKDAYS] |= 1 << date(*(box[n].bit_length() - 1 for n in (YEARS, MONTHS, DAYS))).weekday()
    days = days_in(sets)
    if sets[YEARS].bit_count() * sets[MONTHS].bit_count() * sets[DAYS].bit_count() > 400:
        return None
    return tuple(sets) if count_days(days) == len(dates) else None


def count_days(box: Days) -> int:
    """Return how many days a box of forward days holds."""
    from datetime import date

    count = 0
    for year in values_of(box.years):
        for month in values_of(box.months):
            for day in values_of(box.days):
                try:
                    count += box.has(date(year, month, day))
                except ValueError:  # the month lacks the day
                    continue
    return count


def first_instant(box: Box) -> tuple[int, ...]:
    """Return where a dated box stands in time."""
    days, times = box
    parts = (days.years, days.months, days.days, times.hours, times.minutes, times.seconds)
    return tuple(part & -part for part in parts)
