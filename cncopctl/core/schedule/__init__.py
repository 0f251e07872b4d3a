"""Schedules: what a profile says about time, and the systemd calendar lines that say exactly the same.

    parse      what is written -> Schedule
    translate  Schedule -> OnCalendar lines, exact or refused
    instants   Schedule -> the instants that it means, worked out apart from the translation

Everything here is pure: no clock, no environment, no processes; time zones come from the system's
database through `zoneinfo`.
"""

from cncopctl.core.schedule.dialect import Dialect
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.instants import instants_after, next_after, previous_before
from cncopctl.core.schedule.model import Dst, Schedule
from cncopctl.core.schedule.parse import parse
from cncopctl.core.schedule.seed import Seed
from cncopctl.core.schedule.translate import Translation, translate

__all__ = [
    "Dialect",
    "Dst",
    "Schedule",
    "ScheduleError",
    "Seed",
    "Translation",
    "instants_after",
    "next_after",
    "parse",
    "previous_before",
    "translate",
]
