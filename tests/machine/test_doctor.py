"""doctor on a real machine: what an administrator breaks is found, and nothing on a machine that is fine."""

from __future__ import annotations

import json

import pytest

from .machine import Machine

PROFILE = """
schema = 1
[[job]]
id = "a"
type = "RSYNC"
schedule = "30 12 * * *"
timezone = "UTC"
source = "/etc"
"""


@pytest.fixture(scope="module")
def synced(device: Machine) -> Machine:
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "sync-profile")
    device.run("cncopctl", "doctor", check=False)  # says once that the password wants a copy
    return device


def problems(machine: Machine) -> set[str]:
    """What is found, but for the clock, which is the host's."""
    done = machine.run("cncopctl", "doctor", "--json", check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (3 if found else 0)
    return {f"{each['about']}: {each['what']}" for each in found if "clock" not in each["what"]}


def test_a_machine_that_is_fine_has_no_problem(synced: Machine) -> None:
    assert problems(synced) == set()


def test_what_was_stopped_masked_edited_or_left_is_found_and_mended(synced: Machine) -> None:
    synced.run("systemctl", "stop", "cncop-job-a.timer", "cncop-sync.timer", "cncop-reporter.path")
    synced.run("sed", "-i", "s/Nice=10/Nice=1/", "/etc/systemd/system/cncop-job-a.service")
    synced.write("/var/lib/cncop/runs/0123/run.json", '{"job": "a"}')
    old = f"/var/spool/cncop/Mail/{'0' * 9}.json"
    synced.run("touch", "--date=2020-01-01", old)
    found = problems(synced)
    assert any(each.startswith("spool: has 1 reports and mails that wait") for each in found)
    synced.run("rm", "-f", old)
    assert "cncop-job-a.timer: is inactive: it starts nothing" in found
    assert "cncop-reporter.path: is inactive: it starts nothing" in found
    assert "cncop-job-a.service: was edited by hand" in found
    assert any(each.startswith("cncop-sync.timer: is not active") for each in found)
    assert "a: run 0123 was never closed: the machine or its manager went down in it" in found
    synced.run("rm", "-r", "/var/lib/cncop/runs/0123")
    synced.run("cncopctl", "sync-profile")
    assert problems(synced) == set()


def test_a_stopped_target_a_broken_profile_and_a_lost_disk_are_found(synced: Machine) -> None:
    synced.run("systemctl", "stop", "cncop.target")
    synced.run("mv", "/var/backups/cncop/a", "/var/backups/cncop/b")
    synced.write("/etc/cncop/jobs.d/x.toml", "schema = 1\n[[job]]\nid = 5\n")
    found = problems(synced)
    assert any("jobs.d/x.toml" in each for each in found)
    assert 'a: its destination "/var/backups/cncop/a" is not there' in found
    synced.run("rm", "/etc/cncop/jobs.d/x.toml")
    assert "cncop.target: is stopped: nothing fires" in problems(synced)
