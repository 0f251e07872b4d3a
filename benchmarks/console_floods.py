"""The console under floods, in full: 10,000 fuzzed sessions, 500 connections at once, 100 slow readers.

The test suite does the same with fewer sessions (tests/machine/test_console_hostile.py). Give releases as
$CNCOP_FLOODED to flood only those, and $CNCOP_SESSIONS for another number of fuzzed sessions.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent / "tests"
FUZZER = TESTS / "machine/console_fuzzer.py"
# A thousand at a time, so that it can be seen how it comes on.
FLOODS = (
    ("burst", "500"),
    ("slow-readers", "100"),
    *(
        ("fuzz", "1000", str(first))
        for first in range(0, int(os.environ.get("CNCOP_SESSIONS", "10000")), 1000)
    ),
)


def main() -> None:
    """Flood, then print what is left: processes, failed units, lines of tracebacks."""
    sys.path.insert(0, str(TESTS))
    from machine.image import RELEASES
    from machine.machine import Machine
    from machine.project import build_wheel

    with tempfile.TemporaryDirectory() as directory:
        wheel = build_wheel(Path(directory))
        for release in os.environ.get("CNCOP_FLOODED", " ".join(RELEASES)).split():
            with Machine.boot(release) as machine:
                flood(release, machine, wheel)


def flood(release: str, machine: Any, wheel: Path) -> None:
    """Install the console on a machine, flood it in each way, and print how long that took and what is left."""
    from machine.console import converse, install_console

    install_console(machine, wheel)
    machine.copy_in(FUZZER, "/usr/local/lib")
    program = f"/usr/local/lib/{FUZZER.name}"
    for words in FLOODS:
        began = time.monotonic()
        said = machine.run("python3", program, *words, timeout=3600).stdout.splitlines()
        machine.run("python3", program, "wait-until-quiet", timeout=600)
        print(
            f"{release}: {' '.join(words)}: {time.monotonic() - began:.0f} s; {said[-1] if said else ''}",
            flush=True,
        )
    honest = "web-01" in converse(machine, "print(ask(begun(), 'SCHEDULES -j'))")
    failed = machine.run("systemctl", "--failed", "--no-legend", "--plain").stdout.split()
    left = machine.run("pgrep", "--full", "cncopctl/console", check=False).stdout.split()
    # Counted where it lies: of 10,000 sessions it takes minutes to read.
    count = "journalctl --quiet --output=cat --unit='cncop-console@*' | grep --count --regexp=\"$0\" || true"
    traces, failures = (
        machine.run("sh", "-c", count, text, timeout=1800).stdout.strip()
        for text in ("Traceback", "Failed with result")
    )
    target = machine.property("cncop.target", "ActiveState")
    print(
        f"{release}: honest session served: {honest}; target: {target}; failed: {failed}; processes left: {left}"
    )
    print(f"{release}: tracebacks: {traces}; failures: {failures}")
