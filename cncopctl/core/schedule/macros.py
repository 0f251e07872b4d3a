"""The words that stand for a whole schedule: @daily and its like, @reboot, @every."""

from __future__ import annotations

import re

from cncopctl.core.schedule.errors import ScheduleError

# Written as fields, never handed on: systemd's `weekly` is Monday, cron's is Sunday.
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
REBOOT = "@reboot"
EVERY = "@every"
EVERY_WORDS = re.compile(r"@every[ \t]+(.+)", re.IGNORECASE)


def expand(text: str) -> str:
    """Return the five fields that a macro stands for.

    Raises:
        ScheduleError: no macro is called so.
    """
    fields = MACROS.get(text.lower())
    if fields is None:
        raise ScheduleError(
            f"{text} is not known", f"write one of {', '.join(MACROS)}, {REBOOT}, {EVERY} 90m", position=0
        )
    return fields
