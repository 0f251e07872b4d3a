"""The close: the last word on every run, also on one whose dispatcher was killed or ran out of time."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome, ended_by_systemd
from cncopctl.core.report import finished_report, report_name
from cncopctl.core.run import Run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.history import History
from cncopctl.edges.run_files import RunFiles
from cncopctl.edges.spool import spool_report


def close(layout: Layout, job: CompiledJob) -> int:
    """Write the run's report and its history, then remove what it left; repeating it changes nothing."""
    files = RunFiles(layout.runs, run_id())
    run = _finished(files, job)
    if run is None:
        return 0
    if run.outcome is not Outcome.SKIPPED:
        name = report_name("JF", run.id, run.ended or run.started)
        spool_report(layout.messages, name, finished_report(run))
    History(layout.history).add(run)
    files.remove()
    print(f"{job.id}: {run.outcome}: {run.phrase}", file=sys.stderr)
    return 0


def _finished(files: RunFiles, job: CompiledJob) -> Run | None:
    """The run with its end; None where the gate had nothing to note."""
    document = files.read_run()
    skipped = os.environ.get("SERVICE_RESULT") == "exec-condition"
    if not document and skipped:
        return None
    now = datetime.now(UTC)
    try:
        run = Run.from_document(document)
    except (ValueError, KeyError, TypeError):
        run = Run(id=run_id(), job=job.id, title=job.title, started=now)
    if run.ended is not None and not _was_stopped_by_systemd(run):
        return run
    outcome, phrase = ended_by_systemd(os.environ, job.timeout)
    return replace(run, ended=now, outcome=outcome, phrase=phrase)


def _was_stopped_by_systemd(run: Run) -> bool:
    """The dispatcher only knows that it was told to stop; why, systemd knows better."""
    return run.outcome is Outcome.ABORTED and os.environ.get("SERVICE_RESULT") in (
        "timeout",
        "oom-kill",
        "watchdog",
    )
