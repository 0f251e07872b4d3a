"""Running an engine: its output as it comes, its stderr passed on, and nothing of it left behind."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.stall import Watch
from cncopctl.core.engines.running import Ended

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 18
_PIPE = 1 << 18  # room for what an engine says between two looks, so that it never waits for us
_ERRORS_KEPT = 1 << 16
_GRACE = 30.0  # seconds to end after being asked; systemd's own limit is 90

OnOutput = Callable[[bytes], None]


class Lines:
    """Cuts output into lines, each without its line break, for a reader of whole lines."""

    def __init__(self, on_line: OnOutput) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of output; b"" says that there is no more."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._on_line(line)
        if not chunk and self._rest:
            self._on_line(self._rest)
            self._rest = b""


def run_lines(
    command: Sequence[str], *, on_line: OnOutput, cwd: Path | None, env: Mapping[str, str]
) -> Ended:
    """Run restic: the runner that cncopctl.edges.restic asks for.

    restic 0.14 gives up its lock on SIGINT only, later versions on SIGTERM as well.
    """
    return run_engine(command, on_output=Lines(on_line).feed, cwd=cwd, env=env, stop_with=signal.SIGINT)


def run_engine(
    command: Sequence[str],
    *,
    on_output: OnOutput,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    stop_with: signal.Signals = signal.SIGTERM,
    on_error: OnOutput | None = None,
    silence: int = 0,
) -> Ended:
    """Run a program to its end; `on_output` gets its stdout as it comes, and b"" at the end.

    What it writes to stderr goes to ours, or to `on_error` instead, and its last part is returned.

    Raises:
        AgentError: the program is not installed.
        SilentError: it has neither read nor computed anything for `silence` seconds; 0 waits for ever.
        Whatever is raised while it runs, after it has been stopped and waited for.
    """
    with started(command, env=env, cwd=cwd, stdin=stdin, stop_with=stop_with) as engine:
        return engine.follow(on_output, on_error, silence=silence)


@dataclass(frozen=True, slots=True)
class Started:
    """A program that runs, and whose output waits in pipes until it is followed."""

    child: subprocess.Popen[bytes]

    def follow(self, on_output: OnOutput, on_error: OnOutput | None = None, *, silence: int = 0) -> Ended:
        """Read what it says to its end.

        Raises:
            SilentError: it has neither read nor computed anything for `silence` seconds; 0 waits for ever.
        """
        errors = _follow(self.child, on_output, on_error or pass_on, Watch(self.child.pid, silence))
        return Ended(self.child.wait(), errors.decode(errors="surrogateescape"))

    def end_within(self, seconds: float) -> None:
        """Wait for its end, but no longer."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(seconds)

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.child.poll() is not None


@contextlib.contextmanager
def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    stop_with: signal.Signals = signal.SIGTERM,
) -> Iterator[Started]:
    """Start a program; it is stopped and waited for at the end of the block, if it has not ended by then.

    It runs in a session of its own, so that it can be stopped with all its children and cannot ask a terminal
    for a password; it inherits every descriptor that we inherited, so that the job's lock is held as long as it
    lives; and the kernel ends it when we are killed.

    Raises:
        AgentError: the program is not installed.
    """
    with _input(stdin) as source:
        child = subprocess.Popen(
            [*end_with_us(), *command],
            cwd=cwd or "/",
            env=dict(env),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pipesize=_PIPE,
            close_fds=False,
            start_new_session=True,
        )
    try:
        yield Started(child)
    finally:
        stop(child, stop_with)


def find_program(name: str, package: str) -> str:
    """The path of a program.

    Raises:
        AgentError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise AgentError(f"{name} is not installed", f"install it with: apt install {package}")
    return found


def end_with_us() -> list[str]:
    """Have setpriv ask the kernel for a signal at our death, and then become the program itself."""
    return [find_program("setpriv", "util-linux"), "--pdeathsig", "TERM", "--"]


@contextlib.contextmanager
def _input(content: bytes) -> Iterator[int]:
    """A descriptor that reads `content`: a file without a name, which no writer has to feed."""
    if not content:
        yield subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("stdin"), "w+b") as source:
        source.write(content)
        source.seek(0)
        yield source.fileno()


def _follow(child: subprocess.Popen[bytes], on_output: OnOutput, on_error: OnOutput, watch: Watch) -> bytes:
    """Hand over stdout and stderr until both end, or the program has; return the end of stderr.

    A grandchild that keeps the pipes open does not keep us: once the program has ended, what is in the
    pipes is read and no more is waited for.
    """
    stdout, stderr = cast("IO[bytes]", child.stdout), cast("IO[bytes]", child.stderr)
    errors = bytearray()

    def note_error(chunk: bytes) -> None:
        on_error(chunk)
        errors.extend(chunk)
        del errors[:-_ERRORS_KEPT]

    with selectors.DefaultSelector() as selector, _watched(child.pid) as ended:
        selector.register(stdout, selectors.EVENT_READ, on_output)
        selector.register(stderr, selectors.EVENT_READ, note_error)
        selector.register(ended, selectors.EVENT_READ)
        open_pipes, has_ended = 2, False
        while open_pipes:
            ready = selector.select(0.0 if has_ended else watch.interval)
            if has_ended and not ready:
                break
            for key, _ in ready:
                if key.fileobj == ended:
                    selector.unregister(ended)
                    has_ended = True
                elif chunk := os.read(key.fd, _CHUNK):
                    key.data(chunk)
                else:
                    selector.unregister(key.fileobj)
                    open_pipes -= 1
            watch.look()
    on_output(b"")
    return bytes(errors)


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[int]:
    """A descriptor that becomes readable when the process ends."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pass_on(chunk: bytes) -> None:
    """Write to our stderr what an engine wrote to its own."""
    with contextlib.suppress(OSError):
        sys.stderr.buffer.write(chunk)
        sys.stderr.buffer.flush()


def stop(child: subprocess.Popen[bytes], ask_with: signal.Signals) -> None:
    """Make sure that a program and its children are gone: asked first, killed if they do not listen."""
    if child.poll() is None:
        with _watched(child.pid) as ended:
            _signal_group(child.pid, ask_with)
            select.select([ended], [], [], _GRACE)
        # Not waited for yet, the program still owns the number of its group: it cannot hit another.
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
