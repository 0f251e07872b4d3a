"""Runs and their logs as people and programs read them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import click

from cncopctl.core.log_line import Level, LogLine, parse_end, visible
from cncopctl.core.spans import show_span
from cncopctl.verbs.past_logs import LoggedRun, lines_of

# What of a failed run's log is shown where not all of it is: its agent's last words.
_LAST_WORDS = 5
_MOST_TOLD = 100
_COLOURS = {Level.ERROR: "red", Level.WARN: "yellow"}


def took(run: LoggedRun) -> str:
    """How long it took; a clock that was set back meanwhile makes it no shorter than nothing."""
    return show_span(max(run.ended - run.began, timedelta())) if run.ended and run.began else "-"


def summary_row(run: LoggedRun) -> tuple[str, ...]:
    """A row of SUMMARY_COLUMNS."""
    began = f"{run.began.astimezone():%H:%M:%S}" if run.began else "-"
    return began, run.job or "?", took(run), run.run[:8] or "-", run.path.name, run.end_sentence()


SUMMARY_COLUMNS = ("BEGAN", "JOB", "TOOK", "RUN", "LOG", "OUTCOME")


def heading(run: LoggedRun) -> str:
    """The line above a run's log."""
    at = f"{run.began.astimezone():%a %Y-%m-%d %H:%M:%S}" if run.began else "?"
    span = f" ({took(run)})" if run.ended else ""
    return visible(f"== {run.job or '?'}, {at}: {run.end_sentence()}{span}  {run.path}")


def shown(line: LogLine | str, *, colour: bool) -> str:
    """A line as a terminal may have it."""
    text = visible(str(line))
    if colour and isinstance(line, LogLine) and line.level in _COLOURS:
        return click.style(text, fg=_COLOURS[line.level])
    return text


def whole_logs(runs: Iterable[LoggedRun], *, colour: bool) -> Iterator[str]:
    """The logs of runs, each under a heading."""
    for number, run in enumerate(runs):
        if number:
            yield ""
        yield click.style(heading(run), bold=True) if colour else heading(run)
        yield from (shown(line, colour=colour) for line in lines_of(run.path))


def reports(day: date, runs: list[LoggedRun], *, colour: bool) -> Iterator[str]:
    """What each run of a day did and how it ended: what it was warned of, and a failed one's last words."""
    count = f"{len(runs)} runs" if len(runs) != 1 else "1 run"
    yield f"{day:%A %Y-%m-%d}: {count}"
    for run in runs:
        yield ""
        yield click.style(heading(run), bold=True) if colour else heading(run)
        for line in _telling(run):
            yield f"   {shown(line, colour=colour)}"


def _telling(run: LoggedRun) -> list[LogLine]:
    """The lines of a log that tell more than that all went well, however long it is."""
    failed = run.outcome is None or run.outcome.is_failure()
    words = deque[tuple[int, LogLine]](maxlen=_LAST_WORDS if failed else 0)
    told = deque[tuple[int, LogLine]](maxlen=_MOST_TOLD)
    for number, line in enumerate(lines_of(run.path)):
        if isinstance(line, LogLine) and not parse_end(line):  # which is in the heading
            (words if line.level is Level.INFO else told).append((number, line))
    return [line for _, line in sorted([*words, *told], key=lambda each: each[0])]


def document(run: LoggedRun, *, with_lines: bool) -> dict[str, Any]:
    """A run and its log for programs."""
    found: dict[str, Any] = {
        "run": run.run,
        "job": run.job,
        "title": run.title,
        "began": run.began.isoformat() if run.began else None,
        "ended": run.ended.isoformat() if run.ended else None,
        "outcome": run.outcome,
        "phrase": run.phrase,
        "running": run.is_open,
        "log": str(run.path),
    }
    if with_lines:
        found["lines"] = [line_document(line) for line in lines_of(run.path)]
    return found


def line_document(line: LogLine | str) -> dict[str, Any]:
    """A line for programs; of one that is none of ours there is only the text."""
    if isinstance(line, str):
        return {"text": line}
    return {
        "at": line.at.isoformat(),
        "level": line.level.name.lower(),
        "source": line.source,
        "text": line.text,
    }
