"""How often people are told the same of a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.core.told import Told, kind_of, tell

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PERIOD = timedelta(hours=20)
BOTH = ("failure", "recovery")
OK = ""


def run(at: timedelta, why: str) -> Run:
    outcome = Outcome.ERROR if why else Outcome.OK
    return Run(str(at), "a", "a", NOW + at, ended=NOW + at, outcome=outcome, phrase=why)


def letters(
    ends: Iterable[tuple[timedelta, str]], on: Sequence[str] = BOTH, period: timedelta = PERIOD
) -> list[tuple[timedelta, str, int]]:
    """The letters about runs that began then and failed for that reason: which, and how many failures before."""
    told: Told | None = None
    before: Run | None = None
    found = []
    for at, why in ends:
        this = run(at, why)
        is_due, now_told = tell(told, on, this, before, period)
        if is_due:
            found.append((at, why, told.untold if told else 0))
        # As it is kept between runs.
        told, before = (Told.from_document(now_told.document()) if now_told else told), this
    return found


def hours(*whys: str, step: float = 1) -> list[tuple[timedelta, str]]:
    return [(timedelta(hours=number * step), why) for number, why in enumerate(whys)]


def at(hour: float) -> timedelta:
    return timedelta(hours=hour)


def test_a_job_that_fails_every_five_minutes_tells_it_once_a_day_or_so() -> None:
    three_days = hours(*[f"no route to host, attempt {n}" for n in range(3 * 288)], step=1 / 12)
    told = letters(three_days)
    assert [round(hour / timedelta(hours=1)) for hour, _, _ in told] == [0, 20, 40, 60]
    assert [untold for _, _, untold in told] == [0, 239, 239, 239]


def test_a_nightly_job_that_fails_each_night_tells_it_each_night() -> None:
    nights = [(timedelta(days=n, minutes=-n), "disk full") for n in range(5)]
    assert len(letters(nights)) == 5


def test_another_failure_is_told_at_once() -> None:
    assert [why for _, why, _ in letters(hours("no route", "no route", "disk full", "disk full"))] == [
        "no route",
        "disk full",
    ]


def test_the_first_good_run_is_told_and_so_is_the_next_failure() -> None:
    ends = hours("broken", "broken", OK, OK, "broken", "broken")
    assert letters(ends) == [(at(0), "broken", 0), (at(2), OK, 1), (at(4), "broken", 0)]
    assert letters(ends, on=["failure"]) == [(at(0), "broken", 0), (at(4), "broken", 1)]
    assert letters(ends, on=["recovery"]) == [(at(2), OK, 0)]


def test_a_job_that_fails_and_works_in_turns_is_told_three_times_then_after_the_period() -> None:
    told = letters(hours(*["broken", OK] * 100, step=1 / 4))
    assert [hour / timedelta(hours=1) for hour, _, _ in told] == [
        0,
        0.25,
        0.5,
        20,
        20.25,
        20.5,
        40,
        40.25,
        40.5,
    ]


def test_a_recovery_that_nobody_was_told_of_is_told_after_the_period() -> None:
    ends = hours("broken", OK, "broken", *[OK] * 30)
    assert letters(ends) == [(at(0), "broken", 0), (at(1), OK, 0), (at(2), "broken", 0), (at(20), OK, 0)]


def test_failures_of_ever_new_kinds_have_an_end() -> None:
    kinds = ["".join(chr(ord("a") + int(digit)) for digit in str(n)) for n in range(200)]
    assert len(letters(hours(*kinds, step=1 / 12))) == 10


def test_who_asks_for_all_runs_gets_all() -> None:
    ends = hours("broken", "broken", OK, OK)
    assert len(letters(ends, on=["always"])) == 4
    assert len(letters(ends, period=timedelta())) == 3


def test_a_clock_that_was_set_back_keeps_nobody_from_being_told() -> None:
    ahead = [(timedelta(days=3650), "broken"), *hours("broken", "broken")]
    assert [hour for hour, _, _ in letters(ahead)] == [timedelta(days=3650), at(0)]


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("12 of 90 files could not be read", "13 of 91 files could not be read", True),
        ('the disk of "/srv/a" is full', 'the disk of "/srv/b b" is full', True),
        ("/srv/a: Permission denied", "/srv/b/c: Permission denied", True),
        ("Permission denied", "no space left", False),
    ],
)
def test_failures_are_the_same_but_for_numbers_and_names(one: str, other: str, are_same: bool) -> None:
    assert (kind_of(run(at(0), one)) == kind_of(run(at(1), other))) is are_same


def test_how_a_run_ended_makes_a_difference() -> None:
    failed = run(at(0), "was stopped")
    aborted = Run("1", "a", "a", NOW, ended=NOW, outcome=Outcome.ABORTED, phrase="was stopped")
    assert kind_of(failed) != kind_of(aborted)
    assert kind_of(run(at(0), OK)) == ""
