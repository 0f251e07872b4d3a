"""The beginning of a run: its log, made by whichever step comes first."""

from __future__ import annotations

import contextlib
from datetime import datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import begin_text
from cncopctl.core.run import Run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.run_files import RunFiles, boot_mark
from cncopctl.verbs.run_output import RunOutput


def begin(layout: Layout, job: CompiledJob, now: datetime) -> tuple[Run, RunOutput]:
    """The run as an earlier step has begun it, or begun now; and its output."""
    files = RunFiles(layout.runs, run_id())
    document = files.read_run()
    if document.get("log"):
        run = Run.from_document(document)
        return run, RunOutput.resume(run.log, job.id, run.id)
    output = RunOutput.begin(layout.logs, job.id, run_id(), now)
    run = Run(id=run_id(), job=job.id, title=job.title, started=now, log=output.path)
    output.say(begin_text(run.id, job.id, job.title))
    with contextlib.suppress(OSError):  # what needs to be noted says so itself
        files.write_run(run.document())
        files.note_boot(boot_mark(layout.run))
        files.write_progress({"phase": "starting"})
    return run, output
