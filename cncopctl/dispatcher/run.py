"""The run itself: take the lock and a slot, perform the job's actions in order, note how it ended."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import UNDER_WAY, Outcome
from cncopctl.core.run import Run
from cncopctl.dispatcher.begin import begin
from cncopctl.dispatcher.gate import skip
from cncopctl.dispatcher.performer import Performer
from cncopctl.dispatcher.slot import hold_slot
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.lock import JobLock
from cncopctl.edges.notify import notify_status
from cncopctl.edges.run_files import RunFiles, unclosed
from cncopctl.verbs.agent_process import Stopped
from cncopctl.verbs.run_output import RunOutput


def run(layout: Layout, job: CompiledJob) -> int:
    """Run the job and return 0 only if it ended OK; the close makes history of what is noted here."""
    signal.signal(signal.SIGTERM, _stop)
    now = datetime.now(UTC)
    with JobLock(layout.locks, job.id) as lock:
        if not lock.take(run_id(), now):
            skip(layout, job, f"{UNDER_WAY}: {lock.holder()}", now)
            return 0
        _close_others(layout, job)
        hold_slot(layout, job, now)
        begun, output = begin(layout, job, now)
        with output:
            ended = _noted(layout, job, _performed(layout, job, begun, output, lock.descriptor), output)
        return 0 if ended.outcome is Outcome.OK else 1


def _close_others(layout: Layout, job: CompiledJob) -> None:
    """What an earlier run has left was not closed, as nobody could: this is the first who can."""
    if any(job_id == job.id and run != run_id() for run, job_id in unclosed(layout.runs).items()):
        from cncopctl.dispatcher.recover import close_others  # hardly ever

        close_others(layout, job, run_id())


def _stop(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _performed(layout: Layout, job: CompiledJob, begun: Run, output: RunOutput, lock: int) -> Run:
    """Perform the job's actions; the run as they leave it. From here on nobody can stop what is over."""
    try:
        if len(job.actions) == 1:
            return Performer(layout, job, job.actions[0], output, lock).perform(begun)
        return _actions(layout, job, begun, output, lock)
    except Stopped:  # between one thing and the next
        return replace(begun, outcome=Outcome.ABORTED, phrase="was stopped before it was done")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _actions(layout: Layout, job: CompiledJob, begun: Run, output: RunOutput, lock: int) -> Run:
    """Perform several actions in order, up to the first mandatory one that fails."""
    from cncopctl.core.run_of_actions import Ended, run_of_actions, told  # few jobs have several

    ended: list[Ended] = []
    for action in job.actions:
        at = time.monotonic()
        # Should all of us be killed, the run still tells of the actions before.
        so_far = replace(begun, actions=tuple(map(told, ended)))
        done = Performer(layout, job, action, output, lock).perform(so_far)
        ended.append(Ended(action, done, time.monotonic() - at))
        if done.outcome is Outcome.ABORTED or (action.mandatory and done.outcome is not Outcome.OK):
            break
    return run_of_actions(begun, ended, job.actions[len(ended) :])


def _noted(layout: Layout, job: CompiledJob, run: Run, output: RunOutput) -> Run:
    """Note how the run has ended, for its close."""
    fault = [output.fault] if output.fault else []
    warnings = (*_blackout(job, run.started), *fault, *run.warnings)
    run = replace(run, ended=datetime.now(UTC), warnings=warnings)
    notify_status(f"{run.outcome}: {run.phrase}")
    RunFiles(layout.runs, run.id).write_run(run.document())
    return run


def _blackout(job: CompiledJob, started: datetime) -> list[str]:
    """A word on the blackout that the run began in, for whoever reads its report."""
    from cncopctl.dispatcher.hindrance import in_blackout

    inside = in_blackout(job, started)
    return [f"began {inside}"] if inside else []
