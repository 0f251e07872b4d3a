"""SCHEDULES: when tasks and jobs run next, and how they ended last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cncopctl.console.session import Session
from cncopctl.core.console import Request
from cncopctl.core.console_table import table
from cncopctl.core.layout import Scope
from cncopctl.core.spans import show_span
from cncopctl.verbs.overview import JobState, TaskState, job_states, task_states

_COLUMNS = ("NAME", "LAST RUN", "OUTCOME", "NEXT RUN", "IN")
_WIDE = 110


@dataclass(frozen=True, slots=True)
class _Row:
    """A task or a job; `outcome` is how its last run ended, `hindrance` what keeps its timer from starting it."""

    name: str
    title: str
    kind: str
    last_run: datetime | None
    outcome: str
    next_run: datetime | None
    hindrance: str = ""


def answer(session: Session, request: Request) -> bool:
    """Show tasks and jobs in the order of their next runs; those that have none come last."""
    now = datetime.now(UTC)
    rows = sorted(_rows(session), key=lambda row: (row.next_run is None, row.next_run or now, row.name))
    if request.as_json:
        session.say_json({"schedules": [_document(row, now) for row in rows]})
        return True
    if not rows:
        session.say("No jobs are installed. Write a profile, then run: cncopctl sync-profile")
        return True
    width = session.channel.width(ask=True)
    titles = width >= _WIDE
    columns = (*_COLUMNS, "TITLE") if titles else _COLUMNS
    cells = ((*_cells(row, now), row.title) if titles else _cells(row, now) for row in rows)
    session.channel.send_lines(
        table(columns, cells, width, ("NAME", "TITLE", "OUTCOME") if titles else ("NAME",))
    )
    return True


def _rows(session: Session) -> Iterator[_Row]:
    if session.layout.scope is Scope.DIRECTORY:
        yield from map(_job_row, job_states(session.layout, None))
        return
    with session.systemd() as systemd:
        yield from map(_task_row, task_states(systemd))
        yield from map(_job_row, job_states(session.layout, systemd))


def _job_row(state: JobState) -> _Row:
    run = state.last_run
    return _Row(
        name=state.job.id,
        title=state.job.title,
        kind="job",
        last_run=run.started if run else None,
        outcome="running" if state.progress else str(run.outcome) if run else "never ran",
        next_run=state.next_run,
        hindrance="stopped" if state.halt else "paused" if state.pause else "",
    )


def _task_row(state: TaskState) -> _Row:
    return _Row(state.name, state.description, "task", state.last_run, state.outcome, state.next_run)


def _cells(row: _Row, now: datetime) -> tuple[str, ...]:
    return row.name, _minute(row.last_run), row.outcome, _minute(row.next_run), _left(row, now)


def _minute(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else "-"


def _left(row: _Row, now: datetime) -> str:
    if row.hindrance:
        return row.hindrance
    if row.next_run is None:
        return "-"
    return show_span(row.next_run - now) if row.next_run > now else "now"


def _document(row: _Row, now: datetime) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "kind": row.kind,
        "last_run": row.last_run.isoformat() if row.last_run else None,
        "outcome": row.outcome,
        "next_run": row.next_run.isoformat() if row.next_run else None,
        "seconds_left": max(round((row.next_run - now).total_seconds()), 0) if row.next_run else None,
        "hindrance": row.hindrance,
    }
