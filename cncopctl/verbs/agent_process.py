"""Running an agent by its contract (agents/README.md): request in, prose and progress out, a status at the end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cncopctl.verbs.listening import Hear, listen

OnProgress = Callable[[dict[str, Any]], None]

# How long an agent may take to stop; TimeoutStopSec= of its unit is longer.
_GRACE = 90.0

# Longer lines of progress come from no agent that follows the contract.
_LONGEST_LINE = 64 * 1024


class Stopped(Exception):  # noqa: N818 - not an error: somebody asks us to stop
    """The run is to end now."""


class AgentProcess:
    """An agent that is running; `wait` sees it through to its end.

    Args:
        agent: the executable.
        request: the JSON object that it gets on stdin.
        result: where it is to leave its result.
        credentials: directory with the credentials; None leaves that to $CREDENTIALS_DIRECTORY.
        keep_open: descriptors that it and all that it starts inherit, such as the job's lock.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        agent: Path,
        request: Mapping[str, Any],
        result: Path,
        *,
        credentials: Path | None = None,
        keep_open: tuple[int, ...] = (),
    ) -> None:
        self._line = b""
        self._progress, progress = os.pipe()
        environment = os.environ | {"CNCOP_RESULT": str(result), "CNCOP_PROGRESS_FD": str(progress)}
        if credentials:
            environment["CREDENTIALS_DIRECTORY"] = str(credentials)
        try:
            self._process = subprocess.Popen(
                [agent],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env=environment,
                pass_fds=(progress, *keep_open),
            )
        finally:
            os.close(progress)
        self._hand_over(json.dumps(request).encode())

    def wait(self, on_prose: Hear, on_progress: OnProgress) -> int:
        """Pass on what it tells until it ends; its exit status, negative for a signal.

        One that does not stop when it is told to is killed, well before systemd would kill all of us.

        Raises:
            Stopped, KeyboardInterrupt, OSError: came from a signal handler or from whom it was passed on to; the
                agent was told to stop, and has ended.
        """
        try:
            self._listen(on_prose, on_progress)
        except (Stopped, KeyboardInterrupt, OSError):
            self._process.terminate()
            if not self._listen(on_prose, lambda _: None, _GRACE):
                self._process.kill()
            self._process.wait()
            raise
        return self._process.wait()

    def _hand_over(self, request: bytes) -> None:
        """An agent that does not read its request says why by its status; that is not ours to judge."""
        stdin = self._process.stdin
        try:
            if stdin:
                stdin.write(request)
                stdin.close()
        except BrokenPipeError:
            self._line = b""

    def _listen(self, on_prose: Hear, on_progress: OnProgress, seconds: float | None = None) -> bool:
        voices: dict[int, Hear] = {self._progress: lambda data: self._note(data, on_progress)}
        if self._process.stderr:
            voices[self._process.stderr.fileno()] = on_prose
        return listen(self._process.pid, voices, seconds)

    def _note(self, data: bytes, on_progress: OnProgress) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-_LONGEST_LINE:]
        for line in lines[-1:]:  # the newest is all that anybody wants to see
            try:
                document = json.loads(line)
            except (ValueError, RecursionError):
                return
            if isinstance(document, dict):
                on_progress(document)
