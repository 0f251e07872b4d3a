"""runjob: start the services of jobs over D-Bus, and follow them to their ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from cncopctl.core.choice import select_jobs
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.naming import service_name
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Progress, Run
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.halts import read_halts
from cncopctl.edges.history import History
from cncopctl.edges.pauses import read_pauses
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import Systemd

_TICK = 0.2

_LOG = logging.getLogger(__name__)


class Display(Protocol):
    """What is told about jobs while they run."""

    def begins(self, job: CompiledJob) -> None:
        """The job's service has been started."""

    def comes_on(self, job_id: str, progress: Progress) -> None:
        """How far it has come."""

    def ends(self, job: CompiledJob, run: Run) -> None:
        """The run has ended."""


@dataclass(frozen=True, slots=True)
class _Started:
    job: CompiledJob
    at: datetime


def select_installed(
    layout: Layout, words: Sequence[str], *, alljobs: bool, kind: str | None
) -> tuple[list[CompiledJob], list[str]]:
    """The installed jobs that somebody wants to run, in their order, and a word on each that is left out.

    A job that was stopped runs only where it is named.

    Raises:
        UsageError: there is no such job, or not one way to choose is taken.
        InstallError: a compiled job cannot be read.
    """
    chosen = select_jobs(words, read_compiled_jobs(layout.compiled_jobs), alljobs=alljobs, kind=kind)
    halts = {} if words else read_halts(layout.halts)
    for job in chosen:
        _LOG.debug("chosen: %s (%s), %s %s", job.id, job.title, job.values["type"], job.values["direction"])
    left_out = [f"{job.id} is left out: {halts[job.id].sentence()}" for job in chosen if job.id in halts]
    return [job for job in chosen if job.id not in halts], left_out


def run_jobs(
    layout: Layout,
    systemd: Systemd,
    jobs: Sequence[CompiledJob],
    parallel: int,
    display: Display,
    *,
    force: bool = False,
) -> list[Run]:
    """Run `jobs` in their order, at most `parallel` at a time; their runs in the order of their ends.

    A job that is running already is not started again: `systemctl start` would wait for that run and report
    its end as ours. A job that is paused is only run with `force`.

    Raises:
        SystemdError: a service cannot be started.
    """
    started, runs = dict[bytes, _Started](), list[Run]()
    waiting = list(jobs) if force else _without_paused(layout, jobs, runs, display)
    while waiting or started:
        while waiting and len(started) < parallel:
            _start(layout, systemd, waiting.pop(0), started, runs, display)
        for path, result in systemd.follow(list(started), _TICK, _watcher(layout, display)):
            ended = started.pop(path)
            systemd.wait_until_ended(service_name(ended.job.id))
            run = how_it_ended(layout, ended.job, ended.at, result)
            _LOG.debug("%s: systemd says %s; run %s ended %s", run.job, result, run.id or "-", run.outcome)
            display.ends(_job(jobs, run), run)
            runs.append(run)
            break
    return runs


def _without_paused(
    layout: Layout, jobs: Iterable[CompiledJob], runs: list[Run], display: Display
) -> list[CompiledJob]:
    now = datetime.now(UTC)
    pauses = read_pauses(layout.pauses, now)
    for job in (job for job in jobs if job.id in pauses):
        phrase = f"{pauses[job.id].sentence()}; runjob --force runs it all the same"
        _skip(job, phrase, now, runs, display)
    return [job for job in jobs if job.id not in pauses]


def _skip(job: CompiledJob, phrase: str, now: datetime, runs: list[Run], display: Display) -> None:
    _LOG.debug("%s: not started: %s", job.id, phrase)
    skipped = Run("", job.id, job.title, now, ended=now, outcome=Outcome.SKIPPED, phrase=phrase)
    display.ends(job, skipped)
    runs.append(skipped)


def _start(
    layout: Layout,
    systemd: Systemd,
    job: CompiledJob,
    started: dict[bytes, _Started],
    runs: list[Run],
    display: Display,
) -> None:
    unit, now = service_name(job.id), datetime.now(UTC)
    if unit in units_at_work(systemd, [unit]):
        phrase = f"is running already; follow it with: cncopctl logs -f {job.id}"
        _skip(job, phrase, now, runs, display)
        return
    path = systemd.start(unit, wait=False)
    _LOG.debug("%s: started %s, %s", job.id, unit, path.decode())
    started[path] = _Started(job, now)
    display.begins(job)


def _watcher(layout: Layout, display: Display) -> Callable[[], None]:
    def watch() -> None:
        for job_id, (_run, progress) in running(layout.runs).items():
            display.comes_on(job_id, Progress.from_document(progress))

    return watch


def units_at_work(systemd: Systemd, units: Iterable[str]) -> frozenset[str]:
    """Those of `units` that run, or are on their way there or back: a start of theirs would start nothing.

    Raises:
        SystemdError: the manager does not answer.
    """
    loaded = systemd.units(units).values()
    return frozenset(unit.name for unit in loaded if unit.active_state not in ("inactive", "failed"))


def how_it_ended(layout: Layout, job: CompiledJob, started: datetime, result: str) -> Run:
    """What the run's close has put into the history; systemd's own word, `result`, where there is nothing."""
    outcome = Outcome.SKIPPED if result == "done" else Outcome.ERROR
    look = layout.typed(f"look at: journalctl -u {service_name(job.id)}")
    phrase, hint = f"systemd says: {result}; {look}", ""
    try:
        if run := History(layout.history).since(job.id, started):
            return run
    except InstallError as error:
        outcome, phrase, hint = Outcome.ERROR, f"how it ended is not known: {error.message}", error.hint
    now = datetime.now(UTC)
    return Run("", job.id, job.title, started, ended=now, outcome=outcome, phrase=phrase, hint=hint)


def _job(jobs: Sequence[CompiledJob], run: Run) -> CompiledJob:
    return next(job for job in jobs if job.id == run.job)
