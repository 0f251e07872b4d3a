"""What happens to machines while a job runs, and what becomes of the run: closed once, reported once, no log lost.

tests/manager/test_faults.py has what happens to runs alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from report_schema import valid_report

from .machine import Machine

SAID = "copying the first file"
AGENT = f"""#!/bin/sh
echo '{SAID}' >&2
if test -e /run/slow; then exec sleep infinity; fi
if test -p /run/wait; then cat /run/wait; echo 'copying the last file' >&2; fi
echo '{{"phrase": "all is copied"}}' >"$CNCOP_RESULT"
"""
JOB = """
[[job]]
id = "{name}"
type = "RSYNC"
schedule = "0 0 1 1 *"
source = "/etc/systemd"
"""


@dataclass(frozen=True)
class Fault:
    """What happens while the agent is at work, how the run ends, and whether it is made up for at the next boot."""

    name: str
    strike: Callable[[Machine, str], None]
    phrase: str
    outcome: str = "ABORTED"
    is_made_up_for: bool = True


def cut_power(machine: Machine, _service: str) -> None:
    machine.cut_power()
    machine.start()


def reboot(machine: Machine, _service: str) -> None:
    machine.reboot()


def switch_off(machine: Machine, _service: str) -> None:
    machine.poweroff()
    machine.start()


def run_out_of_memory(machine: Machine, service: str) -> None:
    """What systemd-oomd(8) does: a mark on the control group, then SIGKILL for all in it."""
    group = f"/sys/fs/cgroup{machine.property(service, 'ControlGroup')}"
    mark = "import os, sys; [os.setxattr(sys.argv[1], f'user.{name}', b'1') for name in ('oomd_ooms', 'oomd_kill')]"
    machine.run("python3", "-c", mark, group)
    machine.run("sh", "-c", f"kill -KILL $(cat {group}/cgroup.procs)")
    machine.run("rm", "/run/slow")


DOWN = "the machine went down before it was done"
FAULTS = (
    Fault("power-cut", cut_power, DOWN),
    Fault("rebooted", reboot, "was stopped before it was done, by systemd, as the machine goes down"),
    Fault("switched-off", switch_off, "was stopped before it was done, by systemd, as the machine goes down"),
    Fault(
        "out-of-memory",
        run_out_of_memory,
        "ran out of memory and was killed by the kernel",
        "ERROR",
        is_made_up_for=False,
    ),
)


@dataclass(frozen=True)
class DiskFault:
    """A disk that cannot be written any more while the agent is at work, and what the report says of it."""

    place: str
    how: str
    outcome: str
    told: str

    @property
    def name(self) -> str:
        return f"{self.place.split('/')[2]}-{self.how}"


FULL = "No space left on device"
DISK_FAULTS = (
    DiskFault("/var/log/cncop", "full", "OK", f"the log cannot be written: .*{FULL}"),
    DiskFault("/var/spool/cncop", "full", "OK", "all is copied"),
    DiskFault("/var/spool/cncop", "read-only", "OK", "all is copied"),
    DiskFault("/var/lib/cncop", "full", "ERROR", f"/runs.*{FULL}"),
    DiskFault("/var/lib/cncop", "read-only", "ERROR", "/runs.*Read-only file system"),
)

# What lies below stays in sight; from the first byte on, nor is there room in the last block of a log.
MOUNT = """
mkdir -p /run/below && mount --bind $1 /run/below && mount --make-private /run/below
mount -t tmpfs -o size=2m tmpfs $1
cp -a /run/below/. $1 && chown --reference=/run/below $1 && chmod --reference=/run/below $1
"""
FAIL = {
    "full": "find $1 -name 'CA-*' -exec truncate --size=%4096 {} + ; ! cat /dev/zero >$1/filler 2>&-",
    "read-only": "mount -o remount,ro $1",
}
MEND = "mount -o remount,rw $1; rm -f $1/filler; cp -a $1/. /run/below; umount $1 /run/below"


@pytest.fixture(scope="module")
def synced(device: Machine) -> Machine:
    device.write("/etc/cncop/agents.d/backupagentrsync", AGENT, mode=0o755)
    jobs = (JOB.format(name=fault.name) for fault in (*FAULTS, *DISK_FAULTS))
    device.write("/etc/cncop/profile.toml", "schema = 1\n" + "".join(jobs))
    device.run("cncopctl", "sync-profile")
    return device


def reports(machine: Machine, kind: str, job: str) -> list[dict[str, Any]]:
    """The reports of that kind about the job, wherever they are, each valid."""
    found = []
    for path in machine.run("find", "/var/spool/cncop", "-name", f"{kind}-*.json").stdout.split():
        text = (
            machine.run("cat", path, check=False).stdout
            or machine.run("sh", "-c", f"cat /var/spool/cncop/Archive/*/{path.rpartition('/')[2]}").stdout
        )
        report = valid_report(path.rpartition("/")[2], text)
        if report["run"]["job"] == job:
            found.append(report)
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_run_is_closed_once_and_reported_once(synced: Machine, fault: Fault) -> None:
    service, after = f"cncop-job-{fault.name}.service", synced.cursor()
    synced.write("/run/slow", "")  # until the machine goes down
    synced.run("systemctl", "start", "--no-block", service)
    synced.wait_for_journal(SAID, f"_SYSTEMD_UNIT={service}", after=after)
    fault.strike(synced, service)
    # What a run says as the machine goes down is in the journal of the boot before.
    end = "OK: all is copied" if fault.is_made_up_for else f"{fault.outcome}: {fault.phrase}"
    synced.wait_for_journal(f"{fault.name}: {end}")
    synced.run("systemctl", "stop", service)
    runs = closed(synced, fault.name)
    assert [run["outcome"] for run in runs] == [fault.outcome, *["OK"] * fault.is_made_up_for]
    assert runs[0]["phrase"] == fault.phrase


def closed(machine: Machine, job: str) -> list[dict[str, Any]]:
    """The runs of the job, oldest first: each reported once, in the history, nothing of it left behind."""
    runs = sorted((report["run"] for report in reports(machine, "JF", job)), key=lambda run: run["started"])
    assert len(reports(machine, "JS", job)) == len(runs)
    told = json.loads(machine.run("cncopctl", "history", job, "--json").stdout)
    assert sorted(run["id"] for run in told) == sorted(run["id"] for run in runs)
    assert SAID in machine.read(runs[0]["log"])
    assert machine.run("ls", "-A", "/var/lib/cncop/runs").stdout == ""
    held = "for lock in $(find /run/cncop -name '*.lock'); do flock --nonblock $lock true || echo $lock; done"
    assert machine.run("sh", "-c", held).stdout == ""
    return runs


@pytest.mark.parametrize("fault", DISK_FAULTS, ids=lambda fault: fault.name)
def test_a_disk_that_fails_under_a_run_loses_nothing_of_it(synced: Machine, fault: DiskFault) -> None:
    service, after = f"cncop-job-{fault.name}.service", synced.cursor()
    synced.run("mkfifo", "/run/wait")
    synced.run("sh", "-ec", MOUNT, "sh", fault.place)
    try:
        synced.run("systemctl", "start", "--no-block", service)
        synced.wait_for_journal(SAID, f"_SYSTEMD_UNIT={service}", after=after)
        synced.run("sh", "-ec", FAIL[fault.how], "sh", fault.place)
        synced.run("sh", "-c", "echo >/run/wait")
        synced.wait_for_unit_result(service)
    finally:
        synced.run("sh", "-c", MEND, "sh", fault.place)
        synced.run("rm", "/run/wait")
    synced.run("systemctl", "start", "cncop-recover.service")  # as each hour
    (run,) = closed(synced, fault.name)
    assert run["outcome"] == fault.outcome
    assert re.search(fault.told, f"{run['phrase']} {run['warnings']}")
    synced.wait_for_journal("copying the last file", f"_SYSTEMD_UNIT={service}", after=after)
