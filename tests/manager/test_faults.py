"""What happens to a run, and what becomes of it: closed once, reported once, no lock left, no log lost."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .installation import Installation, job
from .user_manager import UserManager
from .victim import SAID, Agent, Victim

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("/libfaketime-is-missing"))


@dataclass(frozen=True)
class Fault:
    """What happens while the agent is at work (`strike`), how the run ends, and what it says of that."""

    name: str
    strike: Callable[[Victim], None]
    outcome: str
    phrase: str
    keys: dict[str, Any] = field(default_factory=dict)


def kill_dispatcher(victim: Victim) -> None:
    victim.kill(victim.dispatcher())


def kill_agent(victim: Victim) -> None:
    victim.kill(victim.agent())


def kill_both(victim: Victim) -> None:
    victim.kill(victim.dispatcher(), victim.agent())


def stop(victim: Victim) -> None:
    victim.manager.systemctl("stop", victim.service)


def stop_target(victim: Victim) -> None:
    victim.manager.systemctl("stop", "cncop.target")
    victim.manager.systemctl("start", "cncop.target")


def let_time_pass(_victim: Victim) -> None:
    """The job's timeout is short."""


def run_out_of_memory(victim: Victim) -> None:
    """What systemd-oomd(8) does: a mark on the control group, then SIGKILL for all in it."""
    for mark in ("user.oomd_ooms", "user.oomd_kill"):
        os.setxattr(victim.control_group(), mark, b"1")
    # One by one, as it does: by cgroup.kill, Linux (6.18) would also kill what systemd 257 starts there later.
    victim.kill(*map(int, (victim.control_group() / "cgroup.procs").read_text().split()))


def set_clock(days: int) -> Callable[[Victim], None]:
    def strike(victim: Victim) -> None:
        clock_of(victim.manager).write_text(f"{days:+}d")
        victim.go_on()

    return strike


def kill_close(victim: Victim) -> None:
    """Kill the close, which waits for the history, then have what is left looked after, as each hour."""
    with contextlib.closing(sqlite3.connect(victim.cncop.state / "history.sqlite")) as database:
        database.execute("BEGIN EXCLUSIVE")
        victim.go_on()
        state = f"systemctl --user show --value --property=SubState {victim.service}"
        victim.manager.run("sh", "-c", f"until {state} | grep -q stop-post; do :; done")
        victim.kill(int(victim.manager.property(victim.service, "ControlPID")))
        victim.wait()
    assert victim.is_open()
    victim.manager.systemctl("start", "cncop-recover.service")


def clock_of(manager: UserManager) -> Path:
    """The file that says how far the clock of the services `clock-*` is from the real one."""
    return manager.home / "clock"


FAULTS = (
    Fault("dispatcher-killed", kill_dispatcher, "ABORTED", "was killed by signal KILL"),
    Fault("agent-killed", kill_agent, "ERROR", "the agent was killed by SIGKILL and left no result"),
    Fault("both-killed", kill_both, "ABORTED", "was killed by signal KILL"),
    Fault("stopped", stop, "ABORTED", "was stopped before it was done, by systemd (systemctl stop)"),
    Fault(
        "target-stopped",
        stop_target,
        "ABORTED",
        "was stopped before it was done, by systemd (systemctl stop)",
    ),
    Fault("too-long", let_time_pass, "ERROR", "took longer than its timeout of 3s", {"timeout": "3s"}),
    Fault("out-of-memory", run_out_of_memory, "ERROR", "ran out of memory and was killed by the kernel"),
    Fault("close-killed", kill_close, "OK", "all is copied"),
    Fault("clock-set-back", set_clock(-400), "OK", "all is copied"),
    Fault("clock-set-forward", set_clock(400), "OK", "all is copied"),
)


@dataclass(frozen=True)
class DiskFault:
    """A disk that cannot be written from when on, how the run ends, and what is said about it in which place.

    `told` is in the finished report; a `place` is below the state of a user's installation, or all of it.
    """

    place: str
    how: str
    when: str
    outcome: str
    told: str

    def __str__(self) -> str:
        return f"{self.place}-{self.how}-{self.when}"


FULL, READ_ONLY = "No space left on device", "Read-only file system"
DISK_FAULTS = (
    DiskFault("log", "full", "before", "OK", f"the log cannot be written: .*{FULL}"),
    DiskFault("log", "full", "within", "OK", f"the log cannot be written: .*{FULL}"),
    DiskFault("log", "read-only", "before", "OK", f"the log cannot be .*: .*{READ_ONLY}"),
    DiskFault("log", "read-only", "within", "OK", f"the log cannot be .*: .*{READ_ONLY}"),
    DiskFault("log", "without-inodes", "before", "OK", f"the log cannot be .*: .*{FULL}"),
    DiskFault("spool", "full", "before", "OK", "all is copied"),
    DiskFault("spool", "full", "within", "OK", "all is copied"),
    DiskFault("spool", "read-only", "before", "OK", "all is copied"),
    DiskFault("spool", "read-only", "within", "OK", "all is copied"),
    DiskFault("spool", "without-inodes", "within", "OK", "all is copied"),
    DiskFault("state", "full", "before", "ERROR", f"/runs.*{FULL}"),
    DiskFault("state", "full", "within", "ERROR", f"/runs.*{FULL}"),
    DiskFault("state", "read-only", "before", "ERROR", f"/runs.*{READ_ONLY}"),
    DiskFault("state", "read-only", "within", "ERROR", f"/runs.*{READ_ONLY}"),
    DiskFault("state", "without-inodes", "within", "ERROR", f"/runs.*{FULL}"),
    DiskFault("all", "full", "within", "ERROR", f"/runs.*{FULL}"),
    DiskFault("all", "read-only", "within", "ABORTED", "its processes were killed"),
    DiskFault("all", "without-inodes", "within", "ERROR", f"/runs.*{FULL}"),
)


class Disk:
    """A small disk under one place of an installation; what is on it stays there when it is taken away again."""

    def __init__(self, cncop: Installation, place: str) -> None:
        self._manager, self._state = cncop.manager, cncop.state
        self.path = self._state / ("" if place in ("state", "all") else place)
        self._below = Path(f"{self.path}.below")
        self._others = ("log", "spool") if place == "state" else ()
        self._is_hidden = False
        # What lies below stays in sight, but not the disk itself, wherever else it would show up.
        self._do(
            f"mkdir {self._below}",
            f"mount --bind {self.path} {self._below}",
            f"mount --make-private {self._below}",
            f"mount -t tmpfs -o size=512k,mode=700 tmpfs {self.path}",
            f"cp -a {self._below}/. {self.path}",
            *(f"mount --bind {self._below}/{other} {self.path}/{other}" for other in self._others),
        )

    def _do(self, *lines: str) -> None:
        self._manager.run("sh", "-euc", "\n".join(lines))

    def fill(self) -> None:
        """Not a byte more: nor is there room in the last block of a log."""
        self._do(
            f"find {self.path} -name 'CA-*.log' -exec truncate --size=%4096 {{}} +",
            f"! cat /dev/zero >{self.path}/filler 2>&-",
        )

    def forbid(self) -> None:
        """Read-only, while a file on it is being written to whoever opens one from now on: the kernel wants it so."""
        if self._manager.run("mount", "-o", "remount,ro", self.path, check=False).returncode:
            self._do(f"mount --bind {self.path} {self.path}", f"mount -o remount,bind,ro {self.path}")
            self._is_hidden = True

    def allow(self) -> None:
        self._do(f"mount -o remount,rw {self.path}")

    def use_up_inodes(self) -> None:
        used = f"$(($(stat --file-system --format='%c - %d' {self.path})))"
        self._do(f"mount -o remount,nr_inodes={used} {self.path}")

    def fail(self, how: str) -> None:
        {"full": self.fill, "read-only": self.forbid, "without-inodes": self.use_up_inodes}[how]()

    def mend(self) -> None:
        """Make it writable again, and put what is on it where it belongs."""
        self._do(
            *([f"umount {self.path}"] if self._is_hidden else []),
            f"mount -o remount,rw,nr_inodes=10000 {self.path}",
            f"rm -f {self.path}/filler",
            # The reporter may be at work in there, and goes on: it is the same place.
            *(f"umount --lazy {self.path}/{other}" for other in self._others),
            *(f"rm -rf {self.path}/{other}" for other in self._others),
            f"cp -a {self.path}/. {self._below}",
            f"umount {self.path} {self._below}",
            f"rmdir {self._below}",
        )


@pytest.fixture(scope="module")
def agent(shared_manager: UserManager) -> Agent:
    cncop = Installation(shared_manager)
    made = Agent(cncop)
    clock_of(shared_manager).write_text("+0d")
    for fault in FAULTS:
        if fault.name.startswith("clock-"):
            fake_clock(shared_manager, f"cncop-job-{fault.name}.service")
    cncop.synced(*(job(fault.name, **fault.keys) for fault in FAULTS))
    return made


def fake_clock(manager: UserManager, service: str) -> None:
    assert FAKETIME.exists(), "libfaketime is not installed: apt install faketime"
    drop_in = manager.units / f"{service}.d/clock.conf"
    drop_in.parent.mkdir(parents=True)
    values = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": clock_of(manager),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    lines = [f"Environment={name}={value}" for name, value in values.items()]
    drop_in.write_text("\n".join(["[Service]", *lines, ""]))


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_run_is_closed_once_and_reported_once(agent: Agent, fault: Fault) -> None:
    clock_of(agent.cncop.manager).write_text("+0d")
    victim = Victim(agent, fault.name)
    logs = set(os.listdir(agent.cncop.state / "log"))
    victim.begin()
    fault.strike(victim)
    victim.wait()
    run = victim.closed_once()
    assert (run["outcome"], run["phrase"]) == (fault.outcome, fault.phrase)
    assert logs <= set(os.listdir(agent.cncop.state / "log"))
    if fault.name != "too-long":
        victim.runs_again()


def run_on(disk: Disk, fault: DiskFault, victim: Victim) -> None:
    if fault.when == "before":
        disk.fail(fault.how)
    victim.begin()
    if fault.when == "within":
        disk.fail(fault.how)
    victim.go_on()
    victim.wait()
    said = victim.manager.journal(victim.service)
    assert SAID in said
    assert "copying the last file" in said


@pytest.mark.parametrize("fault", DISK_FAULTS, ids=str)
def test_a_disk_that_cannot_be_written_loses_no_run(manager: UserManager, fault: DiskFault) -> None:
    cncop = Installation(manager)
    victim = Victim(Agent(cncop), "a")
    cncop.synced(job("a"))
    disk = Disk(cncop, fault.place)
    try:
        if fault.when == "before" and fault.place == "state":
            disk.fail(fault.how)
            victim.fail_to_begin()
        else:
            run_on(disk, fault, victim)
    finally:
        disk.mend()
    victim.manager.systemctl("start", "cncop-recover.service")  # as each hour
    (first,) = (report["run"] for report in victim.reports("JF"))
    assert first["outcome"] == fault.outcome
    assert re.search(fault.told, f"{first['phrase']} {first['warnings']}")
    assert len(victim.reports("JS")) == 1
    assert victim.history() in ([first], [])
    victim.leaves_nothing()
    victim.runs_again()


def test_a_state_that_cannot_be_written_for_a_while_ends_no_run(manager: UserManager) -> None:
    cncop = Installation(manager)
    agent = Agent(cncop)
    victim = Victim(agent, "a")
    wait = f"echo began >{agent.up}; cat {agent.down}"
    tell = """echo '{"phase": "mirror"}' >/dev/fd/$CNCOP_PROGRESS_FD"""
    cncop.agent(f"""{wait}; {tell}; {wait}; echo '{{"phrase": "all is copied"}}' >$CNCOP_RESULT""")
    cncop.synced(job("a"))
    disk = Disk(cncop, "state")
    try:
        victim.begin()
        disk.fail("read-only")
        victim.go_on()
        victim.is_at_work()
        disk.allow()
        victim.go_on()
        victim.wait()
    finally:
        disk.mend()
    assert [(run["outcome"], run["phrase"]) for run in victim.history()] == [("OK", "all is copied")]
    victim.leaves_nothing()
