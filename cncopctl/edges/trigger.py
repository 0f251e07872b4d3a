"""Which timer is behind the present start of a service.

$TRIGGER_UNIT alone does not tell: where a timer has started a service once, systemd (252) shows that timer to all
later starts as well, be they another timer's or a person's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

_UNITS = {
    "y": 31_557_600_000_000,
    "month": 2_629_800_000_000,
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "min": 60_000_000,
    "s": 1_000_000,
    "ms": 1000,
    "us": 1,
}


def timer_behind(service: str, timers: Sequence[str], otherwise: str, *, user: bool) -> str:
    """The first of `timers` that has elapsed since `service` was last down; "" where none has.

    To be asked while the service starts; `otherwise` is the answer where systemd gives none.
    """
    properties = "--property=Id,LastTriggerUSecMonotonic,InactiveEnterTimestampMonotonic"
    command = ["systemctl", *(["--user"] if user else []), "show", properties, "--", service, *timers]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return otherwise
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in done.stdout.split("\n\n")]
    units = {block.get("Id", ""): block for block in blocks}
    if done.returncode or service not in units:
        return otherwise
    down = _number(units[service], "InactiveEnterTimestampMonotonic")
    behind = (name for name in timers if _number(units.get(name, {}), "LastTriggerUSecMonotonic") > down)
    return next(behind, "")


def _number(properties: dict[str, str], name: str) -> int:
    return microseconds(properties.get(name, ""))


def microseconds(text: str) -> int:
    """Microseconds; systemctl shows those of timers as a span: `1h 57min 51.950844s`. 0 for what is no time."""
    if text.isdecimal():
        return int(text)
    total = 0.0
    for part in text.split():
        digits = part.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = _UNITS.get(part[len(digits) :])
        if unit is None or not digits:
            return 0
        total += float(digits) * unit
    return round(total)
