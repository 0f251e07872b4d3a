"""The cron-like fields of a table, with the meaning that they have in APScheduler, where they come from.

All given fields must match. One that is not given is `*` if it is coarser than the finest one given, and
its lowest value if finer; week and day_of_week, which cut across the months, are `*` then too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cncopctl.core.schedule.cron import Reading, is_starred
from cncopctl.core.schedule.dayfields import Days, join, read_days, read_weekdays
from cncopctl.core.schedule.elements import read_values
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.fields import HOUR, MINUTE, MONTH, SECOND, TABLE_WEEKDAY, WEEK, YEAR
from cncopctl.core.schedule.model import ALL_DAYS, CalendarRule

if TYPE_CHECKING:
    from cncopctl.core.schedule.seed import Seed

# From the coarsest to the finest, with what stands for a field that is finer than all given ones.
LOWEST = {
    "year": "*",
    "month": "1",
    "day": "1",
    "week": "*",
    "day_of_week": "*",
    "hour": "0",
    "minute": "0",
    "second": "0",
}
FIELDS = tuple(LOWEST)

NAME = "(?:MON|TUE|WED|THU|FRI|SAT|SUN)"
WEEKDAY_LIST = re.compile(rf"{NAME}(?:-{NAME})?(?:,{NAME}(?:-{NAME})?)*", re.IGNORECASE)
ORDINAL = re.compile(rf"(1ST|2ND|3RD|4TH|5TH|LAST) +({NAME})", re.IGNORECASE)


def read_table_fields(given: dict[str, str], seed: Seed) -> Reading:
    """Return the rule of the fields that are given, by name.

    Raises:
        ScheduleError: one of them is not understood.
    """
    given = {name: re.sub(r"[ \t]*,[ \t]*", ",", text.strip()) for name, text in given.items()}
    warnings: tuple[str, ...] = ()
    if "day" in given and WEEKDAY_LIST.fullmatch(given["day"]):
        given, warnings = weekdays_in_day(given)
    texts = completed(given)
    reading = read_texts(texts, seed)
    return Reading(reading.rule, warnings + reading.warnings)


def weekdays_in_day(given: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the fields with weekday names moved from day, where documents show them, to day_of_week."""
    if "day_of_week" in given:
        raise ScheduleError(
            "day: weekdays are given here and in day_of_week", "remove one of them", field="day", position=0
        )
    moved = {name: text for name, text in given.items() if name != "day"}
    warning = f"day: {given['day']} are weekdays and belong into day_of_week; they are read so"
    return moved | {"day_of_week": given["day"]}, (warning,)


def completed(given: dict[str, str]) -> dict[str, str]:
    """Return all fields: those given, and what stands for the others."""
    finest = max(FIELDS.index(name) for name in given)
    return {
        name: given.get(name, "*" if place < finest else LOWEST[name]) for place, name in enumerate(FIELDS)
    }


def read_texts(texts: dict[str, str], seed: Seed) -> Reading:
    """Return the rule of the texts of all fields."""
    second = read_values(texts["second"], SECOND, seed)
    minute = read_values(texts["minute"], MINUTE, seed)
    hour = read_values(texts["hour"], HOUR, seed)
    month = read_values(texts["month"], MONTH, seed)
    year = read_values(texts["year"], YEAR, seed)
    week = read_values(texts["week"], WEEK, seed)
    if year.warnings:
        raise ScheduleError(
            f"year: {texts['year']} runs backwards", "write the earlier year first", field="year"
        )
    days, weekdays = read_both_days(texts["day"], texts["day_of_week"], seed)
    rule = CalendarRule(
        second.mask,
        minute.mask,
        hour.mask,
        month.mask,
        join(days, weekdays, either=False),
        is_starred(texts["minute"]) or is_starred(texts["hour"]),
        year.mask,
        week.mask,
    )
    return Reading(rule, ())


def read_both_days(day_text: str, weekday_text: str, seed: Seed) -> tuple[Days, Days]:
    """Return what the two day fields mean; `last`, `2nd fri` and `last fri` may stand in day."""
    ordinals = [ORDINAL.fullmatch(part) for part in day_text.split(",")]
    if not any(ordinals):
        days = read_days(re.sub(r"(?i)\blast\b", "L", day_text), seed)
        return days, read_weekdays(weekday_text, seed, TABLE_WEEKDAY)
    if weekday_text != "*" or not all(ordinals):
        hint = "write it as a schedule of its own"
        raise ScheduleError(f"day: {day_text} cannot be joined with others", hint, field="day", position=0)
    parts = (
        f"{match[2]}L" if match[1].upper() == "LAST" else f"{match[2]}#{match[1][0]}"
        for match in ordinals
        if match
    )
    return Days(days=ALL_DAYS), read_weekdays(",".join(parts), seed, TABLE_WEEKDAY)
