"""What should have run and what did: verdicts from schedules and histories, across clock changes and off times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cncopctl.core.outcome import UNDER_WAY, Outcome
from cncopctl.core.overdue import (
    Excuse,
    JobFacts,
    Limits,
    Running,
    State,
    Verdict,
    judge,
    last_due,
    missed,
)
from cncopctl.core.run import Run
from cncopctl.core.schedule import Seed, parse

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def run(started: str, took: timedelta = HOUR, outcome: Outcome = Outcome.OK, **more: Any) -> Run:
    begun = at(started)
    return Run("r", "a", "A", begun, ended=begun + took, outcome=outcome, **more)


def job(*schedules: str | Mapping[str, object], zone: str = "UTC", **more: Any) -> JobFacts:
    parsed = tuple(parse(text, zone=zone, seed=Seed("0" * 32, "a")) for text in schedules or ["30 2 * * *"])
    return JobFacts("a", "A", parsed, LONG_AGO, **more)


def good(facts: JobFacts, last: Run) -> JobFacts:
    return replace(facts, last_run=last, last_good=last)


def verdict(facts: JobFacts, now: datetime = NOW, up_since: datetime = LONG_AGO, **limits: Any) -> Verdict:
    return judge(facts, now, up_since, Limits(**limits), lambda instant: f"{instant:%m-%d %H:%M}")


LAST_NIGHT = run("2026-11-20T02:30")


@pytest.mark.parametrize(
    ("facts", "state", "sentence"),
    [
        pytest.param(
            good(job(), LAST_NIGHT), State.OK, "OK 9h 30min ago, next run at 11-21 02:30", id="well"
        ),
        pytest.param(
            good(job(), run("2026-11-19T02:30")),
            State.CRITICAL,
            "has not run: it was to run at 11-20 02:30, 9h 30min ago",
            id="missed",
        ),
        pytest.param(
            job(), State.CRITICAL, "has not run: it was to run at 11-20 02:30, 9h 30min ago", id="never ran"
        ),
        pytest.param(
            replace(job(), since=NOW), State.OK, "has not run yet, next run at 11-21 02:30", id="new"
        ),
        pytest.param(
            replace(good(job(), run("2026-11-19T02:30")), running=Running(at("2026-11-20T02:30"))),
            State.OK,
            "has been running for 9h 30min",
            id="running",
        ),
        pytest.param(
            good(job(), run("2026-11-19T02:30", took=DAY + HOUR)),
            State.OK,
            "OK 1d 9h ago, next run at 11-21 02:30",
            id="ran so long that it covered its next instant",
        ),
        pytest.param(
            replace(good(job(), LAST_NIGHT), running=Running(at("2026-11-20T03:00")), usual=HOUR),
            State.WARNING,
            "has been running for 9h, which usually takes 1h",
            id="runs too long",
        ),
        pytest.param(
            replace(job(), last_run=run("2026-11-20T02:30", outcome=Outcome.RERUN, phrase="no route")),
            State.CRITICAL,
            "RE-RUN 8h 30min ago: no route",
            id="failed",
        ),
        pytest.param(
            replace(
                job(),
                last_run=run("2026-11-20T02:30", outcome=Outcome.ERROR, phrase="full"),
                running=Running(at("2026-11-20T11:00")),
            ),
            State.CRITICAL,
            "ERROR 8h 30min ago: full, and runs again now",
            id="failed and runs again",
        ),
        pytest.param(
            good(job(), run("2026-11-20T02:30", warnings=("3 files vanished", "x"))),
            State.WARNING,
            "ended OK with a warning: 3 files vanished (and 1 more)",
            id="warned",
        ),
        pytest.param(
            replace(job(), last_skipped=run("2026-11-20T02:30", outcome=Outcome.SKIPPED, phrase="paused")),
            State.OK,
            "has not run yet, next run at 11-21 02:30",
            id="skipped for a reason",
        ),
        pytest.param(
            replace(
                job(),
                last_skipped=run("2026-11-20T02:30", outcome=Outcome.SKIPPED, phrase=f"{UNDER_WAY}: run x"),
            ),
            State.CRITICAL,
            "has not run: it was to run at 11-20 02:30, 9h 30min ago",
            id="skipped for a lock that no run explains",
        ),
        pytest.param(replace(job(), silenced="paused"), State.OK, "paused", id="silenced"),
        pytest.param(
            replace(job(), schedules=()),
            State.OK,
            "has not run yet, no schedule starts it",
            id="by hand only",
        ),
        pytest.param(replace(job("@reboot"), since=NOW), State.OK, "has not run yet", id="after boots only"),
    ],
)
def test_how_a_job_stands(facts: JobFacts, state: State, sentence: str) -> None:
    assert (verdict(facts).state, verdict(facts).sentence) == (state, sentence)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("2026-11-20T02:29", State.OK),
        ("2026-11-20T02:34", State.OK),
        ("2026-11-20T02:36", State.WARNING),
        ("2026-11-20T03:29", State.WARNING),
        ("2026-11-20T03:31", State.CRITICAL),
    ],
)
def test_late_comes_before_overdue(now: str, state: State) -> None:
    assert verdict(good(job(), run("2026-11-19T02:30")), at(now)).state is state


def test_grace_and_random_delay_put_it_off() -> None:
    facts = good(job(), run("2026-11-19T02:30"))
    assert verdict(facts, at("2026-11-20T05:00"), grace=3 * HOUR).state is State.WARNING
    assert verdict(facts, at("2026-11-20T02:32"), grace=timedelta(minutes=1)).state is State.CRITICAL
    delayed = replace(facts, random_delay=2 * HOUR)
    assert verdict(delayed, at("2026-11-20T04:29")).state is State.OK
    assert verdict(delayed, at("2026-11-20T05:31")).state is State.CRITICAL


def test_what_was_missed_while_the_machine_was_off() -> None:
    facts = good(job(), run("2026-11-19T02:30"))
    up = at("2026-11-20T11:58")
    assert verdict(facts, up_since=up).state is State.OK
    assert verdict(facts, at("2026-11-20T12:58:01"), up_since=up).state is State.CRITICAL
    lost = verdict(replace(facts, is_catching_up=False), up_since=up)
    assert lost.sentence == (
        "has not run: it was to run at 11-20 02:30, 9h 30min ago, when timers were not up"
    )


def test_the_age_of_the_last_good_run_has_limits_of_its_own() -> None:
    facts = replace(good(job(), LAST_NIGHT), silenced="paused")
    assert verdict(facts, warning_age=9 * HOUR).sentence == "its last good run is 9h 30min old"
    assert verdict(facts, warning_age=9 * HOUR).state is State.WARNING
    assert verdict(facts, warning_age=HOUR, critical_age=9 * HOUR).state is State.CRITICAL
    assert verdict(facts, warning_age=10 * HOUR).state is State.OK
    assert verdict(job(), critical_age=10 * DAY).sentence == "it has never ended OK"


def test_an_instant_in_a_blackout_or_pause_needs_no_run() -> None:
    def excuse(instant: datetime) -> Excuse | None:
        return Excuse("in a blackout") if instant.weekday() in (4, 5) else None

    facts = job(excuse=excuse)
    assert last_due(facts, NOW) == at("2026-11-19T02:30")
    moved = job(excuse=lambda instant: Excuse("in a blackout", moved_to=instant + 8 * HOUR))
    assert last_due(moved, NOW) == at("2026-11-20T10:30")
    assert last_due(moved, at("2026-11-20T10:00")) == at("2026-11-19T10:30")


def test_a_long_pause_of_a_job_that_runs_each_second_is_passed_over_at_once() -> None:
    since = NOW - 30 * DAY
    known = job("* * * * * *", excuse=lambda instant: Excuse("paused", since) if instant >= since else None)
    assert last_due(known, NOW) == since - timedelta(seconds=1)
    unknown = job("* * * * * *", excuse=lambda instant: Excuse("in a blackout") if instant >= since else None)
    found = last_due(unknown, NOW)
    assert found
    assert since - DAY < found < since


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-28T12:00", "2026-03-28T01:30"),
        ("2026-03-29T12:00", "2026-03-29T01:00"),
        ("2026-03-30T12:00", "2026-03-30T00:30"),
        ("2026-10-25T12:00", "2026-10-25T00:30"),
    ],
)
def test_nights_when_clocks_change_count_as_the_timers_count_them(now: str, due: str) -> None:
    assert last_due(job(zone="Europe/Berlin"), at(now)) == at(due)


def test_a_night_that_a_schedule_skips_is_not_missed() -> None:
    skipping = job({"cron": "30 2 * * *", "dst": "skip"}, zone="Europe/Berlin")
    assert last_due(skipping, at("2026-03-29T12:00")) == at("2026-03-28T01:30")


def test_a_continuous_job_is_due_when_its_last_run_has_ended() -> None:
    facts = good(job({"interval": "continuous"}), run("2026-11-20T02:30"))
    assert last_due(facts, NOW) == at("2026-11-20T03:30")
    assert verdict(facts).state is State.CRITICAL
    assert verdict(facts, at("2026-11-20T03:33")).state is State.OK
    assert verdict(replace(facts, running=Running(NOW - HOUR))).state is State.OK


def test_of_several_schedules_the_last_instant_counts() -> None:
    facts = good(job("30 2 * * *", "0 9 * * *"), LAST_NIGHT)
    found = missed(facts, NOW, LONG_AGO)
    assert found
    assert (found.at, found.late, found.was_down) == (at("2026-11-20T09:00"), 3 * HOUR, False)
