"""Running an agent by its contract (agents/README.md): request in, prose and progress out, a status at the end."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import Any

from cncopctl.core.run import Progress
from cncopctl.core.spans import show_size
from cncopctl.edges.notify import notify_status
from cncopctl.edges.run_files import RunFiles
from cncopctl.edges.run_log import RunLog

# Longer lines of progress come from no agent that follows the contract.
_LONGEST_LINE = 64 * 1024
_SHOW_EVERY = 0.5


class Stopped(Exception):  # noqa: N818 - not an error: systemd asks us to stop
    """SIGTERM: the run is to end now."""


class AgentProcess:
    """One attempt: an agent that is running. `wait` sees it through to its end."""

    def __init__(self, agent: Path, request: dict[str, Any], files: RunFiles, log: RunLog, lock: int) -> None:
        self._files = files
        self._log = log
        self._shown = 0.0
        self._line = b""
        self._progress, progress = os.pipe()
        environment = os.environ | {
            "CNCOP_RESULT": str(files.result),
            "CNCOP_PROGRESS_FD": str(progress),
        }
        try:
            self._process = subprocess.Popen(
                [agent],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env=environment,
                pass_fds=(progress, lock),
            )
        finally:
            os.close(progress)
        self._hand_over(request)

    @property
    def status(self) -> int:
        """Its exit status, negative for a signal; only after `wait`."""
        return self._process.returncode

    def wait(self) -> int:
        """Pass on what it tells until it ends; its exit status.

        Raises:
            Stopped: SIGTERM came; the agent was told, and has ended.
        """
        try:
            self._listen()
        except Stopped:
            self._process.terminate()
            self._listen()
            self._process.wait()
            raise
        return self._process.wait()

    def _hand_over(self, request: dict[str, Any]) -> None:
        if not self._process.stdin:
            raise AssertionError
        try:
            with self._process.stdin as stdin:
                stdin.write(json.dumps(request).encode())
        except BrokenPipeError:
            self._log.line("the agent did not read its request")

    def _listen(self) -> None:
        """Read prose and progress until the agent, and all that it started, has closed them."""
        if not self._process.stderr:
            raise AssertionError
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stderr.fileno(), selectors.EVENT_READ, self._log.write)
            selector.register(self._progress, selectors.EVENT_READ, self._note)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fd)

    def _note(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-_LONGEST_LINE:]
        now = time.monotonic()
        if lines and now - self._shown >= _SHOW_EVERY:
            self._shown = now
            self._show(lines[-1])

    def _show(self, line: bytes) -> None:
        try:
            document = json.loads(line)
            progress = Progress.from_document(document)
        except (ValueError, AttributeError, RecursionError):
            return
        notify_status(_status(progress))
        self._files.write_progress(document)


def _status(progress: Progress) -> str:
    fraction = progress.fraction()
    parts = [progress.phrase or progress.phase]
    parts += [f"{fraction:.0%}"] if fraction is not None else []
    parts += [show_size(progress.bytes_done)] if progress.bytes_done is not None else []
    return ", ".join(part for part in parts if part)
