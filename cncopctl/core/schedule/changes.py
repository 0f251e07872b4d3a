"""What the plain zoned line does not do when the clocks change: the extra UTC instants of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.zones import zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from cncopctl.core.schedule.boxes import Days, Times

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
STEP = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a zone's offset from UTC, at the UTC instant `at`.

    `is_hard` marks those at which systemd 252 does more harm than to skip local times and second passes:
    a gap loses other times of its day unless it begins summer time (Dublin's and Casablanca's end it) on
    the hour (Chatham's does not: "Infinite loop in calendar calculation"); and where the flag for summer
    time stays as it was, mktime(3) cannot tell the first pass of a repeated hour from the second.
    """

    at: datetime
    before: timedelta
    after: timedelta
    is_hard: bool

    def is_gap(self) -> bool:
        """Return whether local times are skipped."""
        return self.after > self.before

    def wall_before(self) -> datetime:
        """Return the local time that the clocks would have shown."""
        return self.at.replace(tzinfo=None) + self.before

    def wall_after(self) -> datetime:
        """Return the local time that the clocks do show."""
        return self.at.replace(tzinfo=None) + self.after

    def replaces_days(self) -> bool:
        """Return whether lines must leave out the days of the change, since they would run twice there."""
        return self.is_hard and not self.is_gap()

    def end_of_replaced_days(self) -> datetime:
        """Return the local midnight after the repeated time."""
        return midnight(self.wall_before() - SECOND) + DAY


@lru_cache(maxsize=1024)
def changes_between(zone_name: str | None, start: datetime, end: datetime) -> tuple[Change, ...]:
    """Return the changes of a zone from `start` to `end` (UTC), in order."""
    if zone_name is None or zone_name == "UTC":
        return ()
    rules = zone(zone_name)
    found = []
    instant = start
    while instant < end:
        if (instant + STEP).astimezone(rules).utcoffset() != instant.astimezone(rules).utcoffset():
            found.append(change_within(rules, instant))
        instant += STEP
    return tuple(found)


def change_within(rules: ZoneInfo, low: datetime) -> Change:
    """Return the change in the half day after `low`."""
    high = low + STEP
    before, after = offset_at(rules, low), offset_at(rules, high)
    while high - low > SECOND:
        middle = low + ((high - low) / 2).seconds * SECOND
        low, high = (middle, high) if offset_at(rules, middle) == before else (low, middle)
    return Change(high, before, after, is_hard(rules, high, after > before))


def is_hard(rules: ZoneInfo, at: datetime, gap: bool) -> bool:
    """Return whether a plain line goes wrong around a change in more than the usual way."""
    summer_before, summer_after = (bool(t.astimezone(rules).dst()) for t in (at - SECOND, at))
    if not gap:
        return summer_before == summer_after
    wall_before = (at - SECOND).astimezone(rules) + SECOND
    return summer_before or not summer_after or bool(wall_before.minute)


def offset_at(rules: ZoneInfo, instant: datetime) -> timedelta:
    """Return the offset of local time from UTC at an instant."""
    return instant.astimezone(rules).utcoffset() or timedelta(0)


@dataclass(frozen=True, slots=True)
class Clock:
    """The local times that a schedule's lines name: days, and one set of times for all of them."""

    days: tuple[Days, ...]
    times: Times

    def minutes_within(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
        """Yield the minutes from `start` to before `end` that have matches, each with its seconds."""
        day = midnight(start)
        while day < end:
            if any(days.has(day.date()) for days in self.days):
                for hour in values_of(self.times.hours):
                    if start < day + (hour + 1) * HOUR and day + hour * HOUR < end:
                        yield from self.of_hour(day + hour * HOUR, start, end)
            day += DAY

    def of_hour(self, hour: datetime, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
        """Yield the minutes of one hour, cut to start..end."""
        for number in values_of(self.times.minutes):
            minute = hour + number * MINUTE
            seconds = self.times.seconds
            if minute < start:
                seconds &= -1 << min(60, (start - minute) // SECOND)
            if end - minute < MINUTE:
                seconds &= (1 << max(0, (end - minute) // SECOND)) - 1
            if seconds:
                yield minute, seconds

    def first_within(self, start: datetime, end: datetime) -> datetime | None:
        """Return the first match from `start` to before `end`."""
        for minute, seconds in self.minutes_within(start, end):
            return minute + ((seconds & -seconds).bit_length() - 1) * SECOND
        return None

    def touches(self, start: datetime, end: datetime) -> bool:
        """Return whether any hour from `start` to before `end` is named, whatever the minutes."""
        hour = start.replace(minute=0, second=0)
        while hour < end:
            if self.times.hours >> hour.hour & 1 and any(days.has(hour.date()) for days in self.days):
                return True
            hour += HOUR
        return False


def extra_instants(
    clock: Clock, change: Change, rhythm: bool, catches_up: bool
) -> Iterator[tuple[datetime, int]]:
    """Yield UTC minutes, each with its seconds, that the lines do not name or lose around a change.

    `rhythm` tells a schedule that runs in the repeated hour too, `catches_up` one whose lost times run
    at the end of the gap.
    """
    resumed, shown = change.wall_after(), change.wall_before()
    if change.is_gap():
        yield from around_gap(clock, change, catches_up)
    elif change.is_hard:
        yield from in_utc(clock.minutes_within(midnight(resumed), shown), change.before)
        yield from in_utc(
            clock.minutes_within(resumed if rhythm else shown, change.end_of_replaced_days()), change.after
        )
    elif rhythm:
        yield from in_utc(clock.minutes_within(resumed, shown), change.after)


def around_gap(clock: Clock, change: Change, catches_up: bool) -> Iterator[tuple[datetime, int]]:
    """Yield what a gap takes: the run for all lost times at its end, and what systemd loses besides."""
    resumed, shown = change.wall_after(), change.wall_before()
    if catches_up and clock.first_within(shown, resumed) is not None:
        yield change.at.replace(second=0), 1 << change.at.second
    if change.is_hard and clock.touches(shown, resumed):
        end = midnight(resumed) + DAY
        # What follows that day wakes the timer again even if its line has failed for good.
        following = clock.first_within(end, end + 400 * DAY)
        end = end if following is None else following + SECOND
        yield from in_utc(clock.minutes_within(resumed, end), change.after)


def midnight(time: datetime) -> datetime:
    """Return the beginning of a day."""
    return time.replace(hour=0, minute=0, second=0)


def in_utc(minutes: Iterator[tuple[datetime, int]], offset: timedelta) -> Iterator[tuple[datetime, int]]:
    """Yield local minutes as minutes of UTC."""
    for minute, seconds in minutes:
        shifted = minute.replace(tzinfo=UTC) - offset
        if not shifted.second:
            yield shifted, seconds
            continue
        for second in values_of(seconds):
            instant = shifted + second * SECOND
            yield instant.replace(second=0), 1 << instant.second
