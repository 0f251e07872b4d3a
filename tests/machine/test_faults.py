"""What happens to machines while a job runs, and what becomes of the run: closed once, reported once, no log lost.

tests/manager/test_faults.py has what happens to runs alone.
"""

from __future__ import annotations

import json
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
    Fault("rebooted", reboot, "was stopped before it was done"),
    Fault("switched-off", switch_off, "was stopped before it was done"),
    Fault(
        "out-of-memory",
        run_out_of_memory,
        "ran out of memory and was killed by the kernel",
        "ERROR",
        is_made_up_for=False,
    ),
)


@pytest.fixture(scope="module")
def synced(device: Machine) -> Machine:
    device.write("/etc/cncop/agents.d/backupagentrsync", AGENT, mode=0o755)
    jobs = (JOB.format(name=fault.name) for fault in FAULTS)
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
    synced.wait_for_journal(f"{fault.name}: {fault.outcome}: {fault.phrase}")
    if fault.is_made_up_for:
        synced.wait_for_journal(f"{fault.name}: OK: all is copied")
    synced.run("systemctl", "stop", service)
    runs = sorted(
        (report["run"] for report in reports(synced, "JF", fault.name)), key=lambda run: run["started"]
    )
    assert [run["outcome"] for run in runs] == [fault.outcome, *["OK"] * fault.is_made_up_for]
    assert runs[0]["phrase"] == fault.phrase
    assert len(reports(synced, "JS", fault.name)) == len(runs)
    told = json.loads(synced.run("cncopctl", "history", fault.name, "--json").stdout)
    assert sorted(run["id"] for run in told) == sorted(run["id"] for run in runs)
    assert SAID in synced.read(runs[0]["log"])
    assert synced.run("ls", "-A", "/var/lib/cncop/runs").stdout == ""
    held = "for lock in $(find /run/cncop -name '*.lock'); do flock --nonblock $lock true || echo $lock; done"
    assert synced.run("sh", "-c", held).stdout == ""
