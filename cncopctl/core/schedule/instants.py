"""The instants that a schedule means, forward and backward in time.

This shares nothing with the translation but the parsed schedule, so that each can prove the other.
Between two changes of a zone's offset the wall clock runs evenly; such a stretch is a `Stretch`, and
the rule is matched against its local times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cncopctl.core.schedule.model import CalendarRule, Interval, Moment, Schedule
from cncopctl.core.schedule.stretches import stretches_from, stretches_until
from cncopctl.core.schedule.wallclock import first_match, last_match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cncopctl.core.schedule.stretches import Stretch

SECOND = timedelta(seconds=1)


def instants_after(schedule: Schedule, time: datetime) -> Iterator[datetime]:
    """Yield the instants after `time` (aware, exclusive) in order, as aware UTC datetimes to the year 2199.

    A schedule that depends on boots or on its own runs yields none.
    """
    for instant in unbounded_after(schedule, before_start(schedule, time.astimezone(UTC))):
        if schedule.end is not None and instant > schedule.end:
            return
        yield instant


def next_after(schedule: Schedule, time: datetime) -> datetime | None:
    """Return the first instant after `time` (aware, exclusive), None if there is none."""
    return next(instants_after(schedule, time), None)


def previous_before(schedule: Schedule, time: datetime) -> datetime | None:
    """Return the last instant before `time` (aware, exclusive), None if there is none since 1970."""
    time = time.astimezone(UTC)
    if schedule.end is not None and time > schedule.end:
        time = schedule.end + timedelta(microseconds=1)
    found = unbounded_before(schedule, time)
    return None if found is None or (schedule.start is not None and found < schedule.start) else found


def before_start(schedule: Schedule, time: datetime) -> datetime:
    """Return `time`, or the last moment before the schedule's start if that is later."""
    if schedule.start is None or time >= schedule.start:
        return time
    return schedule.start - timedelta(microseconds=1)


def unbounded_after(schedule: Schedule, time: datetime) -> Iterator[datetime]:
    """Yield the instants of the rule after `time`, whatever the bounds."""
    rule = schedule.rule
    if isinstance(rule, CalendarRule):
        yield from calendar_after(schedule, rule, time)
    elif isinstance(rule, Moment):
        yield from [rule.instant] if rule.instant > time else []
    elif isinstance(rule, Interval):
        instant = rule.anchor + ((time - rule.anchor) // rule.every + 1) * rule.every
        while instant.year < 2200:
            yield instant
            instant += rule.every


def unbounded_before(schedule: Schedule, time: datetime) -> datetime | None:
    """Return the last instant of the rule before `time`, whatever the bounds."""
    rule = schedule.rule
    if isinstance(rule, CalendarRule):
        return calendar_before(schedule, rule, time)
    if isinstance(rule, Moment):
        return rule.instant if rule.instant < time else None
    if isinstance(rule, Interval):
        return rule.anchor + -((rule.anchor - time) // rule.every + 1) * rule.every
    return None


def calendar_after(schedule: Schedule, rule: CalendarRule, time: datetime) -> Iterator[datetime]:
    """Yield the instants of a calendar rule after `time`, stretch by stretch."""
    for stretch in stretches_from(schedule.zone, time):
        for instant in in_stretch(schedule, rule, stretch, time):
            if instant > time:
                yield instant


def in_stretch(
    schedule: Schedule, rule: CalendarRule, stretch: Stretch, time: datetime
) -> Iterator[datetime]:
    """Yield the instants of one stretch in order, beginning shortly before `time`."""
    first = stretch.local_start
    if not (rule.starred and schedule.dst.catches_up()):
        # A local time runs once: not again when an earlier stretch has shown it already ...
        first = max(first, stretch.shown)
        # ... and, if none will ever show it, when the gap is over.
        if schedule.dst.catches_up() and is_lost(rule, stretch):
            yield stretch.start
            first = max(first, stretch.local_start + SECOND)
    local: datetime | None = max(first, stretch.local(time)) if time > stretch.start else first
    while local is not None:
        local = first_match(rule, local, stretch.local_end)
        if local is not None:
            yield stretch.instant(local)
            local += SECOND


def is_lost(rule: CalendarRule, stretch: Stretch) -> bool:
    """Return whether the rule has a local time in the gap before a stretch."""
    return stretch.shown < stretch.local_start and (
        first_match(rule, stretch.shown, stretch.local_start) is not None
    )


def calendar_before(schedule: Schedule, rule: CalendarRule, time: datetime) -> datetime | None:
    """Return the last instant of a calendar rule before `time`."""
    for stretch in stretches_until(schedule.zone, time):
        end = min(stretch.local_end, stretch.ceiling(time))
        starred = rule.starred and schedule.dst.catches_up()
        first = stretch.local_start if starred else max(stretch.local_start, stretch.shown)
        local = last_match(rule, first, end)
        if local is not None:
            return stretch.instant(local)
        if not starred and schedule.dst.catches_up() and stretch.start < time and is_lost(rule, stretch):
            return stretch.start
    return None
