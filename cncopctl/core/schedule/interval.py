"""Intervals: `90 minutes`, `1h30m`, `continuous`, and how they are counted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from cncopctl.core.schedule.errors import ScheduleError

# The phase of an interval for which nobody has recorded a first run.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONTINUOUS = "continuous"
UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
WORDS = {
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)[ \t]*([A-Za-z\u00b5]*)[ \t]*")
LONGEST = (2199 - 1970 + 1) * 366 * 86_400


def read_interval(text: str, field: str = "") -> timedelta:
    """Return the length of an interval such as `2 weeks`, `1 day`, `90m` or `1h30m`, in whole seconds.

    Raises:
        ScheduleError: the text is no interval, or one that is not a whole number of seconds.
    """
    total = Fraction(0)
    position = len(text) - len(text.lstrip())
    stop = len(text.rstrip())
    if position == stop:
        raise ScheduleError("the interval is empty", "write 90 minutes", field=field, position=0)
    while position < stop:
        match = PART.match(text, position)
        if match is None:
            raise ScheduleError(
                f"{text[position:stop]!r} is no interval",
                "write 90 minutes or 1h30m",
                field=field,
                position=position,
            )
        total += Fraction(match[1]) * seconds_of(match, field)
        position = match.end()
    return whole(total, text, field)


def seconds_of(match: re.Match[str], field: str) -> int:
    """Return the length of one unit in seconds."""
    unit = WORDS.get(match[2].lower())
    if unit is None:
        what = f"the unit {match[2]!r} is not known" if match[2] else f"a unit must follow {match[1]}"
        hint = "write weeks, days, hours, minutes or seconds (w, d, h, m, s)"
        raise ScheduleError(what, hint, field=field, position=match.start(2))
    return UNITS[unit]


def whole(seconds: Fraction, text: str, field: str) -> timedelta:
    """Return the interval if systemd's calendar can say it: whole seconds, at least one of them."""
    if seconds < 1 or seconds.denominator != 1:
        hint = f"write {max(1, round(seconds))}s"
        raise ScheduleError(f"{text.strip()} is not a whole number of seconds", hint, field=field, position=0)
    if seconds > LONGEST:
        raise ScheduleError(f"{text.strip()} never comes round before 2200", "", field=field, position=0)
    return timedelta(seconds=int(seconds))
