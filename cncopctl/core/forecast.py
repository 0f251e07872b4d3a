"""What is going to run: expected runs with their durations, which of them meet, and how full each hour is.

Values in, values out: schedules and durations are given, and so is the clock on the wall.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, islice, takewhile
from typing import TYPE_CHECKING

from cncopctl.core.schedule import Schedule, instants_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

NOTHING = timedelta()
HOUR = timedelta(hours=1)
JUST_BEFORE = timedelta(microseconds=1)


STILL_RUNS = "the run before will probably still be running"


def never(_: datetime) -> str:
    """Return why nothing is ever in the way: for no reason."""
    return ""


@dataclass(frozen=True, slots=True)
class JobSchedule:
    """One schedule of a job.

    `expected` is how long its runs usually take, None where nobody knows. `hindrance` tells of an instant
    why the job would not be run then, empty where it would.
    """

    job: str
    title: str
    schedule: Schedule
    expected: timedelta | None = None
    hindrance: Callable[[datetime], str] = never


@dataclass(frozen=True, slots=True)
class ExpectedRun:
    """A run that is to come, or why there will be none: `skipped`, else empty.

    systemd drops an elapse of a timer whose service is active (systemd.timer(5)).
    """

    at: datetime
    source: JobSchedule
    skipped: str = ""

    @property
    def ends(self) -> datetime:
        """When it will probably end; at once, where nobody knows how long it takes."""
        return self.at if self.skipped else self.at + (self.source.expected or NOTHING)


def expected_runs(schedules: Iterable[JobSchedule], start: datetime, end: datetime) -> Iterator[ExpectedRun]:
    """Yield the runs from `start` to before `end` (aware) in their order.

    Those that began before and will probably still be running at `start` come first. Where several
    schedules of a job mean the same instant, it runs once.
    """
    streams = [_elapses(number, each, start, end) for number, each in enumerate(schedules)]
    last: dict[str, ExpectedRun] = {}
    for at, _, source in heapq.merge(*streams, key=lambda elapse: elapse[:2]):
        before = last.get(source.job)
        if before and before.at == at:
            continue
        run = ExpectedRun(at, source, source.hindrance(at))
        if before and before.ends > at and not run.skipped:
            run = ExpectedRun(at, source, STILL_RUNS)
        if not run.skipped:
            last[source.job] = run
        if at >= start or run.ends > start:
            yield run


def _elapses(
    number: int, source: JobSchedule, start: datetime, end: datetime
) -> Iterator[tuple[datetime, int, JobSchedule]]:
    # A few runs earlier, so that those which skip others do so in their own rhythm.
    begin = start - 4 * (source.expected or NOTHING) - JUST_BEFORE
    instants = takewhile(lambda at: at < end, instants_after(source.schedule, begin))
    return ((at, number, source) for at in instants)


def first_runs(schedules: Iterable[JobSchedule], now: datetime) -> list[ExpectedRun]:
    """Return the next run of each schedule after `now`, in their order."""
    runs = [
        ExpectedRun(at, source, source.hindrance(at))
        for source in schedules
        for at in islice(instants_after(source.schedule, now), 1)
    ]
    return sorted(runs, key=lambda run: run.at)


@dataclass(frozen=True, slots=True)
class Collision:
    """An instant at which jobs start while others start or run; each by its id."""

    at: datetime
    starting: tuple[str, ...]
    running: tuple[str, ...] = ()


def collisions(runs: Iterable[ExpectedRun]) -> Iterator[Collision]:
    """Yield the instants at which more than one job starts, or one while others run."""
    active: list[ExpectedRun] = []
    for at, together in groupby((run for run in runs if not run.skipped), key=lambda run: run.at):
        starting = list(together)
        active = [run for run in active if run.ends > at]
        if len(starting) + len(active) > 1:
            yield Collision(at, _jobs(starting), _jobs(active))
        active += starting


def _jobs(runs: Iterable[ExpectedRun]) -> tuple[str, ...]:
    return tuple(sorted({run.source.job for run in runs}))


@dataclass(frozen=True, slots=True)
class Habit:
    """The same jobs meeting in the same way: how often, and when for the first time."""

    first: Collision
    times: int


def habits(found: Iterable[Collision]) -> list[Habit]:
    """Return collisions of the same jobs as one, the most frequent first."""
    first: dict[tuple[tuple[str, ...], tuple[str, ...]], Collision] = {}
    times: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
    for collision in found:
        key = (collision.starting, collision.running)
        first.setdefault(key, collision)
        times[key] = times.get(key, 0) + 1
    return sorted((Habit(first[key], times[key]) for key in first), key=lambda h: (-h.times, h.first.at))


@dataclass(slots=True)
class Hour:
    """What one hour of the wall clock holds: starts, the time that runs take in it, and of which jobs."""

    starts: int = 0
    busy: timedelta = NOTHING
    jobs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HourlyLoad:
    """How full each hour of each day is; hours in which nothing happens are left out of `hours`."""

    days: tuple[date, ...]
    hours: dict[tuple[date, int], Hour]

    def of_day(self, day: date) -> Hour:
        """Return the sum of a day."""
        total = Hour()
        for (which, _), hour in self.hours.items():
            if which == day:
                total.starts += hour.starts
                total.busy += hour.busy
        return total


def hourly_load(
    runs: Sequence[ExpectedRun], start: datetime, end: datetime, local: Callable[[datetime], datetime]
) -> HourlyLoad:
    """Return how full the hours from `start` to before `end` are, on the clock that `local` tells.

    An hour that the clocks repeat is one hour of the day with what happens in both passes.
    """
    first, last = local(start).date(), local(end - JUST_BEFORE).date()
    days = tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
    hours: dict[tuple[date, int], Hour] = {}
    for run in runs:
        if run.skipped:
            continue
        if run.at >= start:
            hour = hours.setdefault(_hour_of(local(run.at)), Hour())
            hour.starts += 1
            hour.jobs[run.source.job] = hour.jobs.get(run.source.job, 0) + 1
        for key, share in _shares(max(run.at, start), min(run.ends, end), local):
            hours.setdefault(key, Hour()).busy += share
            hours[key].jobs.setdefault(run.source.job, 0)
    return HourlyLoad(days, hours)


def _hour_of(local: datetime) -> tuple[date, int]:
    return local.date(), local.hour


def _shares(
    at: datetime, ends: datetime, local: Callable[[datetime], datetime]
) -> Iterator[tuple[tuple[date, int], timedelta]]:
    """Yield the hours that a run reaches into, with how much of each."""
    while at < ends:
        shown = local(at)
        into = timedelta(minutes=shown.minute, seconds=shown.second, microseconds=shown.microsecond)
        until = min(ends, at + HOUR - into)
        yield _hour_of(shown), until - at
        at = until
