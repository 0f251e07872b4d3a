"""The reporter on real machines: in its sandbox it hands on what jobs, which run as root, have spooled."""

from __future__ import annotations

import pytest
from report_schema import valid_report

from .machine import Machine

SERVICE, SPOOL = "cncop-reporter.service", "/var/spool/cncop"
PROFILE = """
schema = 1
[[job]]
id = "a"
type = "RSYNC"
schedule = "30 12 1 1 *"
source = "/etc/systemd"
"""


@pytest.fixture(scope="module")
def synced(device: Machine) -> Machine:
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "sync-profile")
    return device


def archived(machine: Machine) -> list[str]:
    """Names of the reports in the archive, each of which is valid."""
    paths = machine.run("find", f"{SPOOL}/Archive", "-type", "f").stdout.split()
    for path in paths:
        valid_report(path.rpartition("/")[2], machine.read(path))
    return sorted(path.rpartition("/")[2] for path in paths)


def wait_for_archive(machine: Machine, count: int) -> list[str]:
    """Return when the reporter has archived that many reports in all."""
    while len(archived(machine)) < count:
        assert machine.wait_for_unit_result(SERVICE) == "success"
    return archived(machine)


def test_the_sandbox_is_as_tight_as_that_of_a_task(synced: Machine) -> None:
    judged = synced.run("systemd-analyze", "security", "--no-pager", "--threshold=15", SERVICE, check=False)
    assert judged.returncode == 0, judged.stdout


def test_the_reports_of_a_run_are_archived_as_soon_as_they_are_there(synced: Machine) -> None:
    assert "a: OK: " in synced.run("cncopctl", "runjob", "a").stdout
    assert [name[:3] for name in wait_for_archive(synced, 2)] == ["JF-", "JS-"]
    assert synced.run("ls", "-A", f"{SPOOL}/Messages").stdout == ""
    assert synced.run("find", f"{SPOOL}/Archive", "-type", "f", "!", "-perm", "0600").stdout == ""


def test_reports_that_wait_when_power_fails_are_archived_after_the_next_boot(synced: Machine) -> None:
    synced.run("systemctl", "stop", "cncop.target")
    synced.run("systemctl", "start", "cncop-job-a.service")
    assert len(synced.run("ls", f"{SPOOL}/Messages").stdout.split()) == 2
    synced.cut_power()
    synced.start()
    assert len(wait_for_archive(synced, 4)) == 4


def test_the_program_is_on_the_path_and_may_be_called_by_hand(synced: Machine) -> None:
    assert "usage: cncopreporter" in synced.run("cncopreporter", "-?").stdout
    synced.write(f"{SPOOL}/Messages/\x1b[31m.json", "junk")
    synced.run("cncopreporter", "-d")
    assert synced.run("ls", f"{SPOOL}/Bad").stdout.strip() == "\x1b[31m.json"
