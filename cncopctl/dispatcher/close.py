"""The close: the last word on every run, also on one whose dispatcher was killed or ran out of time."""

from __future__ import annotations

import os
from dataclasses import replace

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.naming import service_name
from cncopctl.core.outcome import Outcome
from cncopctl.dispatcher.ending import ended_run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.aborts import take_abort
from cncopctl.edges.run_files import RunFiles
from cncopctl.verbs.close_run import close_run


def close(layout: Layout, job: CompiledJob) -> int:
    """Write the run's history and its reports, then remove what it left.

    Its status is not 0 where that could not be done, and where systemd takes a run for a success whose last user
    command has made it a failure: `systemctl --failed` is to show it.
    """
    run = ended_run(RunFiles(layout.runs, run_id()), job)
    if run is None:
        return 0
    who = take_abort(layout.aborts, job.id)
    if run.outcome is Outcome.ABORTED:
        if is_going_down := _is_going_down(layout):
            RunFiles(layout.runs, run.id).keep_for_next_boot()
        if run.phrase.startswith("was stopped"):
            by = who or _stopped_by(layout, job, is_going_down=is_going_down)
            run = replace(run, phrase=f"{run.phrase}, by {by}")
    is_closed = close_run(layout, job, run)
    is_hidden = os.environ.get("SERVICE_RESULT") == "success" and run.outcome is Outcome.ERROR
    return 1 if is_hidden or not is_closed else 0


def _is_going_down(layout: Layout) -> bool:
    """Whether the machine, or the user's manager, is stopping, and the run with it: nobody meant the run itself."""
    return _systemctl(layout, "is-system-running") == "stopping"


def _stopped_by(layout: Layout, job: CompiledJob, *, is_going_down: bool) -> str:
    """Who has stopped a run that nobody has aborted: systemd knows whether it was asked to."""
    if is_going_down:
        return "systemd, as the machine goes down"
    # A line for each job that is queued: its number, unit, type and state (systemctl(1)).
    queued = _systemctl(layout, "list-jobs", "--no-legend", "--plain", service_name(job.id)).split()
    return "systemd (systemctl stop)" if {"stop", "restart"} & set(queued) else "a signal from elsewhere"


def _systemctl(layout: Layout, *words: str) -> str:
    """What systemctl says; "" where it does not answer soon."""
    import subprocess  # few runs are ABORTED

    scope = ["--user"] if layout.scope is Scope.USER else []
    ask = ["systemctl", *scope, *words]
    try:
        done = subprocess.run(ask, capture_output=True, encoding="utf-8", check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
