"""ISO weeks on the calendar: which weekdays of a date lie in given weeks, for every kind of year.

systemd knows no weeks. But whether a date lies in week n depends on nothing but its month, day and
weekday, and on whether the year (in January: the year before) has a 29 February.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cncopctl.core.schedule.boxes import COMMON_YEARS, LEAP_YEARS, Days, month_length, tidy
from cncopctl.core.schedule.cover import table
from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.merge import DAYS, MONTHS, WEEKDAYS, YEARS, Flat, days_in, fewest
from cncopctl.core.schedule.model import ALL_YEARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cncopctl.core.schedule.model import CalendarRule

THURSDAY = 3
AFTER_LEAP = LEAP_YEARS << 1 & COMMON_YEARS
# Years in which every date lies in a week by its weekday alone, with the lengths of the year and of the
# one before.
KINDS = (
    (LEAP_YEARS, 366, 365),
    (AFTER_LEAP, 365, 366),
    (ALL_YEARS & COMMON_YEARS & ~AFTER_LEAP, 365, 365),
)


def days_of_weeks(rule: CalendarRule) -> tuple[Days, ...]:
    """Return the boxes of the days that lie in the rule's weeks and match its other day fields."""
    flats = fewest(cells(rule), (WEEKDAYS, DAYS, MONTHS, YEARS))
    boxes = (tidy(days_in(sets)) for sets in sorted(flats, key=lambda box: (box[MONTHS], box[DAYS])))
    return tuple(box for box in boxes if box)


def cells(rule: CalendarRule) -> Iterator[Flat]:
    """Yield each weekday of each date of each kind of year that is meant."""
    for years, length, length_before in KINDS:
        if years & rule.year:
            leap = length == 366
            begins = 0
            for month in range(1, 13):
                days = month_length(2000 if leap else 2001, month)
                if rule.month >> month & 1:
                    for day, weekday in dates(rule, begins, days, (length, length_before)):
                        yield (1 << weekday, 1 << day, 1 << month, years & rule.year, 0, 0, 0)
                begins += days


def dates(
    rule: CalendarRule, begins: int, length: int, lengths: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Yield the days of one month, each with a weekday on which it is meant."""
    rows = table(rule.day, length)
    for day in range(1, length + 1):
        for weekday in values_of(rows[day]):
            if rule.week >> iso_week(begins + day, weekday, lengths) & 1:
                yield day, weekday


def iso_week(ordinal: int, weekday: int, lengths: tuple[int, int]) -> int:
    """Return the week of the day with this number in its year: it is counted by its Thursday."""
    thursday = ordinal + THURSDAY - weekday
    if thursday < 1:
        return (thursday + lengths[1] - 1) // 7 + 1
    if thursday > lengths[0]:
        return 1
    return (thursday - 1) // 7 + 1
