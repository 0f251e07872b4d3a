"""Tables for a terminal of so many columns, where characters may be two columns wide or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from unicodedata import category, east_asian_width

from cncopctl.core.faults import printable

_GAP = "  "


def columns_of(text: str) -> int:
    """How many columns `text` takes (Unicode Standard Annex 11)."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """`text`, or as much of it as fits into `width` columns, with an ellipsis."""
    if columns_of(text) <= width:
        return text
    kept, room = "", max(width - 1, 0)
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept += character
    return f"{kept}…" if width > 0 else ""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], width: int, flexible: Sequence[str]
) -> Iterator[str]:
    """The lines of a table that is at most `width` columns wide, where that is possible at all.

    Only the `flexible` columns are cut, the last of them first, each down to the width of its heading.
    """
    cells = [[printable(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(columns_of(row[number]) for row in cells) for number in range(len(columns))]
    surplus = sum(widths) + len(_GAP) * (len(columns) - 1) - width
    for name in reversed(flexible):
        number = list(columns).index(name)
        taken = min(max(surplus, 0), max(widths[number] - max(columns_of(name), 8), 0))
        widths[number] -= taken
        surplus -= taken
    for row in cells:
        line = _GAP.join(_padded(cut(cell, wide), wide) for cell, wide in zip(row, widths, strict=True))
        yield cut(line.rstrip(), max(width, 20))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns_of(text))


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """`text` on lines of at most `width` columns, those after the first indented further by `indent`.

    A word that is longer than a line is left whole.
    """
    first = " " * (len(text) - len(text.lstrip(" ")))
    lines, line = [], first
    for word in printable(text.strip(" ")).split(" "):
        if line.strip() and columns_of(f"{line} {word}") > width:
            lines.append(line)
            line = first + indent + word
        else:
            line = f"{line} {word}" if line.strip() else line + word
    return [*lines, line]
