"""Showing how an agent comes on that somebody waits for: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from cncopctl.core.faults import printable
from cncopctl.core.run import Progress


@contextlib.contextmanager
def agent_progress(label: str, begins: str, *, as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What to call with each document of progress; `begins` is shown until there is one."""
    if as_json or not sys.stdout.isatty():
        yield lambda _document: None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    from cncopctl.cli.terminal import console

    text = TextColumn("{task.fields[phrase]}", markup=False)
    with Bars(SpinnerColumn(), BarColumn(bar_width=30), text, console=console(), transient=True) as bars:
        task = bars.add_task(label, total=None, phrase=begins)

        def show(document: dict[str, Any]) -> None:
            progress = Progress.from_document(document)
            fraction = progress.fraction()
            total = None if fraction is None else 1.0
            bars.update(task, total=total, completed=fraction or 0, phrase=printable(progress.sentence()))

        yield show
