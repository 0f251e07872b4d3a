"""A running private `systemd --user` manager, as tests see it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import TracebackType
from typing import IO, Any, Self

PROGRAM = Path(__file__).with_name("private_manager.py")


def text_of(message: str | list[int]) -> str:
    """A message of the journal: what is not UTF-8 comes as a list of bytes."""
    return message if isinstance(message, str) else bytes(message).decode(errors="backslashreplace")


@contextmanager
def ending(pid: int) -> Iterator[None]:
    """A process that has ended a moment after the block."""
    descriptor = os.pidfd_open(pid)
    try:
        yield
        assert select.select([descriptor], [], [], 10)[0], f"process {pid} is still there"
    finally:
        os.close(descriptor)


class UserManager:
    """A real user manager of its own, from construction until stop().

    Paths: `home`, `config` and `state` (as XDG has them), `runtime`, `units` (where the user's units
    are) and `log_file` (what the manager said before it had a journal). `env` is the environment in which
    `systemctl --user` meets this manager; only what is started by run() and popen() also sees its
    mounts and journal. `pid` is the manager's.
    """

    def __init__(self) -> None:
        # A session of its own, lest an interrupt from the keyboard end the manager before the tests;
        # it ends when its input does, so that it does not outlive them either.
        self._supervisor = subprocess.Popen(
            [sys.executable, PROGRAM, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started: list[subprocess.Popen[str]] = []
        self._since = int(time.time())
        facts = json.loads(self._read_facts())
        self.env: dict[str, str] = facts["environment"]
        self.pid: int = facts["pid"]
        self._client: list[str] = facts["client"]
        self._group: str = facts["group"]
        self._own_journal: bool = facts["own_journal"]
        paths = {name: Path(path) for name, path in facts["paths"].items()}
        self.home, self.config, self.state = paths["home"], paths["config"], paths["state"]
        self.runtime, self.units, self.log_file = paths["runtime"], paths["units"], paths["log"]

    def _read_facts(self) -> str:
        facts = self._pipe(self._supervisor.stdout).readline()
        if not facts:
            self.stop()
            raise RuntimeError("the private manager did not start; it says why above")
        return facts

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise ValueError("not a pipe")
        return pipe

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def argv(self, *argv: str | Path, cwd: Path | None = None) -> list[str]:
        """The command that runs `argv` with the manager, in `cwd` (its home unless told)."""
        return [*self._client, str(cwd or self.home), *map(str, argv)]

    def run(
        self,
        *argv: str | Path,
        check: bool = True,
        input: str | None = None,  # noqa: A002 (as subprocess.run has it)
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the manager; `env` is added to its environment.

        With `check`, a failure raises with what the command printed.
        """
        result = subprocess.run(
            self.argv(*argv, cwd=cwd),
            input=input if input is not None else "",
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and result.returncode != 0:
            said = f"{result.stdout}{result.stderr}".rstrip()
            raise AssertionError(f"{' '.join(map(str, argv))}: status {result.returncode}\n{said}")
        return result

    def popen(self, *argv: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a command with the manager; stop() ends it if it is still there."""
        process = subprocess.Popen(self.argv(*argv), env=self.env, text=True, **options)
        self._started.append(process)
        return process

    def systemctl(self, *words: str | Path, check: bool = True) -> str:
        """What `systemctl --user` prints."""
        return self.run("systemctl", "--user", *words, check=check).stdout.rstrip("\n")

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, as `systemctl show` has it."""
        return self.systemctl("show", "--value", f"--property={name}", "--", unit)

    def write_unit(self, name: str, text: str) -> Path:
        """Write a unit file; daemon-reload is the caller's."""
        path = self.units / name
        path.write_text(text)
        return path

    def journal(self, unit: str) -> str:
        """The messages of a unit and about it, oldest first, without their prefixes.

        journald finds the unit of a message by its sender's control group; a sender that has ended by
        then leaves a message of no unit. Such messages are shown for every unit, rather than lost.
        """
        entries = [json.loads(line) for line in self._journalctl("--output=json").splitlines()]
        messages = [text_of(entry["MESSAGE"]) for entry in entries if self._concerns(entry, unit)]
        return "".join(f"{message}\n" for message in messages)

    def _concerns(self, entry: Mapping[str, Any], unit: str) -> bool:
        if entry["_PID"] == str(self.pid):
            return entry.get("USER_UNIT") == unit
        group = entry.get("_SYSTEMD_CGROUP")
        if group is None:
            return self._own_journal
        path = PurePath(group)
        return path.is_relative_to(self._group) and unit in path.parts

    def log(self) -> str:
        """Everything that is known: what the manager and its units logged, with time stamps."""
        return self.log_file.read_text() + self._journalctl("--output=short-precise")

    def _journalctl(self, output: str) -> str:
        if self._own_journal:
            self.run("journalctl", "--sync")
        return self.run(
            "journalctl", "--no-pager", "--quiet", "--all", f"--since=@{self._since}", output
        ).stdout

    def stop(self) -> None:
        """Stop the manager and all that runs with it, and remove its directories; once is enough."""
        for process in self._started:
            process.kill()
        self._pipe(self._supervisor.stdin).close()
        self._pipe(self._supervisor.stdout).close()
        if status := self._supervisor.wait():
            raise RuntimeError(f"the private manager ended with status {status}")
