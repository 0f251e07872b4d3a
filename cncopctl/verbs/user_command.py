"""Running a user's command: its output as it comes, its time limit, and the end of all that it started."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

Hear = Callable[[bytes], None]

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
    try:
        _listen(process, time.monotonic() + seconds, on_stdout, on_stderr)
    except BaseException:
        _end(process)
        raise
    return process.wait()


def _listen(process: subprocess.Popen[bytes], deadline: float, on_stdout: Hear, on_stderr: Hear) -> None:
    """Pass on what it says until it has ended, and what it had said by then."""
    ended = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            for pipe, hear in ((process.stdout, on_stdout), (process.stderr, on_stderr)):
                if pipe:
                    selector.register(pipe.fileno(), selectors.EVENT_READ, hear)
            while True:
                events = selector.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    raise TooLongError
                heard = [_pass_on(key, selector) for key, _ in events if key.data]
                if not any(heard) and any(key.data is None for key, _ in events):
                    return
    finally:
        os.close(ended)


def _pass_on(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> bool:
    data = os.read(key.fd, 65536)
    if data:
        key.data(data)
    else:
        selector.unregister(key.fd)
    return bool(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command's whole process group: politely, then not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
