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

from enum import Enum, auto


class Place(Enum):
    """Where in a unit file a value stands."""

    TEXT = auto()
    WORD = auto()
    ARGUMENT = auto()


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
    for position, character in enumerate(value, 1):
        if _is_unwritable(ord(character)):
            return f"character {position} is U+{ord(character):04X}, which cannot stand in a unit file"
    return ""


def _is_unwritable(code: int) -> bool:
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or code in (0x2028, 0x2029)
        or 0xD800 <= code < 0xE000
        or 0xFDD0 <= code < 0xFDF0
        or code & 0xFFFE == 0xFFFE
    )


def _guarded(text: str) -> str:
    head = "%i" if text.startswith(" ") else ""
    tail = "%i" if text.endswith((" ", "\\")) else ""
    return f"{head}{text}{tail}"


def _needs_quotes(value: str) -> bool:
    return not value or any(character in " \"'\\;#" for character in value)
