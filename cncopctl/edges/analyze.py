"""systemd's own word on when calendar lines elapse: `systemd-analyze calendar`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cncopctl.core.errors import SystemdError

# The kernel takes at most 2 MiB of arguments (execve(2)); lines are hardly ever longer than 500 bytes.
_BATCH = 1_000
# "Iter. #2" is "Iteration #2" since systemd 256 or so. The line in UTC is left out where the zone's clocks
# never differ from it; they may have differed once, and then the name of the zone tells by how much.
_ELAPSE = re.compile(
    r"(?:Next elapse|Iter(?:\.|ation) #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S+)"
    r"(?:\n *\(in UTC\): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC)?"
)
_OFFSET = re.compile(r"[+-]\d\d(?:\d\d)?")
_NORMALIZED = re.compile(r"^ *Normalized form:", re.MULTILINE)
_LOOP = "Infinite loop"
_HOUR = timedelta(hours=1)


def elapses(lines: Sequence[str], base: datetime, count: int, zone: str | None) -> list[list[datetime]]:
    """At most `count` elapses of each line after `base` (aware), as systemd works them out.

    `zone` is that of the lines, where they name one. systemd starts a process for every single answer
    about a zone that is not its own, so the zone is made its own and left out of the lines.

    Raises:
        SystemdError: systemd-analyze cannot be started, or refuses a line.
    """
    found: list[list[datetime]] = []
    bare = [line.removesuffix(f" {zone}") if zone else line for line in lines]
    for start in range(0, len(bare), _BATCH):
        found += _batch(bare[start : start + _BATCH], base, count, zone or "UTC")
    return found


def _batch(lines: Sequence[str], base: datetime, count: int, zone: str) -> list[list[datetime]]:
    done = _run(lines, base, count, zone)
    starts = [match.start() for match in _NORMALIZED.finditer(done.stdout)]
    if done.returncode == 0 and len(starts) == len(lines):
        return [_instants(done.stdout[start:end]) for start, end in pairwise([*starts, len(done.stdout)])]
    if len(lines) > 1:
        middle = len(lines) // 2
        return _batch(lines[:middle], base, count, zone) + _batch(lines[middle:], base, count, zone)
    if _LOOP not in done.stderr:
        raise SystemdError(f"systemd-analyze refuses {lines[0]!r}: {done.stderr.strip()}")
    return [list(_step_by_step(lines[0], base, count, zone))]


def _step_by_step(line: str, base: datetime, count: int, zone: str) -> Iterator[datetime]:
    """The elapses of a line on which systemd fails from some times ("Infinite loop in calendar calculation").

    A timer asks anew whenever another of its lines elapses; here that is taken to be an hour later.
    """
    found = failed = 0
    while found < count and failed < 48:
        done = _run([line], base, 1, zone)
        if done.returncode:
            base, failed = base + _HOUR, failed + 1
            continue
        answered = _instants(done.stdout)
        if not answered:
            return
        yield (base := answered[0])
        found += 1


def _run(lines: Sequence[str], base: datetime, count: int, zone: str) -> subprocess.CompletedProcess[str]:
    since = f"--base-time={base.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    try:
        return subprocess.run(
            ["systemd-analyze", "calendar", f"--iterations={count}", since, "--", *lines],
            env={**os.environ, "TZ": zone, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        hint = "it is in Debian's package systemd"
        raise SystemdError(f"systemd-analyze cannot be started: {error.strerror}", hint) from error


def _instants(output: str) -> list[datetime]:
    """The elapses in the output for one line, in order."""
    found = []
    for local, name, utc in _ELAPSE.findall(output):
        offset = name if not utc and _OFFSET.fullmatch(name) else "+00:00"
        found.append(datetime.fromisoformat(f"{utc or local}{offset}").astimezone(UTC))
    return found
