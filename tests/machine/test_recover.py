"""A power cut in the middle of a run: at boot it is closed, reported once, and made up for where the job wants it."""

from __future__ import annotations

import json

from .machine import Machine

PROFILE = """
schema = 1
[[job]]
id = "again"
type = "RSYNC"
schedule = "0 0 1 1 *"
source = "/etc/systemd"

[[job]]
id = "once"
type = "RSYNC"
schedule = "0 0 1 1 *"
source = "/etc/systemd"
catch_up = false
"""

# Never ends before the power is cut, and is OK at once after it.
AGENT = """#!/bin/sh
if test -e /var/lib/after; then echo '{"phrase": "copied"}' >"$CNCOP_RESULT"; exit 0; fi
echo "began" >&2; exec sleep infinity
"""


def finished(device: Machine) -> list[tuple[str, str, str]]:
    """Job, outcome and phrase of all finished runs, as their reports tell, oldest first."""
    script = "find /var/spool/cncop -name 'JF-*.json' -exec cat {} +"
    texts = device.run("sh", "-c", script).stdout
    decoder, runs, at = json.JSONDecoder(), [], 0
    while at < len(texts.rstrip()):
        report, at = decoder.raw_decode(texts, at)
        runs.append(report["run"])
        at += 1
    runs.sort(key=lambda run: run["started"])
    return [(run["job"], run["outcome"], run["phrase"]) for run in runs]


def test_runs_that_went_down_with_the_machine_are_closed_and_made_up_for(device: Machine) -> None:
    device.write("/etc/cncop/agents.d/backupagentrsync", AGENT, mode=0o755)
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "sync-profile")
    after = device.cursor()
    for job in ("again", "once"):
        device.run("systemctl", "start", "--no-block", f"cncop-job-{job}.service")
        device.wait_for_journal("began", after=after)
        after = device.cursor()
    device.write("/var/lib/after", "")
    device.cut_power()
    device.start()
    device.wait_for_journal(r"again: OK: copied", timeout=40)
    device.wait_for_journal(r"once: ABORTED: ", timeout=40)
    down = "the machine went down before it was done"
    assert sorted(finished(device)[:2]) == [("again", "ABORTED", down), ("once", "ABORTED", down)]
    assert finished(device)[2:] == [("again", "OK", "copied")]
    assert device.run("sh", "-c", "ls /var/lib/cncop/runs | wc -l").stdout == "0\n"
    assert device.run("systemctl", "--failed", "--quiet", "--no-legend").stdout == ""
