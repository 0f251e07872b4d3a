"""A machine from its first profile to a restored backup, with a timer that fires by itself, and over a reboot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .machine import Machine

PROFILE = """
schema = 1

[[job]]
id = "often"
title = "Every other second: 100% of $HOME"
type = "RSYNC"
schedule = "* * * * * */2"
source = "/etc/systemd"

[[job]]
id = "nightly"
title = "Nightly"
type = "RSYNC"
schedule = "30 2 * * *"
timezone = "Europe/Berlin"
source = "/usr/lib/python3"
keep = { daily = 7 }
"""

UNITS = [
    "cncop-job-nightly.service",
    "cncop-job-nightly.timer",
    "cncop-recover.service",
    "cncop-recover.timer",
    "cncop-reporter.path",
    "cncop-reporter.service",
    "cncop-reporter.timer",
    "cncop-sync.service",
    "cncop-sync.timer",
    "cncop.target",
]

ONLY_NIGHTLY = PROFILE[: PROFILE.index("[[job]]")] + PROFILE[PROFILE.rindex("[[job]]") :]


@pytest.fixture(scope="module")
def synced(device: Machine) -> Machine:
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "sync-profile")
    return device


def jobs(machine: Machine) -> dict[str, Any]:
    return {job["id"]: job for job in json.loads(machine.run("cncopctl", "jobs", "--json").stdout)}


def units(machine: Machine) -> list[str]:
    listed = machine.run(
        "systemctl", "list-units", "--all", "--no-legend", "--plain", "cncop-*", "cncop.target"
    ).stdout
    return sorted(line.split()[0] for line in listed.splitlines())


def wait_while_it_runs(machine: Machine, unit: str) -> None:
    """A unit that is ordered after one that is being started waits for it (systemd.unit(5), After=)."""
    machine.run("systemd-run", "--quiet", "--wait", f"--property=After={unit}", "true")


def test_a_timer_fires_by_itself_and_the_run_is_history(synced: Machine) -> None:
    synced.wait_for_journal(r"often: OK: \d+ files", timeout=60)
    run = jobs(synced)["often"]["last_run"]
    assert run["outcome"] == "OK"
    assert run["snapshot"]
    assert f"-{run['id']}.json" in synced.run("find", "/var/spool/cncop", "-name", "JF-*").stdout


def test_a_job_run_by_hand_is_restored_byte_for_byte(synced: Machine) -> None:
    done = synced.run("cncopctl", "runjob", "nightly")
    assert "nightly: OK: " in done.stdout
    synced.run("cncopctl", "restore", "nightly", "--to", "/root/doc")
    compared = synced.run(
        "rsync", "-aHAXnc", "--delete", "--itemize-changes", "/usr/lib/python3/", "/root/doc/"
    )
    assert compared.stdout == ""


def test_the_sandbox_of_a_job_is_tight(synced: Machine) -> None:
    judged = synced.run(
        "systemd-analyze",
        "security",
        "--no-pager",
        "--threshold=30",
        "cncop-job-nightly.service",
        check=False,
    )
    assert judged.returncode == 0, judged.stdout


def test_a_second_sync_does_nothing(synced: Machine) -> None:
    before = synced.run("ls", "-l", "--time-style=full-iso", "/etc/systemd/system").stdout
    document = json.loads(synced.run("cncopctl", "sync-profile", "--json").stdout)
    assert (document["changed"], document["steps"]) == (False, [])
    assert synced.run("ls", "-l", "--time-style=full-iso", "/etc/systemd/system").stdout == before


def test_a_removed_job_is_gone_and_the_other_stays(synced: Machine) -> None:
    active_since = synced.property("cncop-job-nightly.timer", "ActiveEnterTimestampMonotonic")
    synced.write("/etc/cncop/profile.toml", ONLY_NIGHTLY)
    synced.run("cncopctl", "sync-profile")
    wait_while_it_runs(synced, "cncop-job-often.service")
    synced.run("cncopctl", "sync-profile")
    assert units(synced) == UNITS
    assert synced.property("cncop-job-nightly.timer", "ActiveEnterTimestampMonotonic") == active_since
    assert "often" not in synced.run("ls", "/var/lib/systemd/timers").stdout
    assert synced.run("ls", "/var/backups/cncop").stdout.split() == ["nightly", "often"]


def test_everything_is_there_again_after_a_reboot(synced: Machine) -> None:
    synced.reboot()
    assert synced.property("cncop.target", "ActiveState") == "active"
    assert units(synced) == UNITS
    assert synced.property("cncop-job-nightly.timer", "ActiveState") == "active"
    assert json.loads(synced.run("cncopctl", "sync-profile", "--json").stdout)["steps"] == []
    assert jobs(synced)["nightly"]["last_run"]["outcome"] == "OK"
    assert "nightly: OK: " in synced.run("cncopctl", "runjob", "Nightly").stdout


def test_a_stopped_target_stops_everything_until_it_is_started_again(synced: Machine) -> None:
    synced.run("systemctl", "stop", "cncop.target")
    assert synced.property("cncop-job-nightly.timer", "ActiveState") == "inactive"
    assert "cncop.target was stopped" in synced.run("cncopctl", "sync-profile").stdout
    assert synced.property("cncop-job-nightly.timer", "ActiveState") == "inactive"
    synced.run("systemctl", "start", "cncop.target")
    assert synced.property("cncop-job-nightly.timer", "ActiveState") == "active"
