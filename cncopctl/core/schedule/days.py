"""Translating a day rule: the fewest boxes of days whose union it is.

Every rule of one month depends on nothing but the month's length, the day's number and its weekday. So a
rule is four tables (31, 30, 29, 28 days), and translating it means covering the cells that are set.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cncopctl.core.schedule.boxes import Days, tidy
from cncopctl.core.schedule.model import ALL_DAYS, ALL_WEEKDAYS, ALL_WEEKS

if TYPE_CHECKING:
    from cncopctl.core.schedule.model import CalendarRule, DayRule


def days_of(rule: CalendarRule, backward: bool = True) -> tuple[Days, ...]:
    """Return the boxes whose union are the days of a rule; none if it never elapses.

    Without `backward` no box counts from the month's end.
    """
    if rule.week != ALL_WEEKS:
        from cncopctl.core.schedule.weeks import days_of_weeks

        return days_of_weeks(rule)
    return days_in_months(rule.day, rule.month, rule.year, backward)


def elapses(rule: CalendarRule) -> bool:
    """Return whether there is any day that the rule means."""
    return bool(days_of(rule))


@lru_cache(maxsize=4096)
def days_in_months(rule: DayRule, months: int, years: int, backward: bool) -> tuple[Days, ...]:
    """Return the boxes of a rule within some months and years."""
    if rule.from_end or rule.nearest or rule.last_weekday or rule.nth or rule.last:
        from cncopctl.core.schedule.cover import cover

        return cover(rule, months, years, backward)
    by_number = Days(ALL_WEEKDAYS, rule.days, months, years)
    by_weekday = Days(rule.weekdays, ALL_DAYS, months, years)
    if not rule.either:
        boxes = [Days(rule.weekdays, rule.days, months, years)]
    elif rule.days == ALL_DAYS or rule.weekdays == ALL_WEEKDAYS:
        boxes = [Days(ALL_WEEKDAYS, ALL_DAYS, months, years)]
    else:
        boxes = [by_number, by_weekday]
    tidied = [box for box in map(tidy, boxes) if box]
    everything = [box for box in tidied if box.days == ALL_DAYS and box.weekdays == ALL_WEEKDAYS]
    return tuple(everything or tidied)
