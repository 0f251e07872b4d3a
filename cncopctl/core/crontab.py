"""Reading a crontab, as crontab(5) has it: comments, variables, and lines of a schedule and a command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# load_env() of cron: a name, quoted or not, an equals sign, a value; a schedule has no such sign there.
_VARIABLE = re.compile(r"""[ \t]*("[^"]*"|'[^']*'|[^\s="']+)[ \t]*=[ \t]*(.*)""")
_WORD = re.compile(r"[^ \t]+")
_FIELDS = 5
_ZONE = "CRON_TZ"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a crontab that says when: `zone` is what CRON_TZ= was there, None where there was none.

    `missing` names what the line lacks ("schedule", "user", "command"), empty where it is complete.
    """

    line: int
    schedule: str
    command: str = ""
    user: str | None = None
    zone: str | None = None
    warnings: tuple[str, ...] = ()
    missing: str = ""


def read_crontab(text: str, *, user_field: bool = False) -> Iterator[Entry]:
    """Yield the entries of a crontab in their order.

    With `user_field` each command has its user's name before it, as in /etc/crontab and /etc/cron.d.
    """
    zone: str | None = None
    warnings: tuple[str, ...] = ()
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        if match := _VARIABLE.fullmatch(line):
            name, value = _unquoted(match[1]), _unquoted(match[2].rstrip())
            if name == _ZONE:
                zone = value or None
            elif name == "TZ":
                warnings = (
                    f"TZ={value} is the command's clock only; CRON_TZ={value} would be the schedule's",
                )
            continue
        yield _entry(number, line, user_field, zone, warnings)
        warnings = ()  # said once, where it begins to matter


def _unquoted(text: str) -> str:
    """Return a name or value without the quotes that hold it together."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _entry(number: int, line: str, user_field: bool, zone: str | None, warnings: tuple[str, ...]) -> Entry:
    # A dash in front keeps a command out of the log (cronie, SUSE); it is no part of the minute.
    body = line.removeprefix("-").lstrip(" \t")
    schedule, rest = _split(body, _words_of_schedule(body))
    user: str | None = None
    if user_field:
        user, rest = _split(rest, 1)
    missing = "" if rest else "command"
    if user_field and not user:
        user, missing = None, "user"
    if len(_WORD.findall(schedule)) < _words_of_schedule(body):
        missing = "schedule"
    return Entry(number, schedule, rest, user, zone, warnings, missing)


def _words_of_schedule(line: str) -> int:
    """Return how many words at the beginning of a line say when."""
    if not line.startswith("@"):
        return _FIELDS
    return 2 if line.lower().startswith(("@every ", "@every\t")) else 1


def _split(text: str, count: int) -> tuple[str, str]:
    """Return the first `count` words of a text as they stand there, and what follows them."""
    words = list(_WORD.finditer(text))
    end = words[min(count, len(words)) - 1].end() if words else 0
    return text[:end], text[end:].lstrip(" \t")
