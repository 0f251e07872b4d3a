"""Stretches of time during which a zone's clocks run evenly, for evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from cncopctl.core.schedule.zones import zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2200, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` to before `end` (UTC) the local time is UTC plus `offset`.

    `shown` is the local time up to which (exclusive) the clocks of the zone had come before `start`: more
    than `local_start` where they were put back, less where they were put forward.
    """

    start: datetime
    end: datetime
    offset: timedelta
    shown: datetime

    @property
    def local_start(self) -> datetime:
        """The wall-clock time at which it starts."""
        return self.local(self.start)

    @property
    def local_end(self) -> datetime:
        """The wall-clock time before which it ends."""
        return self.local(self.end)

    def local(self, instant: datetime) -> datetime:
        """Return the wall-clock time of an instant, rounded down to a second."""
        return instant.replace(tzinfo=None, microsecond=0) + self.offset

    def ceiling(self, instant: datetime) -> datetime:
        """Return the wall-clock time of an instant, rounded up to a second."""
        return self.local(instant + timedelta(microseconds=999_999))

    def instant(self, local: datetime) -> datetime:
        """Return the instant of a wall-clock time within the stretch."""
        return (local - self.offset).replace(tzinfo=UTC)


def stretches_from(zone_name: str | None, time: datetime) -> Iterator[Stretch]:
    """Yield the stretches from the one that `time` falls into, to the end of 2199 local time."""
    if zone_name is None or zone_name == "UTC":
        yield Stretch(FIRST, LAST, timedelta(0), FIRST.replace(tzinfo=None))
        return
    for year in range(max(1970, time.year), 2200):
        yield from (stretch for stretch in stretches_of_year(zone_name, year) if stretch.end > time)


def stretches_until(zone_name: str | None, time: datetime) -> Iterator[Stretch]:
    """Yield the stretches that begin before `time`, the last first."""
    if zone_name is None or zone_name == "UTC":
        yield Stretch(FIRST, LAST, timedelta(0), FIRST.replace(tzinfo=None))
        return
    for year in range(min(2199, time.year), 1969, -1):
        yield from (
            stretch for stretch in reversed(stretches_of_year(zone_name, year)) if stretch.start < time
        )


@lru_cache(maxsize=512)
def stretches_of_year(zone_name: str, year: int) -> tuple[Stretch, ...]:
    """Return the stretches of one UTC year; those that last longer are cut at its ends."""
    rules = zone(zone_name)
    starts = changes_of_year(rules, year)
    bounds = [datetime(year, 1, 1, tzinfo=UTC), *starts, datetime(year + 1, 1, 1, tzinfo=UTC)]
    stretches = []
    for start, end in pairwise(bounds):
        if start < end:
            stretches.append(Stretch(start, end, offset_at(rules, start), shown_before(rules, start)))
    return tuple(stretches)


def changes_of_year(rules: ZoneInfo, year: int) -> list[datetime]:
    """Return the instants in a UTC year, after its first second, at which the offset becomes another."""
    changes = []
    day = datetime(year, 1, 1, tzinfo=UTC)
    while day.year == year:
        if offset_at(rules, day) != offset_at(rules, day + DAY):
            changes.append(bisected(rules, day, day + DAY))
        day += DAY
    return changes


def bisected(rules: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second at which the offset is no longer that of `before`."""
    old = offset_at(rules, before)
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        if offset_at(rules, middle) == old:
            before = middle
        else:
            after = middle
    return after


def shown_before(rules: ZoneInfo, instant: datetime) -> datetime:
    """Return how far the clocks of the zone had come in the two days before an instant."""
    shown = instant - SECOND
    furthest = instant.replace(tzinfo=None) + offset_at(rules, shown)
    for hours in range(1, 49):
        earlier = instant - timedelta(hours=hours)
        end = earlier.replace(tzinfo=None) + offset_at(rules, earlier)
        furthest = max(furthest, end)
    return furthest


def offset_at(rules: ZoneInfo, instant: datetime) -> timedelta:
    """Return how far local time is ahead of UTC."""
    return instant.astimezone(rules).utcoffset() or timedelta(0)
