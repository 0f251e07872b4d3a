"""How the run has ended that this process is a late step of: by its own word, or else by systemd's."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.outcome import Outcome, ended_by_systemd
from cncopctl.core.run import Run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.run_files import RunFiles


def ended_run(files: RunFiles, job: CompiledJob) -> Run | None:
    """The run with its end, for what ExecStopPost= starts; None where the gate had nothing to note."""
    document = files.read_run()
    if not document and os.environ.get("SERVICE_RESULT") == "exec-condition":
        return None
    now = datetime.now(UTC)
    try:
        run = Run.from_document(document)
    except (ValueError, KeyError, TypeError):
        run = Run(id=run_id(), job=job.id, title=job.title, started=now)
    if run.ended is not None and not _was_stopped_by_systemd(run):
        return run
    outcome, phrase = ended_by_systemd(os.environ, job.timeout)
    return replace(run, ended=run.ended or now, outcome=outcome, phrase=phrase)


def _was_stopped_by_systemd(run: Run) -> bool:
    """The dispatcher only knows that it was told to stop; why, systemd knows better."""
    return run.outcome is Outcome.ABORTED and os.environ.get("SERVICE_RESULT") in (
        "timeout",
        "oom-kill",
        "watchdog",
    )
