"""Asking systemd when calendar lines elapse, many lines in one call."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

# The kernel takes at most 2 MiB of arguments, and a failing call is easier to read when it is short.
BATCH = 2_000
# "Iter. #2" is "Iteration #2" since systemd 256 or so. The line in UTC is left out where the zone's clocks
# never differ from it; they may have differed once, and then the name of the zone tells by how much.
ELAPSE = re.compile(
    r"(?:Next elapse|Iter(?:\.|ation) #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S+)"
    r"(?:\n *\(in UTC\): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC)?"
)
OFFSET = re.compile(r"[+-]\d\d(?:\d\d)?")
SPEC = re.compile(r"^ *Normalized form:", re.MULTILINE)


# Turns a command into the one that is to be started; machine.argv runs it in a machine.
Enter = Callable[..., list[str]]


def here(*argv: str) -> list[str]:
    return list(argv)


def elapses(
    lines: Sequence[str], base: datetime, count: int, zone: str = "UTC", enter: Enter = here
) -> list[list[datetime]]:
    """Return at most `count` elapses of each line after `base`, as `systemd-analyze calendar` tells them.

    systemd starts a process for each answer about a zone that is not its own (1 ms each), so the zone of
    the lines is made its own and left out of them; `test_zones_on_the_line` shows that this is the same.
    """
    found: list[list[datetime]] = []
    for start in range(0, len(lines), BATCH):
        bare = [line.removesuffix(f" {zone}") for line in lines[start : start + BATCH]]
        found += batch(bare, base, count, zone, enter)
    return found


def batch(
    lines: Sequence[str], base: datetime, count: int, zone: str, enter: Enter = here
) -> list[list[datetime]]:
    run = calendar([f"--iterations={count}", *lines], base, zone, enter)
    assert run.returncode == 0, run.stderr
    starts = [match.start() for match in SPEC.finditer(run.stdout)] + [len(run.stdout)]
    assert len(starts) == len(lines) + 1, run.stderr
    return [instants(run.stdout[start:end]) for start, end in pairwise(starts)]


def timer(lines: Sequence[str], base: datetime, until: datetime, zone: str) -> list[datetime]:
    """Return when a timer with these lines elapses, asking all lines anew after each elapse as PID 1 does.

    A line on which systemd fails ("Infinite loop in calendar calculation") counts for nothing that time.
    """
    found: list[datetime] = []
    while True:
        answers = [
            answer for line in lines for answer in next_elapse(line.removesuffix(f" {zone}"), base, zone)
        ]
        base = min(answers, default=until)
        if base >= until:
            return found
        found.append(base)


def next_elapse(line: str, base: datetime, zone: str) -> list[datetime]:
    run = calendar([line], base, zone)
    assert run.returncode == 0 or "Infinite loop" in run.stderr, run.stderr
    return instants(run.stdout)


def calendar(
    words: Sequence[str], base: datetime, zone: str, enter: Enter = here
) -> subprocess.CompletedProcess[str]:
    since = f"--base-time={base.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    argv = enter("env", f"TZ={zone}", "LC_ALL=C", "systemd-analyze", "calendar", since, *words)
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def instants(output: str) -> list[datetime]:
    """Return the instants in the output for one line, in order; beside local times stands the UTC one."""
    found = []
    for local, name, utc in ELAPSE.findall(output):
        offset = name if not utc and OFFSET.fullmatch(name) else "+00:00"
        found.append(datetime.fromisoformat(f"{utc or local}{offset}").astimezone(UTC))
    return found
