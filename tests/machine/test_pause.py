"""A pause on a real machine: within a job's sandbox the gate tells a timer's start from a person's."""

from __future__ import annotations

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
