"""One action of a run: its agent, again while that may help."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cncopctl.core.compiled import CompiledAction, CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import AGENT, Level
from cncopctl.core.outcome import Outcome, counts, retry_wait, signal_name
from cncopctl.core.run import Progress, Run
from cncopctl.edges.notify import notify_status
from cncopctl.edges.run_files import RunFiles
from cncopctl.verbs.agent_process import AgentProcess, Stopped
from cncopctl.verbs.run_output import RunOutput

_EVERY = 0.5


class Performer:
    """Performs one action of a job; `lock` is the descriptor that its agent inherits."""

    def __init__(
        self, layout: Layout, job: CompiledJob, action: CompiledAction, output: RunOutput, lock: int
    ) -> None:
        self._layout = layout
        self._action = action
        self._output = output
        self._lock = lock
        self._prefix = f"{action.name}: " if len(job.actions) > 1 else ""

    def perform(self, run: Run) -> Run:
        """Run the agent until it ends otherwise than RE-RUN, or retries are exhausted; `run` with that end."""
        files = RunFiles(self._layout.runs, run.id)
        if self._prefix:
            self._output.say(f"action {self._action.name} begins")
        try:
            for attempt in range(1, self._action.max_retries + 2):
                run = replace(run, attempts=attempt)
                files.write_run(run.document())
                run = self._attempt(run, files)
                if run.outcome is not Outcome.RERUN or attempt > self._action.max_retries:
                    break
                self._wait(run)
        except Stopped:
            run = replace(run, outcome=Outcome.ABORTED, phrase="was stopped before it was done", hint="")
        except OSError as error:
            phrase = f"{error.filename or self._action.agent}: {error.strerror}"
            run = replace(run, outcome=Outcome.ERROR, phrase=phrase)
        return run

    def _attempt(self, run: Run, files: RunFiles) -> Run:
        files.forget_result()
        request = {
            "contract": 1,
            "action": self._action.action,
            "run_id": run.id,
            "attempt": run.attempts,
            "dry_run": False,
            "cache_directory": str(self._layout.cache),
            "job": dict(self._action.values),
            **self._action.details,
        }
        agent = AgentProcess(Path(self._action.agent), request, files.result, keep_open=(self._lock,))
        status = agent.wait(self._output.voice(AGENT), _Teller(files, self._prefix))
        result = files.read_result()
        number_of_files, size = counts(result)
        return replace(
            run,
            outcome=Outcome.of_agent(status),
            phrase=_text(result, "phrase") or _without_result(status, files.obstacle()),
            hint=_text(result, "hint"),
            snapshot=_text(result, "snapshot"),
            files=number_of_files,
            bytes=size,
            warnings=_warnings(result),
        )

    def _wait(self, run: Run) -> None:
        import random  # few runs need it

        seconds = retry_wait(self._action.retry_interval, run.attempts, random.random())  # noqa: S311 - no secret
        retry = f"retry {run.attempts} of {self._action.max_retries} in {seconds:.0f} s"
        text = f"{self._prefix}{run.phrase}; {retry}"
        self._output.say(f"RE-RUN: {text}", Level.WARN)
        notify_status(f"RE-RUN: {text}")
        time.sleep(seconds)


class _Teller:
    """Tells systemd, and whoever watches, how far the run has come; twice a second is enough."""

    def __init__(self, files: RunFiles, prefix: str) -> None:
        self._files = files
        self._prefix = prefix
        self._told = -_EVERY

    def __call__(self, document: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            notify_status(self._prefix + Progress.from_document(document).sentence())
            with contextlib.suppress(OSError):  # a full disk, say: no backup ends for what is only a display
                self._files.write_progress(document)


def _text(result: dict[str, object], key: str) -> str:
    value = result.get(key)
    return value[:2000] if isinstance(value, str) else ""


def _warnings(result: dict[str, object]) -> tuple[str, ...]:
    warnings = result.get("warnings")
    return tuple(str(warning)[:1000] for warning in warnings[:100]) if isinstance(warnings, list) else ()


def _without_result(status: int, obstacle: str) -> str:
    if status < 0:
        return f"the agent was killed by {signal_name(-status)} and left no result"
    if obstacle:
        return f"the agent ended with status {status} and could leave no result: {obstacle}"
    return f"the agent ended with status {status} and left no result: its log has more"
