"""Proving a translation: the schedule's own instants against what systemd makes of its lines.

Only the lines and the instants meet here; who asks systemd (`systemd-analyze calendar`) is the caller's
business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from cncopctl.core.schedule.instants import instants_after
from cncopctl.core.schedule.stretches import stretches_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cncopctl.core.schedule.model import Schedule
    from cncopctl.core.schedule.translate import Translation

# Answers, for some lines and a base time, at most so many elapses of each line after the base.
Elapses = Callable[[Sequence[str], datetime, int], Sequence[Sequence[datetime]]]

DAY = timedelta(days=1)
END_OF_TIME = datetime(2200, 1, 1, tzinfo=UTC)
BASES_FOR_EVER = (
    datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 2, 28, 12, tzinfo=UTC),
    datetime(2099, 12, 30, tzinfo=UTC),
    datetime(2100, 2, 27, 23, tzinfo=UTC),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the lines depart from the schedule: what follows `base` by either (None: nothing)."""

    base: datetime
    meant: datetime | None
    elapses: datetime | None


def bases(schedule: Schedule, translation: Translation, now: datetime) -> Iterator[datetime]:
    """Yield base times around month ends, leap days, year ends and every change of the zone's clocks."""
    now = now.astimezone(UTC).replace(microsecond=0)
    end = translation.horizon_end or now + 400 * DAY
    yield now
    for stretch in takewhile(lambda stretch: stretch.start < end, stretches_from(schedule.zone, now)):
        if stretch.start > now:
            yield max(now, stretch.start - 3 * DAY)
            yield max(now, stretch.start - timedelta(minutes=1))
    for month in range(1, 13):
        ahead = now + month * 30 * DAY
        if ahead < end:
            yield ahead.replace(day=27, hour=23)
    if translation.horizon_end is None and schedule.end is None:
        yield from (base for base in BASES_FOR_EVER if base > now)


def differences(
    schedule: Schedule, translation: Translation, now: datetime, elapses: Elapses, count: int = 20
) -> list[Difference]:
    """Return the first difference after each base time; an empty list is the proof.

    From each base `count` elapses of every line are asked for, and the union is compared as far as all
    lines reach, and no further than the translation's horizon.
    """
    found = []
    horizon = translation.horizon_end and translation.horizon_end - timedelta(seconds=1)
    for base in bases(schedule, translation, now):
        lines = elapses(translation.oncalendar, base, count)
        reach = min((line[-1] for line in lines if len(line) >= count), default=None)
        limit = min(filter(None, (reach, horizon)), default=END_OF_TIME)
        union = sorted({instant for line in lines for instant in line})
        elapsing = [instant for instant in union if instant <= limit]
        # One more than the lines say shows what they miss, unless it lies beyond what was asked.
        further = list(islice(instants_after(schedule, base), len(elapsing) + 1))
        difference = first_difference(base, further[: bisect_right(further, limit)], elapsing)
        if difference:
            found.append(difference)
    return found


def first_difference(base: datetime, meant: list[datetime], elapsing: list[datetime]) -> Difference | None:
    """Return the first place where two sequences depart."""
    for place in range(max(len(meant), len(elapsing))):
        one = meant[place] if place < len(meant) else None
        other = elapsing[place] if place < len(elapsing) else None
        if one != other:
            return Difference(base, one, other)
    return None
