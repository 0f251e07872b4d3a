"""Running a user's command: its output as it comes, its time limit, and the end of all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cncopctl.verbs.listening import Hear, listen

# How long a command may take to end once it was told to.
_GRACE = 10.0


class TooLongError(Exception):
    """The command took longer than it may, and was ended."""


def run_user_command(
    command: Path, environment: Mapping[str, str], seconds: float, on_stdout: Hear, on_stderr: Hear
) -> int:
    """Run `command` without arguments in the directory /; its exit status, negative for a signal.

    What it leaves running in the background stays, as a tunnel or a mount has to; nobody waits for that. When
    its time is up, or an exception such as a signal handler's comes, it and all that it started are ended.

    Raises:
        TooLongError: it took longer than `seconds`.
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        [command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=dict(environment),
        start_new_session=True,
    )
    voices = ((process.stdout, on_stdout), (process.stderr, on_stderr))
    try:
        in_time = listen(process.pid, {pipe.fileno(): hear for pipe, hear in voices if pipe}, seconds)
        if not in_time:
            raise TooLongError
    except BaseException:
        _end(process)
        raise
    return process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command's whole process group: politely, then not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
