"""Intervals, dates, fields of a table and bounds: systemd elapses when brute force says that they mean it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from random import Random

import pytest

from cncopctl.core.schedule import Schedule, ScheduleError, Translation, instants_after, parse, translate
from cncopctl.core.schedule.proof import differences

from .analyze import elapses
from .grammar import draw_near_change
from .oracle import Oracle

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def union(translation: Translation, base: datetime, count: int, zone: str = "UTC") -> list[datetime]:
    """Return what the lines elapse at together, as far as all of them were asked."""
    answers = elapses(translation.oncalendar, base, count, zone)
    reach = min(
        (line[-1] for line in answers if len(line) == count), default=datetime(2200, 1, 1, tzinfo=UTC)
    )
    return sorted({instant for line in answers for instant in line if instant <= reach})


def check(schedule: Schedule, base: datetime, zone: str = "UTC") -> list[datetime]:
    """Return what lines and evaluator agree on."""
    translation = translate(schedule, now=NOW)
    found = union(translation, base, 20, zone)
    if translation.horizon_end:
        found = [instant for instant in found if instant < translation.horizon_end]
    assert list(islice(instants_after(schedule, base), len(found))) == found, (schedule.text, base)
    return found


INTERVALS = """
1 second | 2 seconds | 7 seconds | 45 seconds | 90 seconds | 1 minute | 7 minutes | 40 minutes | 90 minutes
1 hour | 5 hours | 7 hours | 8 hours | 11 hours | 25 hours | 36 hours | 1 day | 2 days | 3 days | 7 days | 10 days
1 week | 2 weeks | 5 weeks | 100 days | 50400 seconds | 1000 minutes | 5 hours 30 minutes | 1h30m | 2.5h
"""


@pytest.mark.parametrize(
    "text", [part.strip() for part in INTERVALS.replace("\n", "|").split("|") if part.strip()]
)
def test_intervals_keep_their_phase_from_the_start_date(text: str) -> None:
    start = datetime(2026, 3, 3, 3, 14, 15, tzinfo=UTC)
    schedule = parse({"interval": text, "start_date": start.isoformat()}, zone="Europe/Berlin")
    for base in (NOW, datetime(2027, 2, 28, 22, tzinfo=UTC), datetime(2027, 3, 27, 23, tzinfo=UTC)):
        found = check(schedule, base)
        every = found[1] - found[0]
        assert all((instant - start) % every == timedelta(0) for instant in found), text
        assert all(later - earlier == every for earlier, later in pairwise(found))


def in_week(day: datetime, weeks: set[int]) -> bool:
    return int(day.strftime("%V")) in weeks


TABLES: dict[str, tuple[dict[str, object], Callable[[datetime], bool]]] = {
    "a week": ({"week": 10}, lambda d: in_week(d, {10})),
    "the first week": ({"week": "1", "day_of_week": "mon"}, lambda d: in_week(d, {1}) and d.weekday() == 0),
    "the last weeks": ({"week": "52,53"}, lambda d: in_week(d, {52, 53})),
    "weeks that go round": (
        {"week": "51-2", "day_of_week": "5,6"},
        lambda d: in_week(d, {51, 52, 53, 1, 2}) and d.weekday() > 4,
    ),
    "odd weeks": (
        {"week": "*/2", "day_of_week": "thu"},
        lambda d: in_week(d, set(range(1, 54, 2))) and d.weekday() == 3,
    ),
    "week and month": ({"week": "5", "month": "2"}, lambda d: in_week(d, {5}) and d.month == 2),
    "week and day": ({"week": "9", "day": "1"}, lambda d: in_week(d, {9}) and d.day == 1),
    "a month": ({"month": "3,7"}, lambda d: d.month in (3, 7) and d.day == 1),
    "a year": ({"year": "2027-2029"}, lambda d: d.year in (2027, 2028, 2029) and (d.month, d.day) == (1, 1)),
    "weekdays from Monday": ({"day_of_week": "0-4"}, lambda d: d.weekday() < 5),
    "a Friday 13th": ({"day": 13, "day_of_week": "fri"}, lambda d: d.day == 13 and d.weekday() == 4),
    "weekdays in day": ({"day": "mon, wed, fri"}, lambda d: d.weekday() in (0, 2, 4)),
    "leap day": ({"month": 2, "day": 29}, lambda d: (d.month, d.day) == (2, 29)),
    "second Friday": ({"day": "2nd fri"}, lambda d: 8 <= d.day <= 14 and d.weekday() == 4),
    "last": ({"day": "last"}, lambda d: (d + DAY).day == 1),
}


@pytest.mark.parametrize(("table", "has"), TABLES.values(), ids=TABLES)
def test_fields_of_a_table_must_all_match(table: dict[str, object], has: Callable[[datetime], bool]) -> None:
    for prefix in ("", "schedule_"):
        schedule = parse({prefix + key: value for key, value in table.items()})
        for base in (NOW, datetime(2027, 12, 20, tzinfo=UTC), datetime(2032, 12, 20, tzinfo=UTC)):
            found = [instant for instant in check(schedule, base) if instant < base + 500 * DAY]
            first = base.replace(hour=0) + DAY
            assert found == [day for n in range(500) if has(day := first + n * DAY)][: len(found)]
            assert found or base.year > 2027


def test_bounds_cut_every_kind_of_schedule_to_the_second() -> None:
    random = Random(3)  # noqa: S311 - the same draws each time
    for _ in range(60):
        zone = random.choice(["UTC", "Europe/Berlin", "America/New_York"])
        start = datetime(
            2027, 3, random.randint(1, 31), random.randint(0, 23), random.choice([0, 17]), tzinfo=UTC
        )
        end = start + timedelta(minutes=random.randint(1, 60 * 24 * 40))
        text = draw_near_change(random)
        check_bounds(text, zone, start, end)


def check_bounds(text: str, zone: str, start: datetime, end: datetime) -> None:
    try:
        schedule = parse(
            {"cron": text, "start_date": start.isoformat(), "end_date": end.isoformat()}, zone=zone
        )
        translation = translate(schedule, now=NOW)
    except ScheduleError:
        found: list[datetime] = []
        evaluated: list[datetime] = []
    else:
        found = union(translation, NOW, 400, zone)
        evaluated = list(islice(instants_after(schedule, NOW), 3000))
    assert found == evaluated[: len(found)], text
    assert found or not evaluated, text
    until = min(end, start + 4 * DAY).replace(second=0)
    meant = [i for i in Oracle(text).around(start, until, zone) if start <= i <= end]
    assert [i for i in evaluated if i < until] == meant[:3000], text


@pytest.mark.parametrize(
    "text", ["30 2 * * *", "*/20 2 * * *", "0 0 L * *", "15 1,3 13 * 5", "0 6 15W * MON#2"]
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago"])
def test_the_proof_finds_no_difference_in_a_right_translation(text: str, zone: str) -> None:
    schedule = parse(text, zone=zone)
    translation = translate(schedule, now=NOW)
    assert differences(schedule, translation, NOW, partial(elapses, zone=zone), count=9) == []


def test_the_proof_finds_what_is_missing() -> None:
    schedule = parse("0 0 13 * 5")
    wrong = Translation(oncalendar=("Fri *-*-13 00:00:00",))
    assert differences(schedule, wrong, NOW, elapses, count=3)[0].meant == datetime(2026, 11, 27, tzinfo=UTC)
