"""DETAILS: what runs now, since when, how far it has come, when it will end, and what waits for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cncopctl.console.session import Session
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.console import Request
from cncopctl.core.console_table import wrapped
from cncopctl.core.layout import Scope
from cncopctl.core.naming import job_of
from cncopctl.core.run import Progress
from cncopctl.core.spans import show_span
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.history import History
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import LoadedUnit, Systemd

_CONSOLE = "cncop-console@"


@dataclass(frozen=True, slots=True)
class _Detail:
    """Something that runs or waits; `doing` is its own word on that, `end` is when it will probably be over."""

    name: str
    title: str
    kind: str
    state: str
    since: datetime | None
    attempt: int = 0
    attempts: int = 0
    doing: str = ""
    fraction: float | None = None
    end: datetime | None = None


def answer(session: Session, request: Request) -> bool:
    """Show all that runs now, the longest first."""
    now = datetime.now(UTC)
    details = sorted(_details(session), key=lambda detail: (detail.since or now, detail.name))
    if request.as_json:
        session.say_json({"details": [_document(detail) for detail in details]})
    elif not details:
        session.say("Nothing is running.")
    else:
        width = session.channel.width(ask=True)
        for detail in details:
            for line in _lines(detail, now):
                session.channel.send_lines(wrapped(line, width, "    "))
    return True


def _details(session: Session) -> Iterator[_Detail]:
    if session.layout.scope is Scope.DIRECTORY:
        return
    jobs = {job.id: job for job in read_compiled_jobs(session.layout.compiled_jobs)}
    runs = running(session.layout.runs)
    usual = History(session.layout.history).usual_durations()
    with session.systemd() as systemd:
        for unit in systemd.units(["cncop-*.service"]).values():
            if unit.active_state in ("inactive", "failed") or unit.name.startswith(_CONSOLE):
                continue
            job_id = job_of(unit.name)
            if not job_id:
                yield _task(systemd, unit)
                continue
            run, progress = runs.get(job_id, ({}, {}))
            yield _job(systemd, unit, jobs.get(job_id), run, progress, usual.get(job_id))


def _task(systemd: Systemd, unit: LoadedUnit) -> _Detail:
    name = unit.name.removeprefix("cncop-").removesuffix(".service")
    doing = systemd.status_text(unit)
    return _Detail(name, unit.description, "task", "running", systemd.left_rest(unit), doing=doing)


def _job(
    systemd: Systemd,
    unit: LoadedUnit,
    job: CompiledJob | None,
    run: Mapping[str, Any],
    progress: Mapping[str, Any],
    usual: timedelta | None,
) -> _Detail:
    """One job's service. What it says to systemd is newer than its progress where it waits to try again."""
    told = Progress.from_document(progress)
    said = systemd.status_text(unit)
    since = _since(run) or systemd.left_rest(unit)
    state = _state(unit, run, said or told.sentence())
    return _Detail(
        name=job_of(unit.name),
        title=job.title if job else unit.description,
        kind="job",
        state=state,
        since=since,
        attempt=int(run.get("attempts") or 0),
        attempts=job.max_retries + 1 if job else 0,
        doing=said or told.sentence(),
        fraction=told.fraction(),
        end=since + usual if since and usual and state == "running" else None,
    )


def _state(unit: LoadedUnit, run: Mapping[str, Any], doing: str) -> str:
    """A run has its first attempt once it has a slot; before that it says what it waits for, if anything."""
    if unit.active_state == "deactivating":
        return "ending"
    if run.get("attempts"):
        return "running"
    return "waiting" if doing.startswith("wait") else "starting"


def _since(run: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(run["started"]))
    except (KeyError, ValueError):
        return None


def _lines(detail: _Detail, now: datetime) -> Iterator[str]:
    since = f" since {detail.since.astimezone():%Y-%m-%d %H:%M:%S}" if detail.since else ""
    took = f" ({show_span(now - detail.since)})" if detail.since else ""
    attempt = f", attempt {detail.attempt} of {detail.attempts}" if detail.attempt and detail.attempts else ""
    yield f"{detail.name}: {detail.state}{since}{took}{attempt}"
    if detail.doing:
        yield f"    {detail.doing}"
    if detail.end:
        left = f"in about {show_span(detail.end - now)}" if detail.end > now else "longer than usual already"
        yield f"    expected end: {detail.end.astimezone():%Y-%m-%d %H:%M}, {left}"


def _document(detail: _Detail) -> dict[str, Any]:
    return {
        "name": detail.name,
        "title": detail.title,
        "kind": detail.kind,
        "state": detail.state,
        "since": detail.since.isoformat() if detail.since else None,
        "attempt": detail.attempt,
        "attempts": detail.attempts,
        "doing": detail.doing,
        "fraction": detail.fraction,
        "expected_end": detail.end.isoformat() if detail.end else None,
    }
