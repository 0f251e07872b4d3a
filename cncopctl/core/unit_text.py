r"""Values as a unit file has to write them: the one place that knows systemd's quoting.

Three kinds of place exist (systemd.syntax(7), systemd.unit(5) "Specifiers", systemd.service(5) "Command lines";
each tried on 252 and 257):

- TEXT is the rest of a line (`Description=`): `%` begins a specifier, a backslash at the end of the line
  continues it, blanks at either end are cut off. `%i`, which is empty in a unit that is no instance, guards
  both ends.
- WORD is one of several in a line (`ReadWritePaths=`): also split at blanks, with quotes and backslashes.
- ARGUMENT is a word of a command line (`ExecStart=`), where `$` also begins a variable.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache

_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_UNWRITABLE = re.compile(f"[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")
_QUOTED = re.compile(r"[ \"'\\;#]")


class Place(Enum):
    """Where in a unit file a value stands."""

    TEXT = auto()
    WORD = auto()
    ARGUMENT = auto()


@lru_cache(maxsize=1024)  # most values of a unit are those of every unit
def quote(value: str, place: Place) -> str:
    """`value` so that systemd reads it back byte for byte.

    Raises:
        ValueError: no unit file can say it; `refusal` has the reason.
    """
    if reason := refusal(value):
        raise ValueError(reason)
    escaped = value.replace("%", "%%")
    if place is Place.TEXT:
        return _guarded(escaped)
    escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
    if place is Place.ARGUMENT:
        escaped = escaped.replace("$", "$$")
    return f'"{escaped}"' if _needs_quotes(value) else escaped


def refusal(value: str) -> str:
    """Why `value` cannot stand in a unit file: "" where it can.

    Control characters could begin a new directive or drive a terminal. systemd drops lines that are not
    valid UTF-8, among which it counts noncharacters (basic/utf8.c, unichar_is_valid).
    """
    found = _UNWRITABLE.search(value)
    if found is None:
        return ""
    return f"character {found.start() + 1} is U+{ord(found[0]):04X}, which cannot stand in a unit file"


def _guarded(text: str) -> str:
    head = "%i" if text.startswith(" ") else ""
    tail = "%i" if text.endswith((" ", "\\")) else ""
    return f"{head}{text}{tail}"


def _needs_quotes(value: str) -> bool:
    return not value or _QUOTED.search(value) is not None
