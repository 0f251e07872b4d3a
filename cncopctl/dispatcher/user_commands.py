"""The user's own commands before and after a run: programs under Bin/, outside the sandbox, with the run's facts."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import Level
from cncopctl.core.outcome import Outcome, signal_name
from cncopctl.core.report import EXCEPTION_BYTES, exception_report, report_name
from cncopctl.core.run import Run
from cncopctl.core.spans import show_span
from cncopctl.dispatcher.begin import begin
from cncopctl.dispatcher.ending import ended_run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.machine import command_refusal
from cncopctl.edges.notify import notify_status
from cncopctl.edges.run_files import RunFiles
from cncopctl.edges.spool import spool_report
from cncopctl.verbs.agent_process import Stopped
from cncopctl.verbs.listening import Hear
from cncopctl.verbs.run_output import RunOutput
from cncopctl.verbs.user_command import TooLongError, run_user_command

# What the shell says of a command that may not be run, or cannot be started (POSIX, section 2.8.2).
_NOT_ALLOWED, _NOT_STARTED = 126, 127
# What timeout(1) says of one that took too long.
_TOO_LONG = 124


def before(layout: Layout, job: CompiledJob) -> int:
    """Run the job's run-before command; its failure ends the run as ERROR, and is reported as an exception."""
    signal.signal(signal.SIGTERM, _stop)
    run, output = begin(layout, job, datetime.now(UTC))
    with output:
        command = _UserCommand(layout, job, "run_before", output)
        try:
            status, how = command.run(run)
        except Stopped:
            aborted = replace(run, outcome=Outcome.ABORTED, phrase="was stopped during run_before")
            _note_end(layout, aborted)
            return 1
        if status:
            _note_end(
                layout, replace(run, outcome=Outcome.ERROR, phrase=f"run_before: {how}", hint=command.hint())
            )
            _report(layout, run, command, status, output)
    return 1 if status else 0


def after(layout: Layout, job: CompiledJob) -> int:
    """Run the job's run-after-success or run-after-failure command, whichever the run calls for.

    A success whose command fails is none: that may be what unmounts, or starts a database again.
    """
    signal.signal(signal.SIGTERM, _stop)
    run = ended_run(RunFiles(layout.runs, run_id()), job)
    if run is None or run.outcome is Outcome.SKIPPED:
        return 0
    key = "run_after_success" if run.outcome is Outcome.OK else "run_after_failure"
    with RunOutput.resume(run.log, job.id, run.id) as output:
        command = _UserCommand(layout, job, key, output)
        try:
            status, how = command.run(run)
        except Stopped:
            status, how = 1, f"{command.name} was stopped"
    if status and run.outcome is Outcome.OK:
        phrase = f"{key}: {how}; the backup itself is complete: {run.phrase}"
        run = replace(run, outcome=Outcome.ERROR, phrase=phrase, hint=command.hint())
    elif status:
        run = replace(run, warnings=(*run.warnings, f"{key}: {how}"))
    _note_end(layout, run)
    return 1 if status else 0


def _stop(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _note_end(layout: Layout, run: Run) -> None:
    ended = run if run.ended else replace(run, ended=datetime.now(UTC))
    RunFiles(layout.runs, run.id).write_run(ended.document())


class _UserCommand:
    """One of a job's commands, and the beginning of what it writes to stderr."""

    def __init__(self, layout: Layout, job: CompiledJob, key: str, output: RunOutput) -> None:
        self._layout = layout
        self._job = job
        self._key = key
        self._output = output
        self.name = str(job.values.get(key, ""))
        self.stderr = b""

    def run(self, run: Run) -> tuple[int, str]:
        """Run it, if there is one; its exit status, and how it ended in words. Its right to run is checked anew."""
        if not self.name:
            return 0, ""
        if reason := command_refusal(self._layout.commands, self.name):
            return _NOT_ALLOWED, f"{self.name} may not be run: {reason}"
        notify_status(f"{self._key}: {self.name}")
        self._output.say(f"{self._key}: {self.name} begins")
        seconds = int(self._job.values.get("command_timeout", 3600))
        voice = self._output.voice(self._key)
        try:
            status = run_user_command(
                self._layout.commands / self.name,
                self._environment(run),
                seconds,
                voice,
                self._hear(self._output.voice(self._key)),
            )
        except TooLongError:
            return _TOO_LONG, f"{self.name} took longer than {show_span(timedelta(seconds=seconds))}"
        except OSError as error:
            return _NOT_STARTED, f"{self.name} cannot be started: {error.strerror}"
        return status, f"{self.name} {_how(status)}"

    def hint(self) -> str:
        """Where to look."""
        return "what it said is in the log of the run"

    def _hear(self, voice: Hear) -> Hear:
        def hear(data: bytes) -> None:
            # One byte more than is told, so that the report knows that there was more.
            self.stderr += data[: EXCEPTION_BYTES + 1 - len(self.stderr)]
            voice(data)

        return hear

    def _environment(self, run: Run) -> dict[str, str]:
        values = self._job.values
        facts = {
            "STEP": self._key,
            "JOB": self._job.id,
            "TITLE": self._job.title,
            "TYPE": values["type"],
            "DIRECTION": values["direction"],
            "SOURCE": values["source"],
            "DESTINATION": values["destination"],
            "RUN": run.id,
            "LOG": run.log,
            "OUTCOME": run.outcome or "",
            "PHRASE": run.phrase,
            "ATTEMPTS": run.attempts,
            "SNAPSHOT": run.snapshot,
            "FILES": run.files,
            "BYTES": run.bytes,
        }
        # systemd's channel is for the run's status, not for what a command may say there.
        inherited = {key: value for key, value in os.environ.items() if key not in _OURS}
        return inherited | {f"CNCOP_{key}": printable(str(value)) for key, value in facts.items()}


_OURS = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID")


def _how(status: int) -> str:
    return f"was killed by {signal_name(-status)}" if status < 0 else f"ended with status {status}"


def _report(layout: Layout, run: Run, command: _UserCommand, status: int, output: RunOutput) -> None:
    report = exception_report(run, command.name, status, command.stderr)
    try:
        spool_report(layout.messages, report_name("JE", run.id, run.started), report)
    except OSError as error:
        output.say(f"the exception cannot be reported: {error.filename}: {error.strerror}", Level.ERROR)
