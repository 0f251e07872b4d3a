"""A schedule as a sentence: when in the day, on which days, in which months, and within what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.lines import segments
from cncopctl.core.schedule.model import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_WEEKDAYS,
    ALL_WEEKS,
    ALL_YEARS,
    CalendarRule,
    Continuous,
    Dst,
    Interval,
    Moment,
    Schedule,
)
from cncopctl.core.schedule.rolling import EPOCH, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cncopctl.core.schedule.model import DayRule

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
ORDINALS = ("first", "second", "third", "fourth", "fifth")
TIMES_TOLD = 6
EVERY_DAY = "every day"


def sentence(schedule: Schedule) -> str:
    """Return the schedule as one sentence in plain English."""
    text = " ".join(part for part in (of_rule(schedule), bounds(schedule)) if part)
    return f"{text[0].upper()}{text[1:]}."


def of_rule(schedule: Schedule) -> str:
    """Return what the rule says, without its bounds."""
    rule = schedule.rule
    if isinstance(rule, CalendarRule):
        return of_calendar(rule) + clock(schedule)
    if isinstance(rule, Moment):
        at = rule.local or rule.instant
        return f"once, on {at:%Y-%m-%d at %H:%M:%S}" + (clock(schedule) if rule.local else " (UTC)")
    if isinstance(rule, Interval):
        since = (
            ""
            if rule.anchor in (EPOCH, schedule.start)
            else f", counted from {rule.anchor:%Y-%m-%d %H:%M:%S} UTC"
        )
        return f"every {spoken(int(rule.every.total_seconds())).removeprefix('1 ')}{since}"
    if isinstance(rule, Continuous):
        return "again as soon as the last run has ended"
    return "once after each boot"


def clock(schedule: Schedule) -> str:
    """Return whose clock counts."""
    skips = ", lost and repeated hours left out" if schedule.dst is Dst.SKIP and schedule.zone else ""
    return f" ({schedule.zone}{skips})" if schedule.zone else ""


def bounds(schedule: Schedule) -> str:
    """Return from when and until when it counts."""
    parts = []
    if schedule.start is not None:
        parts.append(f"from {schedule.start:%Y-%m-%d %H:%M:%S} UTC")
    if schedule.end is not None:
        parts.append(f"until {schedule.end:%Y-%m-%d %H:%M:%S} UTC")
    return " ".join(parts)


def of_calendar(rule: CalendarRule) -> str:
    """Return what a calendar rule says: times, days, months, weeks, years."""
    parts = [times(rule), days(rule.day)]
    if rule.week != ALL_WEEKS:
        parts.append(f"in ISO week {listed(rule.week)}")
    if rule.month != ALL_MONTHS:
        parts.append(f"in {listed(rule.month, lambda month: MONTHS[month])}")
    if rule.year != ALL_YEARS:
        parts.append(f"in {listed(rule.year)}")
    if parts[1] == EVERY_DAY and parts[0].startswith("every"):
        del parts[1]
    return " ".join(parts)


def times(rule: CalendarRule) -> str:
    """Return the times of day, as clock times where they are few."""
    if rule.hour.bit_count() * rule.minute.bit_count() * rule.second.bit_count() <= TIMES_TOLD:
        return "at " + enumerated(clock_times(rule))
    if rule.second == 1 and (step := step_of(rule.minute, 60)) and rule.hour == ALL_HOURS and step < 60:
        return "every minute" if step == 1 else f"every {step} minutes"
    if rule.second == 1 and rule.minute == 1 and (step := step_of(rule.hour, 24)):
        return "every hour" if step == 1 else f"every {step} hours"
    parts = [unit_phrase(rule.minute, ALL_MINUTES, "minute"), unit_phrase(rule.hour, ALL_HOURS, "hour")]
    if rule.second != 1:
        parts.insert(0, unit_phrase(rule.second, ALL_MINUTES, "second"))
    while len(parts) > 1 and parts[-2].startswith("every") and parts[-1].startswith("every"):
        parts.pop()
    return ("" if parts[0].startswith("every") else "at ") + " of ".join(parts)


def clock_times(rule: CalendarRule) -> list[str]:
    """Return the times as a clock shows them, seconds only where they matter."""
    return [
        f"{hour:02}:{minute:02}" + ("" if rule.second == 1 else f":{second:02}")
        for hour in values_of(rule.hour)
        for minute in values_of(rule.minute)
        for second in values_of(rule.second)
    ]


def step_of(mask: int, length: int) -> int:
    """Return n if a set is every n-th value from 0 through the whole of an hour or a day, else 0."""
    values = values_of(mask)
    step = length // len(values)
    return step if values == list(range(0, length, step)) and step * len(values) == length else 0


def unit_phrase(mask: int, everything: int, unit: str) -> str:
    """Return the values of a time field with their unit."""
    if mask == everything:
        return f"every {unit}"
    return f"{unit}{'s' * (mask.bit_count() > 1)} {listed(mask)}"


def days(rule: DayRule) -> str:
    """Return which days are meant by the two day fields."""
    number, weekday = by_number(rule), by_weekday(rule)
    if not number and not weekday:
        return EVERY_DAY
    if not number or not weekday:
        return EVERY_DAY if rule.either else f"on {number or weekday}"
    return f"on {number} and on {weekday}" if rule.either else f"on {weekday} that is {number}"


def by_number(rule: DayRule) -> str:
    """Return what the day-of-month field says, empty if it says every day."""
    if rule.days == ALL_DAYS:
        return ""
    parts = []
    if rule.days:
        parts.append(f"day {listed(rule.days)} of the month")
    parts += [before_last(back) for back in values_of(rule.from_end)]
    if rule.nearest:
        parts.append(f"the weekday nearest to day {listed(rule.nearest)}")
    if rule.last_weekday:
        parts.append("the last day of the month from Monday to Friday")
    return enumerated(parts)


def before_last(back: int) -> str:
    """Return the name of a day that counts from the month's end."""
    if back == 0:
        return "the last day of the month"
    return f"the day {back} day{'s' * (back > 1)} before the last of the month"


def by_weekday(rule: DayRule) -> str:
    """Return what the day-of-week field says, empty if it says every day."""
    if rule.weekdays == ALL_WEEKDAYS:
        return ""
    parts = [listed(rule.weekdays, lambda day: WEEKDAYS[day])] if rule.weekdays else []
    if len(values_of(rule.weekdays)) == 1:
        parts = [f"every {parts[0]}"]
    for which, name in enumerate(ORDINALS):
        of_month = rule.nth >> 7 * which & ALL_WEEKDAYS
        parts += [f"the {name} {WEEKDAYS[day]} of the month" for day in values_of(of_month)]
    parts += [f"the last {WEEKDAYS[day]} of the month" for day in values_of(rule.last)]
    return enumerated(parts)


def listed(mask: int, name: Callable[[int], str] = str) -> str:
    """Return values in words: "1, 2 and 5 to 9", "0 to 56 in steps of 7"."""
    parts = []
    for low, high, step in segments(mask):
        if low == high:
            parts.append(name(low))
        else:
            parts.append(f"{name(low)} to {name(high)}" + (f" in steps of {step}" if step > 1 else ""))
    return enumerated(parts)


def enumerated(parts: Iterable[str]) -> str:
    """Return the parts as a sentence lists them."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
