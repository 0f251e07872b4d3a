"""What keeps timers from starting jobs on a real machine: a pause, and being off when their time has come."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from .machine import Machine

PROFILE = """
schema = 1
[[job]]
id = "often"
type = "RSYNC"
schedule = "* * * * * */5"
source = "/etc/systemd"
"""


def test_a_timer_is_kept_back_also_after_a_reboot_and_a_person_is_not(device: Machine) -> None:
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "sync-profile")
    device.wait_for_journal(r"often: OK", timeout=60)
    device.run("cncopctl", "pause", "often", "--reason", "new disks")
    device.reboot()
    after = device.cursor()
    device.wait_for_journal(r"often: SKIPPED: paused until it is resumed, because: new disks", after=after)
    after = device.cursor()
    device.run("cncopctl", "runjob", "--force", "often")
    device.wait_for_journal(r"runs all the same, as somebody has started it", after=after)
    device.run("cncopctl", "resume", "often")
    device.wait_for_journal(r"often: OK", after=device.cursor())


NIGHTS = """
schema = 1
[[job]]
id = "kept"
type = "RSYNC"
schedule = "{time}"
timezone = "UTC"
source = "/etc/systemd"
[[job]]
id = "lost"
type = "RSYNC"
schedule = "{time}"
timezone = "UTC"
source = "/etc/systemd"
catch_up = false
"""


def test_what_was_missed_while_the_machine_was_off_is_made_up_for_or_told(device: Machine) -> None:
    due = datetime.now(UTC) - timedelta(hours=3)
    device.write("/etc/cncop/profile.toml", NIGHTS.format(time=f"{due:%M %H} * * *"))
    device.run("cncopctl", "sync-profile")
    # As if they had been there for long, and had run last two nights ago.
    device.run(
        "sed",
        "-i",
        "s/^schedule_since = .*/schedule_since = 2026-01-01T00:00:00Z/",
        "/var/lib/cncop/jobs/kept.toml",
        "/var/lib/cncop/jobs/lost.toml",
    )
    before = f"--date={due - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    device.run("touch", before, "/var/lib/systemd/timers/stamp-cncop-job-kept.timer")
    device.reboot()
    ended = device.wait_for_journal(r"^kept: OK", "CNCOP_OUTCOME=OK", "_SYSTEMD_UNIT=cncop-job-kept.service")
    assert ended.message.startswith("kept: OK: ")
    checked = device.run("cncopctl", "check-backups", check=False)
    assert checked.returncode == 2
    assert "1 of 2 jobs: lost: has not run: it was to run at " in checked.stdout
    assert " ago, when timers were not up |" in checked.stdout
    assert device.run("cncopctl", "check-backups", "kept").stdout.startswith("CNCOP OK: kept: OK ")
    told = json.loads(device.run("cncopctl", "why", "lost", "--json").stdout)
    assert told["reason"] == "missed"
    assert "when timers were not up; catch_up is off" in told["answer"]


def test_monitoring_without_rights_is_unknown_not_critical(device: Machine) -> None:
    checked = device.run_as("nobody", "cncopctl", "check-backups", "--system", check=False)
    assert (checked.returncode, checked.stdout.partition(":")[0]) == (3, "CNCOP UNKNOWN")
