"""A forecast as a heat map of text: a line for each day, two characters for each hour."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cncopctl.cli.shades import Shades
from cncopctl.core.forecast import HourlyLoad
from cncopctl.core.spans import show_span

if TYPE_CHECKING:
    from rich.text import Text

BLOCKS = ("· ", "░░", "▒▒", "▓▓", "██")
PLAIN = (". ", "--", "++", "**", "##")
_STYLES = ("dim", "green", "yellow", "dark_orange", "red")


def heat_map(load: HourlyLoad, *, by: str, marks: tuple[str, ...] | None = None) -> Text:
    """The map with its scale above, the sums of each day beside and its legend below.

    Colour only repeats what the characters say.
    """
    from rich.text import Text

    marks = marks or _marks(sys.stdout.encoding)
    shades = Shades(load.hours.values(), by=by)
    scale = "".join(f"{hour:02}".ljust(6) for hour in range(0, 24, 3))
    text = Text(f"{'':16}{scale}  RUNS  TIME\n", style="bold")
    text = Text().append_text(text)
    for day in load.days:
        total = load.of_day(day)
        text.append(f"{day:%a %Y-%m-%d}  ")
        for hour in range(24):
            shade = shades.of(load.hours.get((day, hour)))
            text.append(marks[shade], _STYLES[shade])
        text.append(f"{total.starts:6}  {show_span(total.busy) if total.busy else '-'}\n")
    text.append("an hour's runs: " if by == "runs" else "an hour's time: ")
    for shade, words in enumerate(shades.legend()):
        text.append(marks[shade], _STYLES[shade])
        text.append(f" {words}   ")
    text.rstrip()
    return text


def _marks(encoding: str) -> tuple[str, ...]:
    """Blocks, where the terminal can show them."""
    try:
        "".join(BLOCKS).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BLOCKS
