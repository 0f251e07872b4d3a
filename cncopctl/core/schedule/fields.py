"""The fields of a schedule: their names, their limits, the names of their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from cncopctl.core.schedule.model import FIRST_YEAR, LAST_YEAR

if TYPE_CHECKING:
    from collections.abc import Mapping

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def mask_of(values: list[int]) -> int:
    """Return the bit mask that has exactly `values`."""
    mask = 0
    for value in values:
        mask |= 1 << value
    return mask


def values_of(mask: int) -> list[int]:
    """Return the values of a bit mask, ascending."""
    values = []
    while mask:
        lowest = mask & -mask
        values.append(lowest.bit_length() - 1)
        mask ^= lowest
    return values


@dataclass(frozen=True, eq=False)  # compared by identity: there is one of each
class Field:
    """One field: what it is called, which numbers it takes, and which names stand for them.

    `cycle` is the length of the circle on which a range a-b with a > b goes round; a weekday field
    takes 0 to 7 on a circle of seven. `spread` is the highest value that `H` may choose: 28 for days, so
    that every month has one. `monday` is the number of Monday in a weekday field.
    """

    name: str
    low: int
    high: int
    cycle: int
    spread: int
    names: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    monday: int = 0

    def is_weekday(self) -> bool:
        """Return whether the values are days of the week."""
        return self.cycle == 7

    def everything(self) -> list[int]:
        """Return what `*` means, in order."""
        return list(range(self.low, self.low + self.cycle))

    def mask(self, values: list[int]) -> int:
        """Return the bit mask of `values`; weekdays are turned to count from Monday, as everywhere else."""
        if self.is_weekday():
            values = [(value - self.monday) % 7 for value in values]
        return mask_of(values)


def numbered(names: tuple[str, ...], first: int) -> Mapping[str, int]:
    """Return the numbers of `names`, counted from `first`."""
    return MappingProxyType({name: number for number, name in enumerate(names, first)})


SECOND = Field("second", 0, 59, 60, 59)
MINUTE = Field("minute", 0, 59, 60, 59)
HOUR = Field("hour", 0, 23, 24, 23)
DAY = Field("day-of-month", 1, 31, 31, 28)
MONTH = Field("month", 1, 12, 12, 12, numbered(MONTHS, 1))
WEEKDAY = Field("day-of-week", 0, 7, 7, 6, numbered(WEEKDAYS, 0), monday=1)
# Quartz counts its weekdays from Sunday as 1.
QUARTZ_WEEKDAY = Field("day-of-week", 1, 7, 7, 7, numbered(WEEKDAYS, 1), monday=2)
# APScheduler, which the fields of a table come from, counts its weekdays from Monday as 0.
TABLE_WEEKDAY = Field("day_of_week", 0, 6, 7, 6, numbered((*WEEKDAYS[1:], "SUN"), 0))
YEAR = Field("year", FIRST_YEAR, LAST_YEAR, LAST_YEAR - FIRST_YEAR + 1, LAST_YEAR)
WEEK = Field("week", 1, 53, 53, 52)
