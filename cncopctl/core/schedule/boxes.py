"""Boxes: products of sets over years, months, days, weekdays and times. One box is one calendar line."""

from __future__ import annotations

import calendar
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.model import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_SECONDS,
    ALL_WEEKDAYS,
    ALL_YEARS,
    FIRST_YEAR,
    LAST_YEAR,
)

LEAP_YEARS = sum(1 << year for year in range(FIRST_YEAR, LAST_YEAR + 1) if calendar.isleap(year))
COMMON_YEARS = ALL_YEARS & ~LEAP_YEARS
FEBRUARY = 1 << 2
SHORT_MONTHS = 1 << 4 | 1 << 6 | 1 << 9 | 1 << 11
LONG_MONTHS = ALL_MONTHS & ~SHORT_MONTHS & ~FEBRUARY


class Days(NamedTuple):
    """Days of the calendar. With `from_end` bit n of `days` is the n-th last day of the month."""

    weekdays: int = ALL_WEEKDAYS
    days: int = ALL_DAYS
    months: int = ALL_MONTHS
    years: int = ALL_YEARS
    from_end: bool = False

    def has(self, day: date) -> bool:
        """Return whether `day` is one of them."""
        number = month_length(day.year, day.month) + 1 - day.day if self.from_end else day.day
        return bool(
            self.days >> number
            & self.months >> day.month
            & self.weekdays >> day.weekday()
            & self.years >> day.year
            & 1
        )


class Times(NamedTuple):
    """Times of day: every hour of `hours` with every minute and second."""

    hours: int = ALL_HOURS
    minutes: int = ALL_MINUTES
    seconds: int = ALL_SECONDS


class Box(NamedTuple):
    """The instants of one calendar line."""

    days: Days
    times: Times


def month_length(year: int, month: int) -> int:
    """Return the number of days of a month."""
    return calendar.monthrange(year, month)[1]


def longest(months: int) -> int:
    """Return the number of days of the longest of `months`, a leap February among them."""
    if months & LONG_MONTHS:
        return 31
    return 30 if months & SHORT_MONTHS else 29


def tidy(box: Days) -> Days | None:
    """Return the same days without months and days that cannot be, or None when nothing is left.

    systemd fails with "Infinite loop" when one of several months lacks the day; where every month is
    meant it may stay so, since a person writes *-*-31.
    """
    months, days = box.months, box.days
    if not box.from_end:
        if months != ALL_MONTHS:
            months = with_day(months, (days & -days).bit_length() - 1)
        beyond = (1 << longest(months) + 1) - 2
        days = ALL_DAYS if days & beyond == beyond else days & beyond
    if not (days and months and box.weekdays and box.years):
        return None
    tidied = box._replace(months=months, days=days)
    return tidied if box.years == ALL_YEARS or any_day(tidied) else None


def with_day(months: int, day: int) -> int:
    """Return those of `months` that have a day of this number."""
    if day > 30:
        return months & LONG_MONTHS
    return months & ~FEBRUARY if day > 29 else months


@lru_cache(maxsize=4096)
def any_day(box: Days) -> bool:
    """Return whether a box that is limited to some years contains any day at all."""
    return any(
        box.has(date(year, month, day))
        for year in values_of(box.years)
        for month in values_of(box.months)
        for day in range(1, month_length(year, month) + 1)
    )
