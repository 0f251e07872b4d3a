"""Calling a job's agent directly, in the foreground: for what a person waits for, such as a restore.

It needs no running systemd, so that files come back from a machine that is half gone. Credentials are read where they
are stored, or decrypted into our memory: a copy of them would outlive us if we were killed.
"""

from __future__ import annotations

import signal
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import CncopError, InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.edges.run_files import RunFiles
from cncopctl.verbs.agent_process import AgentProcess, Stopped
from cncopctl.verbs.credential_store import handed_over

_TAIL = 64 * 1024

OnProgress = Callable[[dict[str, Any]], None]


class InterruptedAgentError(CncopError):
    """Somebody has stopped the agent from the keyboard; the message is its own, with what it has left."""

    exit_status = 130


class AgentFailedError(CncopError):
    """The agent did not end with OK; the message is its own, and so is the `result` that it left."""

    exit_status = 3

    def __init__(self, message: str, hint: str = "", result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, hint)
        self.result = dict(result or {})


def call_agent(
    layout: Layout, job: CompiledJob, action: str, details: Mapping[str, Any], on_progress: OnProgress
) -> dict[str, Any]:
    """Have the job's agent perform `action` and return its result.

    Args:
        layout: the installation, whose credentials it is given.
        job: the job.
        action: one of the contract's actions.
        details: what the request holds for this action besides the job.
        on_progress: called with each progress document.

    Raises:
        AgentFailedError: the agent ended with anything but OK.
        InterruptedAgentError: it was stopped by Ctrl-C.
        InstallError: it cannot be started.
    """
    run_id = uuid.uuid4().hex
    request = {
        "contract": 1,
        "action": action,
        "run_id": run_id,
        "attempt": 1,
        "dry_run": False,
        "cache_directory": str(layout.cache),
        "job": job.agent_values(),
        **details,
    }
    with tempfile.TemporaryDirectory(prefix="cncop-call-") as private:
        files = RunFiles(Path(private), "call")
        files.write_run({})
        prose = _Tail()
        signal.signal(signal.SIGTERM, _stop)
        try:
            with handed_over(layout) as credentials:
                agent = AgentProcess(Path(job.agent), request, files.result, credentials=credentials)
                status = agent.wait(prose.hear, on_progress)
        except (Stopped, KeyboardInterrupt) as stop:
            result = files.read_result()
            kind = AgentFailedError if isinstance(stop, Stopped) else InterruptedAgentError
            phrase = result.get("phrase") or "stopped before it was done"
            raise kind(f"{job.id}: {phrase}", str(result.get("hint") or "")) from None
        except OSError as error:
            raise InstallError(f"{error.filename}: {error.strerror}", "run: cncopctl sync-profile") from error
        return _verdict(job, status, files.read_result(), prose.last)


class _Tail:
    """The last of what an agent says: however much it is, that is where it tells why it failed."""

    def __init__(self) -> None:
        self.last = b""

    def hear(self, data: bytes) -> None:
        """Keep the end of what has come."""
        self.last = (self.last + data)[-_TAIL:]


def _stop(_signal: int, _frame: object) -> None:
    raise Stopped


def _verdict(job: CompiledJob, status: int, result: dict[str, Any], prose: bytes) -> dict[str, Any]:
    outcome = Outcome.of_agent(status)
    if outcome is Outcome.OK:
        return result
    last = prose.decode("utf-8", "backslashreplace").strip().splitlines()[-1:]
    phrase = result.get("phrase") or (last[0] if last else f"its agent ended with status {status}")
    raise AgentFailedError(f"{job.id}: {phrase}", str(result.get("hint") or ""), result)
