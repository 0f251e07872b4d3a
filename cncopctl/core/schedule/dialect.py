"""Other programs' ways to write a schedule, and what to say when one of them turns up here."""

from __future__ import annotations

from enum import StrEnum


class Dialect(StrEnum):
    """How the fields of a string are ordered and its weekdays counted."""

    CRON = "cron"
    QUARTZ = "quartz"


def foreign_hint(words: list[str]) -> str:
    """Return what to write instead when the fields look like Quartz; empty when they do not."""
    from cncopctl.core.schedule.cron import read_cron
    from cncopctl.core.schedule.errors import ScheduleError

    if len(words) not in (6, 7):
        return ""
    try:
        read_cron(" ".join(words), dialect=Dialect.QUARTZ)
    except ScheduleError:
        return ""
    ours = " ".join((*words[1:5], named_weekdays(words[5]), words[0]))
    if len(words) == 7 and words[6] not in ("*", "?"):
        return f'this looks like Quartz, whose seconds come first: write {ours} and year = "{words[6]}"'
    return f"this looks like Quartz, whose seconds come first: write {ours}"


def named_weekdays(text: str) -> str:
    """Return a Quartz day-of-week field with its numbers, which count from Sunday as 1, turned to names."""
    from cncopctl.core.schedule.fields import WEEKDAYS

    named = []
    for part in text.split(","):
        base, slash, step = part.partition("/")
        base, sign, which = base.partition("#")
        ends = [WEEKDAYS[int(end) - 1] if end in tuple("1234567") else end for end in base.split("-")]
        if base[:-1] in tuple("1234567") and base[-1:] in "Ll":
            ends = [WEEKDAYS[int(base[0]) - 1] + "L"]
        named.append("-".join(ends) + sign + which + slash + step)
    return ",".join(named)
