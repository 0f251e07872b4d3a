"""The run itself: take the lock, run the agent, run it again while that may help, note how it ended."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import AGENT, Level, begin_text
from cncopctl.core.outcome import Outcome, counts, retry_wait
from cncopctl.core.run import Progress, Run
from cncopctl.dispatcher.gate import skip
from cncopctl.dispatcher.slot import hold_slot
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.lock import JobLock
from cncopctl.edges.notify import notify_status
from cncopctl.edges.run_files import RunFiles
from cncopctl.verbs.agent_process import AgentProcess, Stopped
from cncopctl.verbs.run_output import RunOutput

_EVERY = 0.5


def run(layout: Layout, job: CompiledJob) -> int:
    """Run the job and return 0 only if it ended OK; the close makes history of what is noted here."""
    signal.signal(signal.SIGTERM, _stop)
    now = datetime.now(UTC)
    with JobLock(layout.locks, job.id) as lock:
        if not lock.take(run_id(), now):
            skip(layout, job, f"another run of this job is under way: {lock.holder()}", now)
            return 0
        hold_slot(layout, job, now)
        with RunOutput.begin(layout.logs, job.id, run_id(), now) as output:
            begun = Run(id=run_id(), job=job.id, title=job.title, started=now, log=output.path)
            ended = _attempts(layout, job, begun, output, lock.descriptor)
        return 0 if ended.outcome is Outcome.OK else 1


def _stop(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _attempts(layout: Layout, job: CompiledJob, begun: Run, output: RunOutput, lock: int) -> Run:
    files = RunFiles(layout.runs, begun.id)
    run = begun
    output.say(begin_text(run.id, job.id, job.title))
    try:
        for attempt in range(1, job.max_retries + 2):
            run = replace(run, attempts=attempt)
            files.write_run(run.document())
            run = _attempt(layout, job, run, output, lock)
            if run.outcome is not Outcome.RERUN or attempt > job.max_retries:
                break
            _wait(job, run, output)
    except Stopped:
        run = replace(run, outcome=Outcome.ABORTED, phrase="was stopped before it was done", hint="")
    except OSError as error:
        run = replace(run, outcome=Outcome.ERROR, phrase=f"{error.filename or job.agent}: {error.strerror}")
    warnings = (*_blackout(job, begun.started), *([output.fault] if output.fault else []), *run.warnings)
    run = replace(run, ended=datetime.now(UTC), warnings=warnings)
    notify_status(f"{run.outcome}: {run.phrase}")
    files.write_run(run.document())
    return run


def _blackout(job: CompiledJob, started: datetime) -> list[str]:
    """A word on the blackout that the run began in, for whoever reads its report."""
    from cncopctl.dispatcher.hindrance import in_blackout

    inside = in_blackout(job, started)
    return [f"began {inside}"] if inside else []


def _attempt(layout: Layout, job: CompiledJob, run: Run, output: RunOutput, lock: int) -> Run:
    files = RunFiles(layout.runs, run.id)
    files.forget_result()
    request = {
        "contract": 1,
        "action": "backup",
        "run_id": run.id,
        "attempt": run.attempts,
        "dry_run": False,
        "cache_directory": str(layout.cache),
        "job": job.agent_values(),
    }
    agent = AgentProcess(Path(job.agent), request, files.result, keep_open=(lock,))
    status = agent.wait(output.voice(AGENT), _Teller(files))
    outcome = Outcome.of_agent(status)
    result = files.read_result()
    number_of_files, size = counts(result)
    return replace(
        run,
        outcome=outcome,
        phrase=_text(result, "phrase") or _without_result(status),
        hint=_text(result, "hint"),
        snapshot=_text(result, "snapshot"),
        files=number_of_files,
        bytes=size,
        warnings=_warnings(result),
    )


class _Teller:
    """Tells systemd, and whoever watches, how far the run has come; twice a second is enough."""

    def __init__(self, files: RunFiles) -> None:
        self._files = files
        self._told = -_EVERY

    def __call__(self, document: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            notify_status(Progress.from_document(document).sentence())
            self._files.write_progress(document)


def _text(result: dict[str, object], key: str) -> str:
    value = result.get(key)
    return value[:2000] if isinstance(value, str) else ""


def _warnings(result: dict[str, object]) -> tuple[str, ...]:
    warnings = result.get("warnings")
    return tuple(str(warning)[:1000] for warning in warnings[:100]) if isinstance(warnings, list) else ()


def _without_result(status: int) -> str:
    if status < 0:
        return f"the agent was killed by {signal.Signals(-status).name} and left no result"
    return f"the agent ended with status {status} and left no result: its log has more"


def _wait(job: CompiledJob, run: Run, output: RunOutput) -> None:
    import random  # few runs need it

    seconds = retry_wait(job.retry_interval, run.attempts, random.random())  # noqa: S311 - no secret
    text = f"{run.phrase}; retry {run.attempts} of {job.max_retries} in {seconds:.0f} s"
    output.say(f"RE-RUN: {text}", Level.WARN)
    notify_status(f"RE-RUN: {text}")
    time.sleep(seconds)
