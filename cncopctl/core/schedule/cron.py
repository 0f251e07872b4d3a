"""Reading a cron string: five fields, or six with the second last.

minute hour day-of-month month day-of-week [second]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from cncopctl.core.schedule.dayfields import and_warning, is_unrestricted, join, read_days, read_weekdays
from cncopctl.core.schedule.dialect import Dialect, foreign_hint
from cncopctl.core.schedule.elements import read_values
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.fields import (
    HOUR,
    MINUTE,
    MONTH,
    QUARTZ_WEEKDAY,
    SECOND,
    WEEKDAY,
    YEAR,
    Field,
)
from cncopctl.core.schedule.model import ALL_YEARS, CalendarRule
from cncopctl.core.schedule.seed import NO_SEED

if TYPE_CHECKING:
    from cncopctl.core.schedule.seed import Seed

WORD = re.compile(r"[^ \t]+")
ORDER = ("minute", "hour", "day-of-month", "month", "day-of-week", "second")


class Reading(NamedTuple):
    """A rule and what there is to say about the text that it was read from."""

    rule: CalendarRule
    warnings: tuple[str, ...]


class Fields(NamedTuple):
    """The texts of a schedule's fields, in the order of cron."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str
    second: str = "0"
    year: str = "*"


def read_cron(text: str, seed: Seed | None = None, dialect: Dialect = Dialect.CRON) -> Reading:
    """Return the rule that a cron string of five or six fields means.

    Fields are separated by spaces and tabs. In the Quartz dialect the second comes first, weekdays count
    from Sunday as 1, and a seventh field is the year.

    Raises:
        ScheduleError: the text is no such string; `position` counts from the first character of `text`.
    """
    words = text.replace("\t", " ").split(" ")
    if "" in words:
        words = [word for word in words if word]
    fields = arrange(words, dialect, text)
    try:
        return read_fields(fields, seed or NO_SEED, QUARTZ_WEEKDAY if dialect is Dialect.QUARTZ else WEEKDAY)
    except ScheduleError as error:
        point_into(error, text, dialect)


def arrange(words: list[str], dialect: Dialect, text: str) -> Fields:
    """Return the fields in the order of cron; a wrong count is refused."""
    if dialect is Dialect.QUARTZ:
        if len(words) not in (6, 7):
            raise ScheduleError(
                f"a Quartz schedule has six or seven fields, not {len(words)}", "write 0 30 2 ? * MON-FRI"
            )
        second, minute, hour, day, month, weekday, *year = words
        return Fields(minute, hour, day, month, weekday, second, *year)
    if len(words) not in (5, 6):
        raise wrong_count(words, text)
    return Fields(*words)


def wrong_count(words: list[str], text: str) -> ScheduleError:
    """Return the refusal of a string that has too few or too many fields."""
    count = f"{len(words)} field{'s' * (len(words) != 1)}"
    message = f"a schedule has five or six fields, not {count}" if words else "the schedule is empty"
    hint = foreign_hint(words) or "write minute hour day-of-month month day-of-week, as in 30 2 * * MON-FRI"
    position = list(WORD.finditer(text))[6].start() if len(words) > 6 else len(text)
    return ScheduleError(message, hint, position=position)


def read_fields(fields: Fields, seed: Seed, weekday_field: Field = WEEKDAY) -> Reading:
    """Return the rule that the texts of all fields mean together.

    Raises:
        ScheduleError: one of them is not understood; `position` counts from that field's first character.
    """
    minute = read_values(fields.minute, MINUTE, seed)
    hour = read_values(fields.hour, HOUR, seed)
    days = read_days(fields.day, seed)
    month = read_values(fields.month, MONTH, seed)
    weekdays = read_weekdays(fields.weekday, seed, weekday_field)
    second = read_values(fields.second, SECOND, seed)
    either = not is_unrestricted(fields.day) and not is_unrestricted(fields.weekday)
    rule = CalendarRule(
        second.mask,
        minute.mask,
        hour.mask,
        month.mask,
        join(days, weekdays, either),
        is_starred(fields.minute) or is_starred(fields.hour),
        read_years(fields.year, seed),
    )
    warnings = minute.warnings + hour.warnings + days.warnings + month.warnings + weekdays.warnings
    return Reading(rule, warnings + second.warnings + and_warning(fields.day, fields.weekday))


def read_years(text: str, seed: Seed) -> int:
    """Return the years of a field that is nearly always absent."""
    return ALL_YEARS if text == "*" else read_values(text, YEAR, seed).mask


def is_starred(text: str) -> bool:
    """Return cron's flag for a time field; `H/n` is an even rhythm as much as `*/n` is."""
    return text[0] == "*" or text[:2].upper() == "H/"


def point_into(error: ScheduleError, text: str, dialect: Dialect) -> NoReturn:
    """Raise `error` with its position counted in the whole text, and a hint if the text looks foreign."""
    order = ORDER if dialect is Dialect.CRON else (ORDER[-1], *ORDER[:-1], "year")
    starts = [match.start() for match in WORD.finditer(text)]
    if error.field in order and error.position is not None:
        error.position += starts[order.index(error.field)]
    words = WORD.findall(text)
    if dialect is Dialect.CRON and (hint := foreign_hint(words)):
        error.hint = hint
    raise error
