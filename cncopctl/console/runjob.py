"""RUNJOB: start jobs now, tell at once what became of each, and wait for their ends where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cncopctl.console.channel import InterruptError
from cncopctl.console.session import Session
from cncopctl.core.choice import choose_job, in_order
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.console import Request
from cncopctl.core.errors import SystemdError, UsageError
from cncopctl.core.naming import service_name
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Progress, Run
from cncopctl.core.spans import show_span
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.halts import read_halts
from cncopctl.edges.pauses import read_pauses
from cncopctl.edges.run_files import running
from cncopctl.edges.systemd import Systemd
from cncopctl.verbs.run_jobs import how_it_ended, units_at_work

# Seconds between two looks at the connection, and between two lines on how far a job has come.
_TICK, _NEWS = 0.2, 2.0


@dataclass(slots=True)
class _Started:
    """What became of each word and job: systemd's jobs by path, others with the reason."""

    paths: dict[bytes, CompiledJob] = field(default_factory=dict)
    at_work: list[CompiledJob] = field(default_factory=list)
    paused: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, SystemdError] = field(default_factory=dict)
    unknown: dict[str, UsageError] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What -j answers: ids of jobs by what became of each, with the reason where there is one."""
        return {
            "started": [job.id for job in self.paths.values()],
            "running": [job.id for job in self.at_work],
            "paused": self.paused,
            "left_out": self.left_out,
            "failed": {job: error.message for job, error in self.failed.items()},
            "unknown": {word: error.hint for word, error in self.unknown.items()},
        }


def answer(session: Session, request: Request) -> bool:
    """Start the jobs that the request names; those that are unknown do not keep the others from starting."""
    installed = read_compiled_jobs(session.layout.compiled_jobs)
    begun = _Started()
    if "a" in request.flags:
        if not installed:
            raise UsageError("no job is installed", "write a profile, then run: cncopctl sync-profile")
        halts = read_halts(session.layout.halts)
        begun.left_out = {job.id: halts[job.id].sentence() for job in installed if job.id in halts}
        jobs = in_order(job for job in installed if job.id not in halts)
    else:
        jobs = _named(request.words, installed, begun)
    runs: list[Run] = []
    with session.systemd() as systemd:
        at = datetime.now(UTC)
        _start(session, systemd, jobs, begun, force="f" in request.flags)
        session.note(request, _outcome(begun), "; ".join(_lines(begun)))
        if not request.as_json:
            for line in _lines(begun):
                session.say(line)
        if "w" in request.flags and begun.paths:
            runs = _wait(session, systemd, begun.paths, at, request)
    if request.as_json:
        waited = {"runs": [run.document() for run in runs]} if "w" in request.flags else {}
        session.say_json(begun.document() | waited)
    return True


def _named(words: Iterable[str], installed: Sequence[CompiledJob], begun: _Started) -> list[CompiledJob]:
    jobs: dict[str, CompiledJob] = {}
    for word in words:
        try:
            job = choose_job(word, installed)
        except UsageError as error:
            begun.unknown[word] = error
        else:
            jobs[job.id] = job
    return list(jobs.values())


def _start(
    session: Session, systemd: Systemd, jobs: Sequence[CompiledJob], begun: _Started, *, force: bool
) -> None:
    """Queue a start of each: what systemd does with them, and in which order slots are given, is not waited for.

    A job that runs already is not started: systemd would merge that start with the one under way.
    """
    pauses = {} if force else read_pauses(session.layout.pauses, datetime.now(UTC))
    at_work = units_at_work(systemd, [service_name(job.id) for job in jobs]) if jobs else frozenset()
    for job in jobs:
        if service_name(job.id) in at_work:
            begun.at_work.append(job)
        elif job.id in pauses:
            begun.paused[job.id] = pauses[job.id].sentence()
        else:
            try:
                begun.paths[systemd.start(service_name(job.id), wait=False)] = job
            except SystemdError as error:
                begun.failed[job.id] = error


def _outcome(begun: _Started) -> str:
    if begun.failed:
        return "failed"
    return "started" if begun.paths else "nothing to start"


def _lines(begun: _Started) -> Iterator[str]:
    if begun.paths:
        yield f"started: {', '.join(job.id for job in begun.paths.values())}"
    if begun.at_work:
        yield f"running already: {', '.join(job.id for job in begun.at_work)}"
    for job, sentence in begun.paused.items():
        yield f"{job}: {sentence}; RUNJOB -f {job} runs it all the same"
    for job, sentence in begun.left_out.items():
        yield f"{job} is left out: {sentence}"
    for job, error in begun.failed.items():
        yield f"{job}: could not be started: {error.message}"
    for fault in begun.unknown.values():
        yield f"{fault.message}; {_as_commands(fault.hint)}"


def _as_commands(hint: str) -> str:
    """What the console has in place of the commands of a shell."""
    return hint.replace("cncopctl jobs", "SCHEDULES").replace("cncopctl sync-profile", "GETPROFILE")


def _wait(
    session: Session, systemd: Systemd, paths: dict[bytes, CompiledJob], at: datetime, request: Request
) -> list[Run]:
    """The runs that have ended, in the order of their ends, until all have or the user interrupts."""
    runs = []
    news = _News(session, [job.id for job in paths.values()], quiet=request.as_json)
    try:
        for path, result in systemd.follow(list(paths), _TICK, news.tell):
            job = paths[path]
            systemd.wait_until_ended(service_name(job.id))
            run = how_it_ended(session.layout, job, at, result)
            news.over(job.id)
            runs.append(run)
            session.note(request, str(run.outcome), f"{job.id}: {run.phrase}")
            if not request.as_json:
                session.say(_end_line(run))
    except (InterruptError, KeyboardInterrupt):
        if not request.as_json:
            session.say("\nNot waited for any longer; the jobs go on. DETAILS shows them.")
    return runs


def _end_line(run: Run) -> str:
    took = (
        f" ({show_span(run.ended - run.started)})" if run.ended and run.outcome is not Outcome.SKIPPED else ""
    )
    hint = f"\n  hint: {run.hint}" if run.hint else ""
    return f"{run.job}: {run.outcome}: {run.phrase}{took}{hint}"


class _News:
    """Tells how far jobs have come, a line whenever there is something new, but not more than one in a while."""

    def __init__(self, session: Session, jobs: Sequence[str], *, quiet: bool) -> None:
        self._session, self._jobs, self._quiet = session, set(jobs), quiet
        self._told: dict[str, str] = {}
        self._next = 0.0

    def over(self, job_id: str) -> None:
        """The job has ended: nothing more is told of it."""
        self._jobs.discard(job_id)

    def tell(self) -> None:
        """Look at the connection, and tell what is new.

        Raises:
            InterruptError: the user does not want to wait any longer.
            GoneError: the user has left.
        """
        if not self._quiet and time.monotonic() >= self._next:
            self._next = time.monotonic() + _NEWS
            for job_id, (_run, progress) in running(self._session.layout.runs).items():
                sentence = Progress.from_document(progress).sentence()
                if job_id in self._jobs and sentence and sentence != self._told.get(job_id):
                    self._told[job_id] = sentence
                    self._session.say(f"{job_id}: {sentence}")
        self._session.channel.check()
