"""The doctor's judgement: which facts are a problem, which are worth a note, and which are nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cncopctl.core.doctor import Facts, Finding, JobFacts, Space, Spooled, Weight, findings
from cncopctl.core.plan import Action, Plan, Step
from cncopctl.core.schedule import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMER = "cncop-job-a.timer"
STATES = {
    "cncop.target": "active",
    "cncop-sync.timer": "active",
    TIMER: "active",
    "cncop-sync.service": "inactive",
}
JOB = JobFacts(
    "a", (parse("30 2 * * *", zone="UTC"),), frozenset({"rsync", "restic"}), "/srv/a", is_catching_up=True
)
FINE = Facts(
    now=NOW,
    jobs=[JOB],
    states=STATES,
    timers=[TIMER, "cncop-sync.timer"],
    synced_at=NOW - timedelta(days=3),
    machine_id="0123456789abcdef0123456789abcdef",
    synced_machine_id="0123456789abcdef0123456789abcdef",
    is_clock_synchronised=True,
    programs=frozenset({"rsync", "restic", "ssh"}),
    space={"/srv/a": Space(500 << 30, 1000 << 30)},
)


def job(schedule: Any, zone: str = "UTC", **changes: Any) -> dict[str, Any]:
    return {"jobs": [replace(JOB, schedules=(parse(schedule, zone=zone),), **changes)]}


def plan(action: Action, name: str, reason: str) -> dict[str, Any]:
    return {"plan": Plan((Step(action, name, reason),))}


def told(**changes: Any) -> list[str]:
    return [f"{found.weight} {found.about}: {found.what}" for found in findings(replace(FINE, **changes))]


def test_where_nothing_is_wrong_nothing_is_found() -> None:
    assert findings(FINE) == []
    assert findings(Facts(NOW, machine_id=FINE.machine_id)) == []


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        (
            {"history_obstacle": ("/h: is damaged", "mv"), "unrecorded": 2},
            "history: /h: is damaged; 2 runs wait to be taken into it",
        ),
        ({"refusal": ("profile.toml: is not TOML", "x")}, "profile: profile.toml: is not TOML"),
        (
            {"mail_obstacle": ("no mail server is set", "x")},
            "mail: jobs ask for mail, but no mail server is set",
        ),
        ({"waiting_mails": 2}, "mail: 2 mails could not be sent yet"),
        (plan(Action.WRITE, TIMER, "edited by hand"), f"{TIMER}: was edited by hand"),
        (plan(Action.WRITE, TIMER, "masked by hand"), f"{TIMER}: was masked by hand"),
        (plan(Action.COMPILE, "a", "changed"), "profile: is not followed yet (a)"),
        (plan(Action.RELOAD, "", "units changed"), "profile: is not followed yet (units changed)"),
        ({"states": STATES | {TIMER: "failed"}}, f"{TIMER}: is failed: it starts nothing"),
        (
            {"states": {name: state for name, state in STATES.items() if name != TIMER}},
            f"{TIMER}: is not loaded: it starts nothing",
        ),
        ({"states": STATES | {"cncop.target": "inactive"}}, "cncop.target: is stopped: nothing fires"),
        (
            {"states": STATES | {"cncop-sync.timer": "inactive"}},
            "cncop-sync.timer: is not active: schedules that reach only so far ahead run out, "
            "and a new time zone is not followed",
        ),
        (
            {"states": STATES | {"cncop-sync.service": "failed"}},
            "cncop-sync.service: failed: schedules are not renewed",
        ),
        (
            {"synced_at": NOW - timedelta(days=30)},
            "profile: was synced 4w 2d ago, which ought to happen weekly",
        ),
        ({"machine_id": ""}, "machine: the machine's id is not set: starts are not spread over a fleet"),
        (
            {"machine_id": "uninitialized"},
            'machine: the machine\'s id is "uninitialized": starts are not spread over a fleet',
        ),
        (
            {"synced_machine_id": "f" * 31 + "0"},
            "machine: the machine's id is not that of the last sync: this looks like a copy of another machine",
        ),
        (
            {"is_clock_synchronised": False},
            "machine: the clock is not synchronised: jobs run at wrong times if it is wrong",
        ),
        ({"programs": frozenset({"rsync"})}, "machine: restic is not installed, and a needs it"),
        (
            {"leftovers": {"abc": "a"}},
            "a: run abc was never closed: the machine or its manager went down in it",
        ),
        (
            {"spooled": Spooled(12, timedelta(hours=3))},
            "spool: has 12 reports and mails that wait to be handed on, the oldest for 3h",
        ),
        (
            {"states": STATES | {"cncop-reporter.path": "failed"}, "timers": [TIMER, "cncop-reporter.path"]},
            "cncop-reporter.path: is failed: it starts nothing",
        ),
        ({"space": {"/srv/a": None}}, 'a: its destination "/srv/a" is not there'),
        (
            {"space": {"/srv/a": Space(1 << 29, 10 << 30)}},
            'a: only 512.0 MiB of 10.0 GiB are free at "/srv/a"',
        ),
        (job({"cron": "0 1 1 1 *", "end_date": "2026-02-01T00:00:00Z"}), 'a: "0 1 1 1 *" never fires again'),
        (
            job("30 2 * * *", random_delay=timedelta(hours=6)) | {"boots": 9},
            "a: its random_delay of 6h begins anew at each boot, and there were 9 within a week",
        ),
    ],
)
def test_what_is_wrong_is_a_problem_with_a_hint(changes: dict[str, Any], finding: str) -> None:
    assert told(**changes) == [f"problem {finding}"]
    assert all(found.hint for found in findings(replace(FINE, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"is_clock_synchronised": None},
        {"synced_machine_id": ""},
        {"states": {}, "timers": [TIMER]},
        {"boots": 50},
        job("30 2 * * *", random_delay=timedelta(hours=6)) | {"boots": 1},
        job("30 12 * * *", "Europe/Berlin"),
        job("@reboot"),
        job({"interval": "continuous"}),
        {"space": {"/srv/a": Space(60 << 30, 4000 << 30)}},
    ],
)
def test_what_is_as_it_may_be_is_not_told(changes: dict[str, Any]) -> None:
    assert told(**changes) == []


def test_nights_on_which_the_clocks_change_are_noted_and_lost_runs_are_problems() -> None:
    assert told(**job("30 2 * * *", "Europe/Berlin")) == [
        "note a: 2026-03-29: the clocks skip 02:00 to 03:00; what falls into it runs once, at 03:00",
        "note a: 2026-10-25: the clocks repeat 02:00 to 03:00; what falls into it runs the first time only",
        "note a: 2027-03-28: the clocks skip 02:00 to 03:00; what falls into it runs once, at 03:00",
    ]
    assert told(**job("*/20 2 * * *", "Europe/Berlin"))[0].startswith("problem a: 2026-03-29")


def test_lines_that_reach_only_so_far_are_told_before_they_end() -> None:
    changes = job("30 2 * * *", "Europe/Berlin")
    stale = told(**changes, synced_at=NOW - timedelta(days=420))
    assert any("its timers are exact only until 2026-04-01" in line for line in stale)


def test_the_password_is_a_note_and_comes_after_problems() -> None:
    found = findings(replace(FINE, has_unsaved_password=True, machine_id=""))
    assert [finding.weight for finding in found] == [Weight.PROBLEM, Weight.NOTE]
    assert isinstance(found[1], Finding)
    assert found[1].about == "repository"


def test_what_waits_for_a_moment_is_nothing_and_what_is_no_report_is_noted() -> None:
    assert told(spooled=Spooled(100, timedelta(minutes=20))) == []
    assert told(spooled=Spooled(aside=2)) == [
        "note spool: has files that are no reports: 2 were moved to its directory Bad"
    ]


def test_runs_that_wait_for_a_history_that_is_good_again_are_a_note() -> None:
    (note,) = findings(replace(FINE, unrecorded=1))
    assert (note.weight, note.about) == (Weight.NOTE, "history")
    assert "1 run waits to be taken into it" in note.what
