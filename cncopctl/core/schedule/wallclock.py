"""Matching a calendar rule against wall-clock times, by asking of each day what the rule says of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from cncopctl.core.schedule.model import ALL_WEEKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cncopctl.core.schedule.model import CalendarRule, DayRule

DAY = timedelta(days=1)
END_OF_DAY = 86_399


def first_match(rule: CalendarRule, start: datetime, end: datetime) -> datetime | None:
    """Return the first local time in start..end (end excluded) that the rule means."""
    earliest = start.hour * 3600 + start.minute * 60 + start.second
    for day in days_between(rule, start.date(), end.date()):
        if day_matches(rule, day):
            floor = earliest if day == start.date() else 0
            for time in times_from(rule, floor):
                found = datetime(day.year, day.month, day.day) + timedelta(seconds=time)  # noqa: DTZ001
                return found if found < end else None
    return None


def last_match(rule: CalendarRule, start: datetime, end: datetime) -> datetime | None:
    """Return the last local time in start..end (end excluded) that the rule means."""
    last = end - timedelta(seconds=1)
    latest = last.hour * 3600 + last.minute * 60 + last.second
    for day in days_back(rule, last.date(), start.date()):
        if day_matches(rule, day):
            ceiling = latest if day == last.date() else END_OF_DAY
            for time in times_back(rule, ceiling):
                found = datetime(day.year, day.month, day.day) + timedelta(seconds=time)  # noqa: DTZ001
                return found if found >= start else None
    return None


def days_between(rule: CalendarRule, day: date, end: date) -> Iterator[date]:
    """Yield the days of the rule's months and years from `day` to `end`."""
    while day <= end:
        if rule.month >> day.month & rule.year >> day.year & 1:
            yield day
            day += DAY
        elif day.month == 12:
            day = date(day.year + 1, 1, 1)
        else:
            day = date(day.year, day.month + 1, 1)


def days_back(rule: CalendarRule, day: date, start: date) -> Iterator[date]:
    """Yield the days of the rule's months and years from `day` back to `start`."""
    while day >= start:
        if rule.month >> day.month & rule.year >> day.year & 1:
            yield day
            day -= DAY
        else:
            day = date(day.year, day.month, 1) - DAY


def day_matches(rule: CalendarRule, day: date) -> bool:
    """Return whether a day of one of the rule's months is meant."""
    if rule.week != ALL_WEEKS and not rule.week >> day.isocalendar().week & 1:
        return False
    number, weekday = number_matches(rule.day, day), weekday_matches(rule.day, day)
    return number or weekday if rule.day.either else number and weekday


def number_matches(rule: DayRule, day: date) -> bool:
    """Return what the day-of-month field says of a day."""
    if rule.days >> day.day & 1 or rule.from_end >> (last_of(day) - day).days & 1:
        return True
    if rule.last_weekday and day == nearest_weekday(last_of(day)):
        return True
    return any(
        rule.nearest >> number & 1 and day == nearest_weekday(day.replace(day=number))
        for number in range(1, last_of(day).day + 1)
        if rule.nearest and abs(number - day.day) < 3
    )


def nearest_weekday(day: date) -> date:
    """Return the day from Monday to Friday that is nearest to a day and in its month."""
    if day.weekday() == 5:
        return day - DAY if day.day > 1 else day + 2 * DAY
    if day.weekday() == 6:
        return day + DAY if day != last_of(day) else day - 2 * DAY
    return day


def weekday_matches(rule: DayRule, day: date) -> bool:
    """Return what the day-of-week field says of a day."""
    weekday = day.weekday()
    if rule.weekdays >> weekday & 1:
        return True
    which = (day.day + 6) // 7
    is_last = (day + 7 * DAY).month != day.month
    return bool(rule.nth >> 7 * (which - 1) + weekday & 1 or (is_last and rule.last >> weekday & 1))


def last_of(day: date) -> date:
    """Return the last day of the month."""
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return following - DAY


def times_from(rule: CalendarRule, floor: int) -> Iterator[int]:
    """Yield the rule's times of day from `floor` on, in seconds since midnight."""
    return (time for time in times(rule, range(24), range(60), range(60), floor, END_OF_DAY))


def times_back(rule: CalendarRule, ceiling: int) -> Iterator[int]:
    """Yield the rule's times of day from `ceiling` backward."""
    down = range(59, -1, -1)
    return (time for time in times(rule, range(23, -1, -1), down, down, 0, ceiling))


def times(
    rule: CalendarRule,
    hours: Iterable[int],
    minutes: Iterable[int],
    seconds: Iterable[int],
    floor: int,
    ceiling: int,
) -> Iterator[int]:
    """Yield the rule's times of day within floor..ceiling, in the order of the given ranges."""
    for hour in hours:
        if rule.hour >> hour & 1 and hour * 3600 <= ceiling and hour * 3600 + 3599 >= floor:
            for minute in minutes:
                start = hour * 3600 + minute * 60
                if rule.minute >> minute & 1 and start <= ceiling and start + 59 >= floor:
                    for second in seconds:
                        if rule.second >> second & 1 and floor <= start + second <= ceiling:
                            yield start + second
