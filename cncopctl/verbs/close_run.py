"""The last word on a run: its history, its reports, its mail; then what it left is removed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import Level
from cncopctl.core.outcome import Outcome
from cncopctl.core.report import finished_report, report_name, statistics_report
from cncopctl.core.run import Run
from cncopctl.edges.history import History
from cncopctl.edges.run_files import RunFiles
from cncopctl.edges.spool import find_report, spool_report
from cncopctl.verbs.prune_logs import prune
from cncopctl.verbs.run_output import RunOutput, tell_end


def close_run(layout: Layout, job: CompiledJob, run: Run) -> bool:
    """Close a run that has ended; whether all of it could be written. Repeating it changes nothing.

    How the run has ended is noted first, so that a close that is killed and repeated says the same again, under
    the same names. What cannot be written keeps nothing else from being written, and the run open.
    """
    files = RunFiles(layout.runs, run.id)
    # Opened first: a log that cannot be written any more is to be in the report.
    with RunOutput.resume(run.log, job.id, run.id) as output:
        run, problems = _noted(layout, files, _as_reported(layout, _with_fault(run, output.fault)))
        told = ""
        for write in (_write_history, _write_reports):
            try:
                told += write(layout, job, run, files)
            except OSError as error:
                problems.append(f"{error.filename or layout.spool}: {error.strerror}")
        troubles = [*([told] if told else []), *(f"not closed: {problem}" for problem in problems)]
        say = _aside(job) if files.is_said() else partial(output.say, level=Level.ERROR)
        for trouble in troubles:
            say(trouble)
        _notify(layout, job, run, files, output)
        if not files.is_said():
            tell_end(output, run)
            if not output.fault:
                files.note_said()
    if not problems and not files.is_kept_for_next_boot():
        files.remove()
    if run.log and (done := prune(layout, job.days_of_logs)):
        print(f"{job.id}: {done}", file=sys.stderr)
    return not problems


def _aside(job: CompiledJob) -> Callable[[str], None]:
    """What speaks beside the log, whose last line shall stay the end of the run however often that is closed."""
    return lambda text: print(f"{job.id}: {text}", file=sys.stderr)


def _with_fault(run: Run, fault: str) -> Run:
    """The run with a warning of what is wrong with its log, unless it has that already."""
    return replace(run, warnings=(*run.warnings, fault)) if fault and fault not in run.warnings else run


def _as_reported(layout: Layout, run: Run) -> Run:
    """The run as it was reported by a close that could not note it: what was told once is not told otherwise."""
    path = find_report(layout.messages, report_name("JF", run.id, run.started))
    if path is None:
        return run
    try:
        return Run.from_document(json.loads(path.read_bytes())["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return run


def _noted(layout: Layout, files: RunFiles, run: Run) -> tuple[Run, list[str]]:
    """Note the end of `run`; where even that cannot be written, it probably is why the run has failed."""
    try:
        files.write_run(run.document(), durably=run.outcome is not Outcome.SKIPPED)
    except OSError as error:
        problem = f"{error.filename or layout.runs}: {error.strerror}"
        failed = run.outcome is Outcome.ERROR
        phrase = f"its state cannot be written: {problem} ({run.phrase})" if failed else run.phrase
        return replace(run, phrase=phrase), [problem]
    return run, []


def _write_history(layout: Layout, job: CompiledJob, run: Run, _files: RunFiles) -> str:
    return History(layout.history).add(run, job.days_of_history)


def _write_reports(layout: Layout, _job: CompiledJob, run: Run, files: RunFiles) -> str:
    if run.outcome is Outcome.SKIPPED:
        return ""
    for report in (statistics_report(run, files.read_result()), finished_report(run)):
        spool_report(layout.messages, report_name(report["kind"], run.id, run.started), report)
    return ""


def _notify(layout: Layout, job: CompiledJob, run: Run, files: RunFiles, output: RunOutput) -> None:
    """Queue the mail that the job asks for; a close that is repeated hardly ever sends another."""
    if job.notify and not files.is_told():
        from cncopctl.verbs.notifying import queue_notification  # few jobs need it

        if problem := queue_notification(layout, job, run, output.say):
            output.say(problem, Level.WARN)
        else:
            files.note_told()
