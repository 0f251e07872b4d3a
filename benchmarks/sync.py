"""A sync of 1,000 jobs against systemd reloading and starting the same units, each in a manager of its own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOBS, ROUNDS = 1000, 5
ROOT = Path(__file__).resolve().parent.parent
MANAGER = [sys.executable, str(ROOT / "tests/manager/private_manager.py"), "--"]
CNCOPCTL = str(Path(sys.executable).with_name("cncopctl"))

JOB = """
[[job]]
id = "job-{number:04}"
title = "Job number {number}, nightly"
type = "RSYNC"
schedule = "{minute} {hour} * * 1-5"
timezone = "Europe/Berlin"
source = "/usr/share/doc"
exclude = ["*.tmp"]
timeout = "6h"
keep = {{ daily = 7, weekly = 4, monthly = 12 }}
"""

# Prints: first sync, second sync. Leaves the units in $1.
OURS = """
set -eu; mkdir -p "$XDG_CONFIG_HOME/cncop"; cp "$2" "$XDG_CONFIG_HOME/cncop/profile.toml"
a=$(date +%s%N); "$3" sync-profile --user >/dev/null; b=$(date +%s%N)
"$3" sync-profile --user >/dev/null; c=$(date +%s%N)
rm -rf "$1"; cp -a "$XDG_CONFIG_HOME/systemd/user" "$1"; cp "$2" "$1.toml"
echo $((b - a)) $((c - b))
"""

# Prints: writing, reload and start.
BARE = """
set -eu; mkdir -p "$XDG_CONFIG_HOME/systemd/user"
a=$(date +%s%N); cp -r "$1/." "$XDG_CONFIG_HOME/systemd/user"
sed -i '/^SourcePath/d' "$XDG_CONFIG_HOME"/systemd/user/*.timer "$XDG_CONFIG_HOME"/systemd/user/*.service
b=$(date +%s%N); cd "$XDG_CONFIG_HOME/systemd/user"
systemctl --user daemon-reload; systemctl --user start cncop.target *.timer; c=$(date +%s%N)
echo $((b - a)) $((c - b))
"""


def main() -> None:
    """Print what a sync costs, and what systemd costs without us."""
    with tempfile.TemporaryDirectory(prefix="cncop-bench-") as scratch:
        profile, units = Path(scratch, "profile.toml"), str(Path(scratch, "units"))
        jobs = (JOB.format(number=n, minute=n % 60, hour=n // 60 % 24) for n in range(JOBS))
        profile.write_text("schema = 1\n" + "".join(jobs))
        rows = [(measure(OURS, units, str(profile), CNCOPCTL), measure(BARE, units)) for _ in range(ROUNDS)]
    print(f"{JOBS} jobs, medians of {ROUNDS} rounds, seconds")
    for label, values in (
        ("first sync", [ours[0] for ours, _ in rows]),
        ("second sync, nothing to do", [ours[1] for ours, _ in rows]),
        ("bare: systemctl daemon-reload, start", [bare[1] for _, bare in rows]),
        ("bare: writing the units", [bare[0] for _, bare in rows]),
        ("first sync / bare", [ours[0] / bare[1] for ours, bare in rows]),
        ("first sync / bare with writing", [ours[0] / sum(bare) for ours, bare in rows]),
    ):
        middle = statistics.median(values)
        print(f"  {label:<38} {middle:6.2f}   ({min(values):.2f} to {max(values):.2f})")


def measure(script: str, *arguments: str) -> list[float]:
    """The seconds that `script` prints in nanoseconds, run in a fresh user manager."""
    started = time.monotonic()
    done = subprocess.run(
        [*MANAGER, "bash", "-c", script, "bash", *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
        # Not on the disk: ext4 passes over inodes that were deleted within the last minutes one by one, so
        # that each round would pay for the files of those before it.
        env=os.environ | {"XDG_CACHE_HOME": "/dev/shm/cncop-bench"},
    )
    if time.monotonic() - started > 120:
        print("  (this machine is very busy)", file=sys.stderr)
    return [int(number) / 1e9 for number in done.stdout.split()]
