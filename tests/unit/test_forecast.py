"""What is going to run: a table of situations and what meets in them, hours and how full they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cncopctl.core.forecast import (
    STILL_RUNS,
    Collision,
    ExpectedRun,
    JobSchedule,
    collisions,
    expected_runs,
    first_runs,
    habits,
    hourly_load,
)
from cncopctl.core.schedule import parse
from cncopctl.core.schedule.zones import zone

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def schedules(text: str) -> list[JobSchedule]:
    """Of `a 0 2 * * * 90; b ...`: jobs with their schedules and usual minutes (`-` is not known)."""
    found = []
    for part in text.split(";"):
        job, *cron, minutes = part.split()
        expected = None if minutes == "-" else timedelta(minutes=float(minutes))
        found.append(JobSchedule(job, f"Job {job}", parse(" ".join(cron)), expected))
    return found


def runs(text: str, days: float = 1) -> list[ExpectedRun]:
    return list(expected_runs(schedules(text), START, START + days * DAY))


MEETINGS = """
alone                       | a 0 2 * * * 90                         |
one after the other         | a 0 2 * * * 60; b 0 3 * * * -          |
the end is no meeting       | a 0 2 * * * 60; b 0 3 * * * 60         |
together, of unknown length | a 0 2 * * * -; b 0 2 * * * -           | 02:00 a,b
together                    | b 0 2 * * * 10; a 0 2 * * * 10         | 02:00 a,b
while another runs          | a 0 2 * * * 90; b 0 3 * * * -          | 03:00 b while a
while two others run        | a 0 2 * * * 90; b 0 3 * * * 60; c 10 3 * * * 1 | 03:00 b while a; 03:10 c while a,b
two while another runs      | a 0 2 * * * 90; b 0 3 * * * 1; c 0 3 * * * 1   | 03:00 b,c while a
a job and itself            | a 0 2 * * * 90; a 0 3 * * * 90         |
the same instant twice      | a 0 2 * * * 90; a 0 2 * * MON 90       |
"""


@pytest.mark.parametrize(
    ("text", "meant"),
    [tuple(part.strip() for part in line.split("|")[1:]) for line in MEETINGS.strip().splitlines()],
    ids=[line.partition("|")[0].strip() for line in MEETINGS.strip().splitlines()],
)
def test_starts_meet_other_starts_and_runs(text: str, meant: str) -> None:
    def shown(collision: Collision) -> str:
        running = f" while {','.join(collision.running)}" if collision.running else ""
        return f"{collision.at:%H:%M} {','.join(collision.starting)}{running}"

    assert "; ".join(shown(collision) for collision in collisions(runs(text))) == meant


def test_several_schedules_of_a_job_are_one_run_where_they_mean_the_same_instant() -> None:
    assert [run.at.hour for run in runs("a 0 2 * * * -; a 0 2,4 * * * -")] == [2, 4]


def test_a_run_that_is_due_while_the_one_before_lasts_is_skipped() -> None:
    assert [(run.at.hour, run.skipped) for run in runs("a 0 0-4 * * * 90")] == [
        (0, ""),
        (1, STILL_RUNS),
        (2, ""),
        (3, STILL_RUNS),
        (4, ""),
    ]


def test_what_is_in_the_way_keeps_a_job_from_running() -> None:
    (source,) = schedules("a 0 */6 2 3 * 600")
    hindered = replace(source, hindrance=lambda at: "away" if at.hour < 12 else "")
    found = list(expected_runs([hindered], START, START + DAY))
    assert [(run.at.hour, run.skipped) for run in found] == [
        (0, "away"),
        (6, "away"),
        (12, ""),
        (18, STILL_RUNS),
    ]
    assert [run.skipped for run in first_runs([hindered], START)] == ["away"]
    load = hourly_load(found, START, START + DAY, lambda at: at)
    assert load.of_day(START.date()).starts == 1


def test_a_forecast_has_its_first_instant_and_not_its_last() -> None:
    assert [run.at for run in runs("a 0 0 * * * -", days=2)] == [START, START + DAY]


def test_what_began_before_a_forecast_is_still_running_in_it() -> None:
    found = list(expected_runs(schedules("a 0 2 * * * 120; b 30 3 * * * -"), START + 3 * HOUR, START + DAY))
    assert [run.at.hour for run in found] == [2, 3]
    assert list(collisions(found)) == [Collision(START + 3.5 * HOUR, ("b",), ("a",))]
    load = hourly_load(found, START + 3 * HOUR, START + DAY, lambda at: at)
    assert {hour: (held.starts, held.busy) for (_, hour), held in load.hours.items()} == {3: (1, HOUR)}


def test_the_next_runs_are_the_first_of_each_schedule_in_their_order() -> None:
    first = first_runs(schedules("a 0 5 * * * -; a 0 2 * * * -; b @reboot -"), START)
    assert [(run.source.job, run.at.hour) for run in first] == [("a", 2), ("a", 5)]


def test_the_same_jobs_meeting_again_are_one_habit_the_most_frequent_first() -> None:
    found = habits(collisions(runs("a 0 */12 * * * -; b 0 */12 * * * -; c 0 0 * * * -", days=3)))
    told = [(habit.first.starting, habit.times, habit.first.at) for habit in found]
    assert told == [(("a", "b", "c"), 3, START), (("a", "b"), 3, START + DAY / 2)]


def test_hours_hold_starts_and_their_share_of_each_run() -> None:
    load = hourly_load(runs("a 30 2 * * * 100; b 0 3 * * * -"), START, START + DAY, lambda at: at)
    minutes = {hour: held.busy / timedelta(minutes=1) for (_, hour), held in load.hours.items()}
    assert minutes == {2: 30, 3: 60, 4: 10}
    assert {hour: held.starts for (_, hour), held in load.hours.items()} == {2: 1, 3: 1, 4: 0}
    assert load.hours[START.date(), 3].jobs == {"a": 0, "b": 1}
    total = load.of_day(START.date())
    assert (total.starts, total.busy) == (2, timedelta(minutes=100))


def test_what_lasts_beyond_the_forecast_is_not_counted() -> None:
    load = hourly_load(runs("a 0 23 2 3 * 600"), START, START + DAY, lambda at: at)
    assert load.days == (START.date(),)
    assert sum((hour.busy for hour in load.hours.values()), timedelta()) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "hours"), [("2026-03-29", {1: 1, 3: 1, 4: 1}), ("2026-10-25", {1: 1, 2: 2, 3: 1, 4: 1})]
)
def test_hours_are_those_of_the_clock_on_the_wall(start: str, hours: dict[int, int]) -> None:
    rules = zone("Europe/Berlin")
    begin = datetime.fromisoformat(start).replace(hour=1, tzinfo=rules)
    end = datetime.fromisoformat(start).replace(hour=5, tzinfo=rules)
    found = list(expected_runs(schedules("a 0 * * * * 60"), begin, end))
    load = hourly_load(found, begin, end, lambda at: at.astimezone(rules))
    day = date.fromisoformat(start)
    assert {hour: held.starts for (_, hour), held in load.hours.items()} == hours
    assert {hour: held.busy / timedelta(hours=1) for (_, hour), held in load.hours.items()} == hours
    assert load.days == (day,)
