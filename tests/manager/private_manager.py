#!/usr/bin/python3
"""Run a real `systemd --user` manager that belongs to nobody's session, and stop all of it again.

    private_manager.py -- COMMAND...   run COMMAND with the manager around it, and end with its status
    private_manager.py --serve         print one line of JSON once the manager is up; stop at end of input

The manager gets a home, a runtime directory, a message bus and a control group of its own. As root it
also gets a mount namespace whose /run/systemd is empty but for what an own journald puts there: so it
starts whether or not PID 1 is systemd, and never meets the machine's own systemd. An ordinary user needs
PID 1 to be systemd, for a delegated control group, and shares the machine's journald.

Whatever ends this program short of SIGKILL ends the manager and all that it started.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pwd
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SYSTEMD = "/usr/lib/systemd"
CLONE_NEWNS = 0x00020000
START_TIMEOUT, STOP_TIMEOUT = 20.0, 3.0
# What an unprivileged user's manager would set: a service must not find the tests' environment.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
JOURNALD_CONF = """\
[Journal]
Storage=volatile
# Neither the kernel's log nor its audit switch is ours.
ReadKMsg=no
Audit=
RateLimitIntervalSec=0
"""


class StartError(Exception):
    """The manager could not be started; the message says why and what to do."""


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise StartError(done.stderr.rstrip())


class Home:
    """The directories of one manager.

    Neither part is below /tmp: PrivateTmp= would hide them from the services. Neither needs to be
    executable but the home, where users keep commands, and /run may be mounted noexec.
    """

    def __init__(self) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cncop/managers"
        cache.mkdir(parents=True, exist_ok=True)
        self.top = Path(tempfile.mkdtemp(dir=cache))
        runs = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR", cache))
        self.runtime = Path(tempfile.mkdtemp(prefix="cncop-manager-", dir=runs))
        self.path = self.top / "home"
        self.config = self.path / ".config"
        self.state = self.path / ".local/state"
        self.units = self.config / "systemd/user"
        self.log = self.top / "manager.log"
        for directory in (self.units, self.state):
            directory.mkdir(parents=True)
        self._mask_what_the_host_starts()

    def _mask_what_the_host_starts(self) -> None:
        """A desktop enables sound servers and agents for all its users; they are not wanted here."""
        masks = self.runtime / "systemd/user.control"
        masks.mkdir(parents=True)
        for wanted in Path("/etc/systemd/user").glob("*.*/*.*"):
            if wanted.name != "dbus.socket" and not (masks / wanted.name).is_symlink():
                (masks / wanted.name).symlink_to("/dev/null")

    def variables(self) -> dict[str, str]:
        """The environment that the manager, and so each of its services, starts with."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        return {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "SHELL": "/bin/sh",
            "USER": user,
            "LOGNAME": user,
            "HOME": str(self.path),
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_STATE_HOME": str(self.state),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.runtime}/bus",
        }

    def remove(self) -> None:
        # A user's manager keeps them closed even to that user (257 the upper one, too).
        for closed in ("systemd/inaccessible", "systemd/inaccessible/dir"):
            with contextlib.suppress(FileNotFoundError):
                (self.runtime / closed).chmod(0o700)
        shutil.rmtree(self.runtime)
        shutil.rmtree(self.top)


class ControlGroup:
    """A directory of the unified hierarchy, with everything that ever runs in it."""

    def __init__(self, parent: Path, name: str) -> None:
        self.path = parent / name
        self.path.mkdir()

    def join(self, child: str) -> None:
        """Move this process to a group below."""
        directory = self.path / child
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text("0")

    def kill(self) -> None:
        """Kill every process in the group and wait until none is left."""
        (self.path / "cgroup.kill").write_text("1")
        with (self.path / "cgroup.events").open() as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while "populated 1" in events.read():
                poll.poll(STOP_TIMEOUT * 1000)
                events.seek(0)

    def clear(self) -> None:
        """Remove all groups below."""
        for directory, _, _ in os.walk(self.path, topdown=False):
            if Path(directory) != self.path:
                Path(directory).rmdir()

    def remove(self) -> None:
        self.clear()
        self.path.rmdir()


def own_control_group() -> Path:
    """Where this process is, as a path relative to the root of the unified hierarchy."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return Path(line.removeprefix("0::").lstrip("/"))
    raise StartError("the kernel runs without the unified control group hierarchy (cgroup v2)")


class Readiness:
    """The socket on which a started daemon says READY=1 (sd_notify(3))."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "ready"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))

    def wait(self, process: "subprocess.Popen[bytes]", timeout: float = START_TIMEOUT) -> dict[str, str]:
        """All that the process said until it was ready; empty if it ended before that, or took too long."""
        said, ended = self._socket.fileno(), os.pidfd_open(process.pid)
        news: dict[str, str] = {}
        try:
            while said in select.select([said, ended], [], [], timeout)[0]:
                lines = self._socket.recv(4096).decode().splitlines()
                news |= dict(line.split("=", 1) for line in lines if "=" in line)
                if news.get("READY") == "1":
                    return news
            return {}
        finally:
            os.close(ended)

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)


def enter_namespace(top: Path) -> Path:
    """Leave the host's view of mounts; return where the whole unified hierarchy is in ours."""
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare came with Python 3.12
    if libc.unshare(CLONE_NEWNS) != 0:
        why = os.strerror(ctypes.get_errno())
        raise StartError(f"no mount namespace: {why}; in a container this needs CAP_SYS_ADMIN")
    mount("--make-rprivate", "/")
    unified = top / "cgroup"
    unified.mkdir()
    mount("-t", "cgroup2", "cgroup2", unified)
    # Where the host has hierarchies of version 1 as well, what we start shall not use them.
    mount("--bind", unified, "/sys/fs/cgroup")
    return unified


def hide_the_hosts_systemd() -> None:
    """Make /run/systemd and /run/log look as on a machine that systemd has just booted."""
    for hidden in ("/run/systemd", "/run/log"):
        Path(hidden).mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden)
    Path("/run/systemd/system").mkdir()  # sd_booted(3) looks for it
    Path("/run/log/journal").mkdir()
    make_inaccessible_nodes(Path("/run/systemd/inaccessible"))
    # PID 1 makes every mount shared: credentials reach a service by propagation of the mount below
    # the runtime directory (systemd 252, setup_credentials()).
    mount("--make-rshared", "/")


def make_inaccessible_nodes(directory: Path) -> None:
    """Make what InaccessiblePaths= and the hiding of credentials mount over paths, as PID 1 does."""
    (directory / "dir").mkdir(parents=True, mode=0o000)
    kinds = {"reg": stat.S_IFREG, "fifo": stat.S_IFIFO, "sock": stat.S_IFSOCK}
    for name, kind in kinds.items():
        os.mknod(directory / name, kind)
    with contextlib.suppress(PermissionError):  # a container without CAP_MKNOD; systemd then uses sock
        os.mknod(directory / "chr", stat.S_IFCHR)
        os.mknod(directory / "blk", stat.S_IFBLK)


class PrivateManager:
    """A started manager. Its methods are called in the order in which they stand here."""

    def __init__(self) -> None:
        self.home = Home()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._own_namespace = os.geteuid() == 0
        unified = enter_namespace(self.home.top) if self._own_namespace else Path("/sys/fs/cgroup")
        # As a slice, by name, it does not keep journald from telling which unit has logged a line.
        self.group = ControlGroup(unified / own_control_group(), f"{self.home.runtime.name}.slice")
        self._readiness = Readiness(self.home.top)

    def start(self) -> None:
        if self._own_namespace:
            hide_the_hosts_systemd()
            conf = Path("/run/systemd/journald.conf.d/private.conf")
            conf.parent.mkdir()
            conf.write_text(JOURNALD_CONF)
            self._start(f"{SYSTEMD}/systemd-journald", group="system.slice/systemd-journald.service")
        self._start(f"{SYSTEMD}/systemd", "--user", "--log-target=journal", group=self._manager_group())
        # The manager says RELOADING=1 and more ever after: a socket that nobody reads would fill and block it.
        self._readiness.close()
        self._wake_the_bus()

    def _manager_group(self) -> str:
        """Where a login session has it, by which journald tells which unit has logged a line."""
        uid = os.geteuid()
        return f"user.slice/user-{uid}.slice/user@{uid}.service"

    def _start(self, *argv: str, group: str) -> None:
        variables = self.home.variables() | {"NOTIFY_SOCKET": str(self._readiness.path)}
        with self.home.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: self.group.join(group),
            )
        self._processes.append(process)
        if not self._readiness.wait(process):
            raise StartError(f"{argv[0]} did not start:\n{self.home.log.read_text()}")

    def _wake_the_bus(self) -> None:
        """The manager takes its name on the bus only once the first client has started the bus."""
        systemd = "org.freedesktop.systemd1"
        ping = ["busctl", "--user", "call", systemd, "/", "org.freedesktop.DBus.Peer", "Ping"]
        for argv in (ping, ["systemctl", "--user", "is-system-running", "--wait", "--quiet"]):
            subprocess.run(argv, env=self.home.variables(), timeout=START_TIMEOUT, check=True)

    def environment(self) -> dict[str, str]:
        """The environment for clients: this program's own, at the manager's directories."""
        foreign = ("XDG_", "DBUS_", "SYSTEMD_", "LISTEN_", "NOTIFY_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return kept | {name: value for name, value in self.home.variables().items() if name != "PATH"}

    def client(self) -> list[str]:
        """The words that run `DIRECTORY COMMAND...` with the manager; as root, they end with it."""
        command = 'env --chdir="$0" "$@"'
        if not self._own_namespace:
            # Only root may move a process from its session to our group.
            return ["sh", "-c", f"exec {command}"]
        clients = self.group.path / "client.scope"
        clients.mkdir(exist_ok=True)
        us = os.getpid()
        enter = f"nsenter --target {us} --mount -- {command}"
        return ["sh", "-c", f"echo 0 >/proc/{us}/root{clients}/cgroup.procs && exec {enter}"]

    def describe(self) -> dict[str, object]:
        """What a client in another process needs to know."""
        home = self.home
        paths = {"home": home.path, "config": home.config, "state": home.state, "units": home.units}
        paths |= {"runtime": home.runtime, "log": home.log}
        return {
            "environment": self.environment(),
            "client": self.client(),
            "pid": self._processes[-1].pid,
            "own_journal": self._own_namespace,
            "group": str("/" / own_control_group() / self.group.path.name / self._manager_group()),
            "paths": {name: str(path) for name, path in paths.items()},
        }

    def stop(self) -> None:
        """End the services as at a logout, whatever is left by force, and remove every trace."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self._processes):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)
        self.group.kill()
        for process in self._processes:
            process.wait()
        self._readiness.close()
        self.group.remove()
        self._unmount_credentials()
        if self._own_namespace:
            subprocess.run(["umount", "--lazy", self.home.top / "cgroup"], check=True)
        self.home.remove()

    def _unmount_credentials(self) -> None:
        """A killed manager leaves them mounted below the runtime directory."""
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for point in reversed(mounts):
            if Path(point).is_relative_to(self.home.runtime):
                subprocess.run(["umount", "--lazy", point], check=True)


@contextlib.contextmanager
def private_manager() -> Iterator[PrivateManager]:
    manager = PrivateManager()
    try:
        manager.start()
        yield manager
    finally:
        manager.stop()


def start_over_delegated(program: list[str]) -> None:
    """Become the Python program, in a control group that PID 1 leaves to us; or return if all are ours.

    Raises:
        StartError: nobody can give us one.
    """
    if not Path("/run/systemd/system").exists():
        if os.geteuid() != 0:
            raise StartError("PID 1 is not systemd: only root can start a manager here; use sudo")
        return
    whose = [] if os.geteuid() == 0 else ["--user"]
    scope = ["systemd-run", *whose, "--quiet", "--collect", "--scope", "--property=Delegate=yes", "--"]
    argv = [*scope, sys.executable, *program]
    os.execvp(argv[0], argv)  # noqa: S606 (a list of arguments, in place of this process)


def serve() -> int:
    with private_manager() as manager:
        print(json.dumps(manager.describe()), flush=True)
        while os.read(0, 4096):
            pass
    return 0


def run(command: list[str]) -> int:
    with private_manager() as manager:
        argv = [*manager.client(), str(Path.cwd()), *command]
        started = subprocess.Popen(argv, env=manager.environment())
        # An interrupt from the keyboard reaches the command as well: its end is ours.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = started.wait()
        return 128 - status if status < 0 else status


def raise_exit(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="stay until standard input ends")
    parser.add_argument("--delegated", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    arguments = parser.parse_args()
    if bool(arguments.command) == arguments.serve:
        parser.error("give either --serve or a command after --")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_exit)
    try:
        if not arguments.delegated:
            start_over_delegated([__file__, "--delegated", *sys.argv[1:]])
        return serve() if arguments.serve else run(arguments.command)
    except StartError as error:
        print(f"private_manager: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
