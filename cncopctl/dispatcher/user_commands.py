"""The user's own commands before and after a run: programs under Bin/, outside the sandbox, with the run's facts."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.machine import command_refusal
from cncopctl.edges.run_files import RunFiles


def before(layout: Layout, job: CompiledJob) -> int:
    """Run the job's run-before command; its failure ends the run as ERROR."""
    name = job.values.get("run_before", "")
    status = _run(layout, job, name, {}) if name else 0
    if status:
        now = datetime.now(UTC)
        phrase = f"run_before: {name} ended with status {status}"
        failed = Run(run_id(), job.id, job.title, now, ended=now, outcome=Outcome.ERROR, phrase=phrase)
        RunFiles(layout.runs, run_id()).write_run(failed.document())
    return status


def after(layout: Layout, job: CompiledJob) -> int:
    """Run the job's run-after-success or run-after-failure command, whichever the run calls for."""
    run = RunFiles(layout.runs, run_id()).read_run()
    if run.get("outcome") == Outcome.SKIPPED or (
        not run and os.environ.get("SERVICE_RESULT") == "exec-condition"
    ):
        return 0
    key = "run_after_success" if run.get("outcome") == Outcome.OK else "run_after_failure"
    name = job.values.get(key, "")
    return _run(layout, job, name, run) if name else 0


def _run(layout: Layout, job: CompiledJob, name: str, run: dict[str, object]) -> int:
    """The command's exit status; what it prints goes to the journal. Its right to run is checked anew."""
    if reason := command_refusal(layout.commands, name):
        print(f"{job.id}: {layout.commands / name} may not be run: {reason}", file=sys.stderr)
        return 126
    facts = {
        "CNCOP_JOB": job.id,
        "CNCOP_TITLE": job.title,
        "CNCOP_RUN": run_id(),
        "CNCOP_OUTCOME": str(run.get("outcome", "")),
        "CNCOP_PHRASE": str(run.get("phrase", "")),
        "CNCOP_SNAPSHOT": str(run.get("snapshot", "")),
    }
    command = str(layout.commands / name)
    try:
        return subprocess.run(
            [command], stdin=subprocess.DEVNULL, cwd="/", env=os.environ | facts, check=False
        ).returncode
    except OSError as error:
        print(f"{job.id}: {command}: {error.strerror}", file=sys.stderr)
        return 127
