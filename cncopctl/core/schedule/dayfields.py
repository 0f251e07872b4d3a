"""Reading the two day fields: what they have beyond other fields, and how the two are joined.

day-of-month   L  L-n  nW  LW  WL        day-of-week   d#k  dL  Ld
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cncopctl.core.schedule.elements import Term, read_element, read_value, refusal, terms
from cncopctl.core.schedule.fields import DAY, QUARTZ_WEEKDAY
from cncopctl.core.schedule.model import DayRule

if TYPE_CHECKING:
    from cncopctl.core.schedule.fields import Field
    from cncopctl.core.schedule.seed import Seed

FROM_END = re.compile(r"L(?:-([0-9]+))?")
NEAREST = re.compile(r"([0-9]+)W")
NTH = re.compile(r"(\w+)#(.*)", re.ASCII)
LAST = re.compile(r"L(\w+)|(\w+)L", re.ASCII)


@dataclass(slots=True)
class Days:
    """What has been read of the day fields so far."""

    days: int = 0
    from_end: int = 0
    nearest: int = 0
    last_weekday: bool = False
    weekdays: int = 0
    nth: int = 0
    last: int = 0
    warnings: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def read_days(text: str, seed: Seed) -> Days:
    """Return what a day-of-month field means; the weekday parts stay empty.

    Raises:
        ScheduleError: `text` is no list of days; `position` counts from its first character.
    """
    found = Days()
    for term in terms(text, DAY):
        read_day(term, seed, found)
    return found


def read_day(term: Term, seed: Seed, found: Days) -> None:
    """Add one element of a day-of-month field to `found`."""
    if match := FROM_END.fullmatch(term.text):
        found.from_end |= 1 << days_before_last(match, term)
    elif match := NEAREST.fullmatch(term.text):
        found.nearest |= 1 << read_value(Term(match[1], term.position), DAY)
    elif term.text in ("LW", "WL"):
        found.last_weekday = True
    else:
        values = read_element(term, DAY, seed)
        found.days |= values.mask
        found.warnings += values.warnings


def days_before_last(match: re.Match[str], term: Term) -> int:
    """Return n of L-n, 0 for L alone."""
    digits = (match[1] or "").lstrip("0")
    if len(digits) > 2 or int(digits or "0") > 30:
        raise refusal(
            term.after(2), DAY, f"no month has a day {digits} days before its last", "write L-1 to L-30"
        )
    return int(digits or "0")


@lru_cache(maxsize=4096)
def read_weekdays(text: str, seed: Seed, field: Field) -> Days:
    """Return what a day-of-week field means; the parts of the day of month stay empty.

    Raises:
        ScheduleError: `text` is no list of weekdays; `position` counts from its first character.
    """
    found = Days()
    for term in terms(text, field):
        read_weekday(term, field, seed, found)
    return found


def read_weekday(term: Term, field: Field, seed: Seed, found: Days) -> None:
    """Add one element of a day-of-week field to `found`."""
    if match := NTH.fullmatch(term.text):
        found.nth |= field.mask([read_value(Term(match[1], term.position), field)]) << 7 * (
            which(term.after(len(match[1]) + 1), field) - 1
        )
        found.warnings += numbered_warning(match[1], term, field)
    elif match := LAST.fullmatch(term.text):
        value = match[1] or match[2]
        found.last |= field.mask([read_value(Term(value, term.position + (match[2] is None)), field)])
        found.warnings += numbered_warning(value, term, field)
    elif term.text == "L":
        raise refusal(term, field, "L alone names no weekday", "write the weekday before it, as in FRIL")
    else:
        values = read_element(term, field, seed)
        found.weekdays |= values.mask
        found.warnings += values.warnings


def which(term: Term, field: Field) -> int:
    """Return k of d#k."""
    if term.text.lstrip("0") not in ("1", "2", "3", "4", "5"):
        raise refusal(
            term, field, f"a month has no weekday number {term.text!r}", "write #1 to #5, or L for the last"
        )
    return int(term.text)


def numbered_warning(value: str, term: Term, field: Field) -> tuple[str, ...]:
    """Return a warning when a weekday is given by number where Quartz would count otherwise."""
    if field is QUARTZ_WEEKDAY or not value.isdigit():
        return ()
    return (f"{field.name}: {term.text} counts from Sunday as 0; Quartz counts from Sunday as 1",)


def is_unrestricted(text: str) -> bool:
    """Return cron's flag for a day field: does it begin with a star (or `?`)?"""
    return text[0] in "*?"


def join(days: Days, weekdays: Days, either: bool) -> DayRule:
    """Return the rule of the two day fields together."""
    return DayRule(
        days.days,
        days.from_end,
        days.nearest,
        days.last_weekday,
        weekdays.weekdays,
        weekdays.nth,
        weekdays.last,
        either,
    )


def and_warning(day_text: str, weekday_text: str) -> tuple[str, ...]:
    """Return a warning where a starred step is joined with the other day field by AND, not OR."""
    for starred, other in ((day_text, weekday_text), (weekday_text, day_text)):
        if starred.startswith("*/") and not is_unrestricted(other):
            return (f"the day must match both {starred} and {other}, since one begins with a star",)
    return ()
