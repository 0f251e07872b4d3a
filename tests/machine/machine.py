"""A booted Debian, as tests see it."""

import json
import os
import re
import select
import shlex
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from .journal import End, Entry, Follower

TESTS = Path(__file__).parents[1]
# Boots include the build of the image, on the first of all runs.
BOOT_TIMEOUT, END_TIMEOUT = 900.0, 100.0
VARIABLES = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


def as_root() -> list[str]:
    """The words that make a command run as root.

    Raises:
        PermissionError: neither are we root nor may we be.
    """
    if os.geteuid() == 0:
        return []
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode != 0:
        raise PermissionError("machines are booted by root: run the tests as root, or allow sudo -n")
    return ["sudo", "-n"]


def capabilities_to_drop(leader: int) -> str:
    """What PID 1 of a machine may not do, as setpriv has it.

    Without this, a command that enters the machine could set the clock of the host.
    """
    status = Path(f"/proc/{leader}/status").read_text()
    found = re.search(r"^CapBnd:\s*(\w+)$", status, re.MULTILINE)
    allowed = int(found[1], 16) if found else 0
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return ",".join(f"-cap_{number}" for number in range(last + 1) if not allowed >> number & 1)


class Machine:
    """A machine of a Debian release; on from construction until stop(), unless told otherwise.

    Commands run as root with the namespaces, the control group and the capabilities of the machine's PID
    1. There is no network but loopback, unless `network` shares the host's. The machine has a disk of its
    own, which outlives reboots and ends with it.
    """

    def __init__(self, release: str, kind: str = "machine", *, network: bool = False) -> None:
        self.release = release
        self._root = as_root()
        self._ends: dict[str, str] = {}
        words = ["--release", release, "--kind", kind, *(["--network"] if network else [])]
        # A session of its own, lest an interrupt from the keyboard end the machine before the tests;
        # it ends when its input does, so that it does not outlive them either.
        self._supervisor = subprocess.Popen(
            [
                *self._root,
                "env",
                f"PYTHONPATH={TESTS}",
                *self._cache(),
                sys.executable,
                "-P",
                "-m",
                "machine.nspawn",
                *words,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._expect("booted", BOOT_TIMEOUT)
        except BaseException:
            self._end()
            raise

    @staticmethod
    def _cache() -> list[str]:
        """What sudo would drop."""
        given = os.environ.get("CNCOP_IMAGE_CACHE")
        return [f"CNCOP_IMAGE_CACHE={given}"] if given else []

    @classmethod
    def boot(cls, release: str) -> Self:
        """Boot a machine; use it as a context manager."""
        return cls(release)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise ValueError("not a pipe")
        return pipe

    def _expect(self, event: str, timeout: float) -> None:
        output = self._pipe(self._supervisor.stdout)
        if not select.select([output], [], [], timeout)[0]:
            raise TimeoutError(f"{self.release}: not {event} within {timeout} seconds")
        said = json.loads(output.readline() or '{"event": "nothing said"}')
        if said["event"] != event:
            raise RuntimeError(f"{self.release}: {said.get('why', said['event'])}")
        if event == "booted":
            self._entered(said["leader"])

    def _entered(self, leader: int) -> None:
        self.leader = leader
        # One leaf of the machine's control groups that PID 1 neither empties nor removes.
        procs = f"/proc/{leader}/root/sys/fs/cgroup/init.scope/cgroup.procs"
        nsenter = f"nsenter --target {leader} --all --"
        # nsenter stays outside as the parent: what ends it, a time-out say, shall end the command.
        setpriv = f"/usr/bin/setpriv --pdeathsig=KILL --bounding-set={capabilities_to_drop(leader)}"
        variables = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
        script = f'echo 0 >{procs} && exec {nsenter} {setpriv} env -i {variables} "$@"'
        self._enter = [*self._root, "sh", "-c", script, "sh"]

    def argv(self, *argv: str | Path) -> list[str]:
        """The command of the host that runs `argv` in the machine."""
        return [*self._enter, *map(str, argv)]

    def run(
        self,
        *argv: str | Path,
        check: bool = True,
        input: str | None = None,  # noqa: A002 (as subprocess.run has it)
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine. With `check`, a failure raises with what the command printed."""
        result = subprocess.run(
            self.argv(*argv),
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and result.returncode != 0:
            said = f"{result.stdout}{result.stderr}".rstrip()
            raise AssertionError(f"{self.release}: {shlex.join(map(str, argv))}: {result.returncode}\n{said}")
        return result

    def run_as(
        self, user: str, *argv: str | Path, pty: bool = False, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as another user, at a terminal of its own if told; options as run() has them."""
        return self.run("runuser", *(["--pty"] if pty else []), f"--user={user}", "--", *argv, **options)

    def run_logged_in(self, user: str, *argv: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in a login session of a user, who so has a user manager."""
        session = ["--uid", user, "--property=PAMName=login", "--property=WorkingDirectory=~"]
        return self.run(
            "systemd-run", "--quiet", "--collect", "--pipe", "--wait", *session, "--", *argv, **options
        )

    def popen(self, *argv: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a command in the machine; switching off ends it if it is still there."""
        return subprocess.Popen(self.argv(*argv), text=True, **options)

    @property
    def path(self) -> Path:
        """The root directory as the machine's PID 1 sees it; for root, while the machine is on."""
        return Path(f"/proc/{self.leader}/root")

    def write(self, path: str | Path, text: str, mode: int = 0o644) -> None:
        """Write a file, making the directories above it."""
        self.run("install", "-D", f"--mode={mode:o}", "/dev/stdin", path, input=text)

    def read(self, path: str | Path) -> str:
        return self.run("cat", "--", path).stdout

    def copy_in(self, source: Path, directory: str | Path) -> None:
        """Copy a file or a tree of the host into a directory of the machine, as root's."""
        self.run("mkdir", "--parents", directory)
        pack = [
            "tar",
            "--create",
            "--owner=root",
            "--group=root",
            f"--directory={source.parent}",
            source.name,
        ]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
            unpack = self.argv("tar", "--extract", f"--directory={directory}")
            subprocess.run(unpack, stdin=packing.stdout, check=True)
        if packing.returncode != 0:
            raise AssertionError(f"tar: {source} could not be read")

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, as `systemctl show` has it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", "--", unit).stdout.rstrip("\n")

    def journal(self, unit: str) -> str:
        """The messages of a unit and about it since the machine was made, without their prefixes."""
        self.run("journalctl", "--sync")
        return self.run(
            "journalctl", "--quiet", "--no-pager", "--all", "--output=cat", f"--unit={unit}"
        ).stdout

    def cursor(self) -> str:
        """The end of the journal as it is now, for wait_for_journal()."""
        self.run("journalctl", "--sync")
        shown = self.run("journalctl", "--quiet", "--lines=1", "--output=json").stdout
        return str(json.loads(shown)["__CURSOR"])

    def wait_for_journal(
        self, pattern: str, *matches: str, after: str | None = None, timeout: float = 60
    ) -> Entry:
        """Wait for a message that contains the pattern (a regular expression).

        It is looked for from the beginning of the journal, or after a cursor; `matches` narrow it as for
        journalctl (`UNIT=a.service`).
        """
        with Follower(self.argv, *matches, after=after, timeout=timeout) as entries:
            return next(entry for entry in entries if re.search(pattern, entry.message))

    def wait_for_unit_result(self, unit: str, timeout: float = 60) -> str:
        """Wait until the unit has ended, and return its result (`success`, `exit-code`, ...).

        Each end of a unit is told once: the first call tells of the first time, the next of the second.
        """
        matches = End.matches(unit)
        with Follower(self.argv, *matches, after=self._ends.get(unit), timeout=timeout) as entries:
            entry = next(entries)
        self._ends[unit] = entry.cursor
        return End.result(entry)

    def reboot(self) -> None:
        """Reboot, and return when everything is started again."""
        self.run("systemctl", "reboot")
        self._expect("booted", END_TIMEOUT)

    def poweroff(self) -> None:
        """Switch off as an administrator would; start() switches on again."""
        self.run("systemctl", "poweroff")
        self._expect("off", END_TIMEOUT)

    def cut_power(self) -> None:
        """Switch off at once, with nobody told; start() switches on again."""
        self._ask("cut")
        self._expect("off", END_TIMEOUT)

    def start(self) -> None:
        """Switch a machine on that is off."""
        self._ask("boot")
        self._expect("booted", END_TIMEOUT)

    def _ask(self, word: str) -> None:
        request = self._pipe(self._supervisor.stdin)
        request.write(f"{word}\n")
        request.flush()

    def stop(self) -> None:
        """End the machine and remove its disk; once is enough."""
        if status := self._end():
            raise RuntimeError(f"{self.release}: the machine's supervisor ended with status {status}")

    def _end(self) -> int:
        self._pipe(self._supervisor.stdin).close()
        self._pipe(self._supervisor.stdout).close()
        return self._supervisor.wait()
