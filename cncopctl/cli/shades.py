"""How full an hour is, in five shades; the same ones on the terminal and in pictures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

from cncopctl.core.forecast import Hour

_TIMES = (
    (timedelta(), "nothing"),
    (timedelta(minutes=15), "up to 15 min"),
    (timedelta(minutes=30), "up to 30 min"),
    (timedelta(minutes=60), "up to 1 h"),
)


class Shades:
    """Shades 0 (nothing) to 4 for hours, by the runs that start in them or by the time that they take."""

    def __init__(self, hours: Iterable[Hour], *, by: str) -> None:
        self._by_time = by == "time"
        most = max((hour.starts for hour in hours), default=0)
        # Quarters of the fullest hour; where it is not full at all, only the light ones are used.
        self._bounds = sorted({0, *(-(-most * quarter // 4) for quarter in (1, 2, 3, 4))})

    def of(self, hour: Hour | None) -> int:
        """The shade of an hour."""
        if hour is None:
            return 0
        if self._by_time:
            return sum(hour.busy > limit for limit, _ in _TIMES)
        return sum(hour.starts > bound for bound in self._bounds[:-1])

    def legend(self) -> list[str]:
        """What each shade means, from nothing on."""
        if self._by_time:
            return [*(words for _, words in _TIMES), "more"]
        ranges = [
            f"{low + 1}" if low + 1 == high else f"{low + 1} to {high}"
            for low, high in pairwise(self._bounds)
        ]
        return ["none", *ranges]
