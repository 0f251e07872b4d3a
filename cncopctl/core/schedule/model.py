"""What a schedule is, once it has been read: values that both evaluation and translation start from.

Sets of small numbers are bit masks: bit n stands for the value n. Weekdays count from Monday (bit 0), as
systemd writes them and `date.weekday()` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

FIRST_YEAR = 1970
LAST_YEAR = 2199  # calendarspec.c looks no further

ALL_SECONDS = ALL_MINUTES = (1 << 60) - 1
ALL_HOURS = (1 << 24) - 1
ALL_DAYS = (1 << 32) - 2
ALL_MONTHS = (1 << 13) - 2
ALL_WEEKDAYS = (1 << 7) - 1
ALL_WEEKS = (1 << 54) - 2
ALL_YEARS = (1 << LAST_YEAR + 1) - (1 << FIRST_YEAR)


class Dst(StrEnum):
    """What happens to local times that a change of the clocks skips or repeats."""

    CRON = "cron"
    SKIP = "skip"

    def catches_up(self) -> bool:
        """Return whether lost times run after the gap, and even rhythms through the repeated hour."""
        return self is Dst.CRON


@dataclass(frozen=True, slots=True)
class DayRule:
    """Which days of a month a schedule means, by their number, by their weekday, or by both.

    `from_end` has bit n for "n days before the last one", `nearest` bit n for "the weekday nearest to
    day n", `last_weekday` is LW. `nth` has bit 7 * (k - 1) + d for the k-th weekday d, `last` bit d for
    the last weekday d. `either` joins the two fields by OR, as cron does where both are restricted.
    """

    days: int = ALL_DAYS
    from_end: int = 0
    nearest: int = 0
    last_weekday: bool = False
    weekdays: int = ALL_WEEKDAYS
    nth: int = 0
    last: int = 0
    either: bool = False


EVERY_DAY = DayRule()


@dataclass(frozen=True, slots=True)
class CalendarRule:
    """Local times by the fields of calendar and clock; all of them must match.

    `starred` is cron's flag: the minute or the hour field begins with a star, so the schedule keeps its
    rhythm through changes of the clocks instead of running each local time once.
    """

    second: int
    minute: int
    hour: int
    month: int
    day: DayRule
    starred: bool
    year: int = ALL_YEARS
    week: int = ALL_WEEKS


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant. `local` is the wall-clock time as it was written, when it was written without offset."""

    instant: datetime
    local: datetime | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """Every `every`, counted in absolute time so that `anchor` is one of the instants."""

    every: timedelta
    anchor: datetime


@dataclass(frozen=True, slots=True)
class Continuous:
    """Again as soon as the last run has ended."""


@dataclass(frozen=True, slots=True)
class Reboot:
    """Once after each boot."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs: a rule, where its clock stands, and the bounds outside which nothing elapses.

    `text` is the schedule as it was written. `zone` is an IANA name; None means the machine's own clock,
    which evaluation takes to be UTC. `start` and `end` are aware UTC datetimes and inclusive. `warnings`
    say where other programs would read the text otherwise.
    """

    text: str
    rule: CalendarRule | Moment | Interval | Continuous | Reboot
    zone: str | None = None
    dst: Dst = Dst.CRON
    start: datetime | None = None
    end: datetime | None = None
    warnings: tuple[str, ...] = ()

    def explain(self) -> str:
        """Return the schedule as one sentence in plain English."""
        from cncopctl.core.schedule.explain import sentence

        return sentence(self)
