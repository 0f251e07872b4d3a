"""What people see: tables and progress, by rich; `NO_COLOR` is honoured by it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from cncopctl.core.faults import printable
from cncopctl.core.outcome import Outcome
from cncopctl.core.spans import show_span

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NARROWEST = 12
_GAP = 2
_STYLES = {
    Outcome.OK: "green",
    Outcome.ERROR: "bold red",
    Outcome.RERUN: "bold red",
    Outcome.ABORTED: "red",
    Outcome.SKIPPED: "yellow",
}


def drop_output() -> None:
    """Lead stdout to nowhere: Python would complain again while it writes out the rest at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(text: str) -> None:
    """Tell what keeps nothing from being done, but should be looked at."""
    click.echo(f"warning: {printable(text)}", err=True)


def console(least: int = 0) -> Console:
    """A console for stdout; where that is no terminal, lines are as long as they have to be.

    On a terminal that is narrower than `least` columns, lines are of that length, and the terminal breaks them: rich
    would leave columns out, and say nothing.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else 10_000
    made = Console(width=width, highlight=False, emoji=False, markup=False, soft_wrap=False)
    if made.width < least:
        made.width = least
    return made


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    flexible: Sequence[str] = (),
) -> None:
    """Print `rows` under `columns`, aligned.

    Those of `right` stand at the right edge of their columns; only the `flexible` ones are cut where the
    terminal is too narrow.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for number, column in enumerate(columns):
        width = max(len(column), *(cell_len(row[number]) for row in cells)) if cells else 0
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column not in flexible,  # rich narrows only what might wrap
            min_width=min(width, _NARROWEST) if column in flexible else width,
        )
    for row in cells:
        table.add_row(*(Text(cell, style=_style(cell), no_wrap=True, overflow="ellipsis") for cell in row))
    least = sum((column.min_width or 0) + _GAP for column in table.columns)
    for line in _lines(table, least):
        click.echo(line.rstrip())


def _lines(table: object, least: int) -> list[str]:
    """rich pads every line to the full width, which looks bad in a file and breaks on a narrower terminal."""
    shown = console(least)
    with shown.capture() as capture:
        shown.print(table)
    return capture.get().splitlines()


def styled(line: str) -> Text:
    """A line such as `web-01: OK: …`, with its outcome in colour."""
    from rich.text import Text

    text = Text(line)
    for outcome, style in _STYLES.items():
        text.highlight_regex(rf"(?<=: ){outcome}(?=:)", style)
    return text


def _style(cell: str) -> str:
    word = cell.partition(" ")[0].rstrip(":,")
    return _STYLES[Outcome(word)] if word in set(Outcome) else ""


def show_time(at: datetime | None) -> str:
    """An instant in local time, to the second: `Mon 2026-03-02 02:30:00`."""
    return f"{at.astimezone():%a %Y-%m-%d %H:%M:%S}" if at else "-"


def show_minute(at: datetime | None) -> str:
    """An instant in local time, to the minute: `Mon 2026-03-02 02:30`."""
    return f"{at.astimezone():%a %Y-%m-%d %H:%M}" if at else "-"


def show_left(at: datetime | None, now: datetime | None = None) -> str:
    """How long it is until `at`, or since."""
    if at is None:
        return "-"
    span = at - (now or datetime.now(UTC))
    return f"in {show_span(span)}" if span >= timedelta() else f"{show_span(-span)} ago"
