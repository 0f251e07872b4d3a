"""Drawn and chosen expressions: systemd elapses when brute force says that they mean it.

Three parties must agree: `systemd-analyze calendar` on the lines of the translation, the evaluator of
the package, and an oracle that reads the raw text. CNCOP_DRAWS multiplies the number of draws.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from random import Random

import pytest

from cncopctl.core.schedule import (
    Dst,
    Schedule,
    ScheduleError,
    Translation,
    instants_after,
    parse,
    previous_before,
    translate,
)
from cncopctl.core.schedule.stretches import Stretch, stretches_of_year

from .analyze import elapses, timer
from .chosen import CHOSEN
from .grammar import draw, draw_near_change
from .oracle import Oracle

SCALE = int(os.environ.get("CNCOP_DRAWS", "1"))
COUNT = 5
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BASES = [
    datetime(1972, 2, 28, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 21, 8, 17, 31, tzinfo=UTC),
    datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 2, 27, 12, tzinfo=UTC),
    datetime(2100, 2, 26, tzinfo=UTC),
    datetime(2031, 4, 29, 23, 59, tzinfo=UTC),
]
Case = tuple[str, Schedule, Translation]


def translated(text: str, zone: str | None = None, dst: Dst = Dst.CRON, now: datetime = NOW) -> Case | None:
    """Return the expression with its schedule and translation, None for one that never elapses."""
    schedule = parsed(text, zone, dst)
    if schedule is None:
        assert not Oracle(text).after(datetime(1996, 1, 1, tzinfo=UTC), 1, 14_700), f"{text} does elapse"
        return None
    return text, schedule, translate(schedule, now=now)


def parsed(text: str, zone: str | None, dst: Dst) -> Schedule | None:
    try:
        return parse(text, zone=zone, dst=dst)
    except ScheduleError as error:
        if "never elapses" in error.message:
            return None
        raise


def unions(cases: list[Case], base: datetime, zone: str = "UTC", count: int = COUNT) -> list[list[datetime]]:
    """Return, for each case, what its lines elapse at together."""
    answers = iter(elapses([line for *_, t in cases for line in t.oncalendar], base, count, zone))
    return [sorted({instant for _ in t.oncalendar for instant in next(answers)}) for *_, t in cases]


def check_in_utc(texts: list[str]) -> None:
    cases = [case for text in texts if (case := translated(text))]
    for base in BASES:
        for (text, schedule, translation), union in zip(cases, unions(cases, base), strict=True):
            evaluated = list(islice(instants_after(schedule, base), COUNT))
            meant = Oracle(text).after(base, COUNT, days=1_500)
            assert union[:COUNT] == evaluated, (text, base, translation.oncalendar)
            assert evaluated[: len(meant)] == meant, (text, base)
            assert (
                len(meant) == COUNT
                or evaluated[len(meant) :][:1] > [base + timedelta(days=1_400)]
                or (len(meant) == len(evaluated))
            ), (text, base)


@pytest.mark.parametrize("seed", range(5))
def test_drawn_expressions_elapse_in_utc_when_they_mean_it(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same draws each time
    check_in_utc([draw(random) for _ in range(1_000 * SCALE)])


def test_chosen_expressions_elapse_in_utc_when_they_mean_it() -> None:
    assert len(CHOSEN) >= 300
    check_in_utc(CHOSEN)


ZONES = {
    "Europe/Berlin": (2026, 2027),
    "America/New_York": (2026, 2027),
    "America/Santiago": (2026,),
    "Africa/Cairo": (2026,),
    "Australia/Lord_Howe": (2026,),
    "Pacific/Apia": (2011,),
    "Africa/Casablanca": (2026,),
    "Europe/Dublin": (2026,),
    "Asia/Pyongyang": (2015,),
    "Antarctica/Casey": (2011,),
}
NIGHTS = [
    (zone, stretch)
    for zone, years in ZONES.items()
    for year in years
    for stretch in stretches_of_year(zone, year)[1:]
]


@pytest.mark.parametrize(("zone", "after"), NIGHTS, ids=[f"{zone}-{s.start:%Y-%m-%d}" for zone, s in NIGHTS])
def test_expressions_keep_their_policy_when_the_clocks_change(zone: str, after: Stretch) -> None:
    random = Random(f"{zone}{after.start}")  # noqa: S311 - the same draws each time
    start = after.start.replace(second=0) - timedelta(hours=random.choice([2, 26]))
    end = after.start.replace(second=0) + timedelta(hours=26)
    for dst, draws in ((Dst.CRON, 36 * SCALE), (Dst.SKIP, 9 * SCALE)):
        texts = [draw_near_change(random) for _ in range(draws)] + [draw(random) for _ in range(draws // 4)]
        cases = [
            case for text in texts if (case := translated(text, zone, dst, now=start - timedelta(days=9)))
        ]
        for case, union in zip(cases, unions(cases, start - timedelta(seconds=1), zone, 300), strict=True):
            check_through_change(case, union, (start, end), zone)


def check_through_change(
    case: Case, union: list[datetime], window: tuple[datetime, datetime], zone: str
) -> None:
    text, schedule, translation = case
    start, end = window
    if len(union) >= 300:  # as far as each line was asked: 300 elapses at least
        end = min(end, union[299].replace(second=0))
    meant = Oracle(text).around(start, end, zone, schedule.dst is Dst.CRON)
    evaluated = list(takewhile(lambda i: i < end, instants_after(schedule, start - timedelta(seconds=1))))
    assert evaluated == meant, (text, zone, schedule.dst)
    assert [instant for instant in union if instant < end] == meant, (text, zone, translation.oncalendar)


@pytest.mark.parametrize("dst", Dst)
@pytest.mark.parametrize(
    "text", ["59 2 * * *", "50 3 * * *", "45 3 * * *", "30 */6 * * *", "15 0-6 * * *", "0 12 * * *"]
)
def test_lines_that_systemd_fails_on_are_woken_by_utc_instants(text: str, dst: Dst) -> None:
    change = stretches_of_year("Pacific/Chatham", 2026)[2].start
    start, end = change - timedelta(hours=30), change + timedelta(hours=40)
    case = translated(text, "Pacific/Chatham", dst, start)
    assert case is not None
    assert timer(case[2].oncalendar, start - timedelta(seconds=1), end, "Pacific/Chatham") == Oracle(
        text
    ).around(start, end, "Pacific/Chatham", dst is Dst.CRON)


def test_zones_on_the_line_are_understood_as_the_zone_of_the_machine() -> None:
    random = Random(4)  # noqa: S311 - the same draws each time
    base = datetime(2027, 3, 27, 20, tzinfo=UTC)
    cases = [case for _ in range(60) if (case := translated(draw_near_change(random), "Europe/Berlin"))]
    assert unions(cases, base) == unions(cases, base, "Europe/Berlin")


def test_the_previous_instant_is_the_one_that_leads_here() -> None:
    random = Random(11)  # noqa: S311 - the same draws each time
    for _ in range(600 * SCALE):
        zone = random.choice(["UTC", *ZONES])
        case = translated(draw_near_change(random), zone)
        for _, schedule, _ in [case] if case else []:
            instants = list(
                islice(instants_after(schedule, datetime(2026, random.randint(1, 12), 24, tzinfo=UTC)), 40)
            )
            assert [previous_before(schedule, later) for later in instants[1:]] == instants[:-1]
