"""The re-sync on a real machine: within its sandbox, by a changed time zone, and at boot."""

from __future__ import annotations

import json

import pytest

from .machine import Machine

# More jobs than are synced to disk one by one.
JOBS = "".join(
    f'[[job]]\nid = "j{number}"\ntype = "RSYNC"\nschedule = "30 12 * * *"\nsource = "/etc"\n'
    for number in range(20)
)


@pytest.fixture(scope="module")
def synced(device: Machine) -> Machine:
    device.write("/etc/cncop/profile.toml", f"schema = 1\n{JOBS}")
    device.run("timedatectl", "set-timezone", "Europe/Berlin")
    device.run("cncopctl", "sync-profile")
    return device


def zone_of(machine: Machine) -> str:
    return machine.property("cncop-job-j7.timer", "TimersCalendar").partition(" ;")[0].rpartition(" ")[2]


def test_its_sandbox_is_tight(synced: Machine) -> None:
    judged = synced.run(
        "systemd-analyze", "security", "--no-pager", "--threshold=30", "cncop-sync.service", check=False
    )
    assert judged.returncode == 0, judged.stdout


def test_a_changed_time_zone_is_followed_at_once(synced: Machine) -> None:
    assert zone_of(synced) == "Europe/Berlin"
    active_since = synced.property("cncop-job-j7.timer", "ActiveEnterTimestampMonotonic")
    synced.run("timedatectl", "set-timezone", "Asia/Tokyo")
    assert synced.wait_for_unit_result("cncop-sync.service") == "success"
    assert zone_of(synced) == "Asia/Tokyo"
    assert synced.property("cncop-job-j7.timer", "ActiveEnterTimestampMonotonic") == active_since
    assert json.loads(synced.run("cncopctl", "sync-profile", "--json").stdout)["steps"] == []


def test_in_its_sandbox_it_adds_a_job_and_makes_the_directory_of_its_backups(synced: Machine) -> None:
    synced.write(
        "/etc/cncop/jobs.d/new.toml", f"schema = 1\n{JOBS[: JOBS.index('[[job]]', 2)]}".replace("j0", "new")
    )
    synced.run("systemctl", "start", "cncop-sync.service")
    assert synced.property("cncop-job-new.timer", "ActiveState") == "active"
    assert "new" in synced.run("ls", "/var/backups/cncop").stdout.split()


def test_one_that_was_missed_is_made_up_for_at_boot_and_resumes_everything(synced: Machine) -> None:
    synced.run("touch", "--date=2020-01-01", "/var/lib/systemd/timers/stamp-cncop-sync.timer")
    synced.write("/etc/cncop/jobs.d/new.toml", "schema = 1\n")
    synced.write("/etc/systemd/system/cncop-sync.timer.d/now.conf", "[Timer]\nRandomizedDelaySec=0\n")
    synced.reboot()
    synced.wait_for_journal(r"removed +new", "SYSLOG_IDENTIFIER=cncop", timeout=120)
    assert synced.property("cncop-job-j7.timer", "ActiveState") == "active"
