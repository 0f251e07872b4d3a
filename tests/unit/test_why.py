"""`cncopctl why`: of all that may keep a job from running, the nearest is the answer."""

from __future__ import annotations

import fcntl
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cncopctl.core.outcome import Outcome
from cncopctl.core.overdue import Running
from cncopctl.core.why import Reason, TimerFacts, WhyFacts, answer
from cncopctl.edges.lock import JobLock

from .past import HOUR, Past
from .test_overdue import LAST_NIGHT, LONG_AGO, NOW, at, good, job, run

UP = TimerFacts("cncop-job-a.timer", "loaded", "active")
WELL = WhyFacts(good(job(), LAST_NIGHT), NOW, LONG_AGO, timers=(UP,))
FAILED = run("2026-11-20T02:30", outcome=Outcome.ERROR, phrase="disk full", hint="make room")
MISSED = good(job(), run("2026-11-19T02:30"))
BERLIN = replace(
    good(job({"cron": "30 2 * * *", "dst": "skip"}, zone="Europe/Berlin"), run("2026-03-28T01:30")),
)


def facts(**changes: Any) -> WhyFacts:
    return replace(WELL, **changes)


@pytest.mark.parametrize(
    ("known", "reason", "sentence"),
    [
        (
            facts(),
            Reason.NOT_DUE,
            "waits for its time: it runs next at 11-21 02:30 (in 14h 30min); its last run ended OK 8h 30min ago",
        ),
        (
            facts(next_run=at("2026-11-21T03:00"), next_excuse="in the blackout fair"),
            Reason.NOT_DUE,
            "waits for its time: it runs next at 11-21 03:00 (in 15h), but in the blackout fair; "
            "its last run ended OK 8h 30min ago",
        ),
        (
            facts(job=replace(WELL.job, running=Running(at("2026-11-20T11:00"), "copying, 42%"))),
            Reason.RUNNING,
            "runs since 11-20 11:00: copying, 42%",
        ),
        (
            facts(
                job=replace(
                    WELL.job, running=Running(at("2026-11-20T11:00"), "waits for a slot; db runs", True)
                )
            ),
            Reason.WAITING,
            "waits for a slot; db runs, since 11-20 11:00",
        ),
        (
            facts(lock="run x (process 7) since 02:30"),
            Reason.LOCKED,
            "its lock is held, though it does not run: run x (process 7) since 02:30",
        ),
        (facts(halt="stopped since 1:00", pause="paused"), Reason.STOPPED, "is stopped since 1:00"),
        (facts(is_enabled=False), Reason.DISABLED, "is disabled: the profile says enabled = false"),
        (facts(pause="paused until 9:00", is_target_active=False), Reason.PAUSED, "is paused until 9:00"),
        (facts(is_target_active=False), Reason.TARGET_STOPPED, "cncop.target is stopped: nothing starts it"),
        (facts(service_load_state="masked"), Reason.MASKED, "its unit cncop-job-a.service is masked"),
        (
            facts(timers=(replace(UP, load_state="masked", active_state="inactive"),)),
            Reason.MASKED,
            "its timer cncop-job-a.timer is masked: it starts nothing",
        ),
        (
            facts(timers=(UP, replace(UP, name="cncop-job-a:2.timer", active_state="failed"))),
            Reason.TIMER_DOWN,
            "its timer cncop-job-a:2.timer is failed: it starts nothing",
        ),
        (
            facts(job=MISSED, refused_at=at("2026-11-20T02:30")),
            Reason.CONDITION,
            "a condition of its unit did not hold at 11-20 02:30",
        ),
        (
            facts(blackout="in the blackout fair until 18:00"),
            Reason.BLACKOUT,
            "is in the blackout fair until 18:00",
        ),
        (
            facts(job=MISSED),
            Reason.MISSED,
            "was to run at 11-20 02:30, and nothing tells why it did not; it runs next at 11-21 02:30 (in 14h 30min)",
        ),
        (
            facts(job=MISSED, up_since=at("2026-11-20T11:59")),
            Reason.MISSED,
            "was to run at 11-20 02:30, when timers were not up, and is made up for now; "
            "it runs next at 11-21 02:30 (in 14h 30min)",
        ),
        (
            facts(job=replace(MISSED, is_catching_up=False), up_since=at("2026-11-20T11:59")),
            Reason.MISSED,
            "was to run at 11-20 02:30, when timers were not up; catch_up is off; "
            "it runs next at 11-21 02:30 (in 14h 30min)",
        ),
        (
            facts(job=replace(MISSED, random_delay=12 * HOUR)),
            Reason.MISSED,
            "is put off by its random delay of up to 12h; it runs next at 11-21 02:30 (in 14h 30min)",
        ),
        (
            facts(job=replace(WELL.job, last_skipped=run("2026-11-20T04:00", phrase="paused until 5:00"))),
            Reason.SKIPPED,
            "was SKIPPED at 11-20 04:00: paused until 5:00; it runs next at 11-21 02:30 (in 14h 30min)",
        ),
        (
            WhyFacts(BERLIN, at("2026-03-29T10:00"), LONG_AGO, timers=(UP,)),
            Reason.CLOCKS,
            "2026-03-29: the clocks skip 02:00 to 03:00; what falls into it does not run; "
            "it runs next at 03-30 00:30 (in 14h 30min)",
        ),
        (
            facts(job=replace(WELL.job, last_run=FAILED)),
            Reason.FAILED,
            "its last run ended as ERROR: disk full; it runs next at 11-21 02:30 (in 14h 30min)",
        ),
        (
            facts(job=good(job({"date": "2026-11-20T02:30"}), LAST_NIGHT)),
            Reason.OVER,
            "its schedule is over: it never runs again",
        ),
        (
            facts(job=good(job("@reboot"), LAST_NIGHT)),
            Reason.NOT_DUE,
            "waits for its time: no clock starts it; its last run ended OK 8h 30min ago",
        ),
    ],
)
def test_the_answer_is_the_nearest_reason(known: WhyFacts, reason: Reason, sentence: str) -> None:
    found = answer(known, lambda instant: f"{instant:%m-%d %H:%M}")
    assert (found.reason, found.sentence) == (reason, sentence)


def test_the_facts_follow_the_answer() -> None:
    found = answer(
        facts(job=replace(WELL.job, last_run=FAILED, usual=HOUR)), lambda instant: f"{instant:%m-%d %H:%M}"
    )
    assert found.hint == "make room"
    assert dict(found.facts) == {
        "last run": "11-20 02:30, 9h 30min ago, for 1h",
        "it ended": "ERROR: disk full",
        "schedule": "30 2 * * *: At 02:30 every day (UTC).",
        "next run": "11-21 02:30",
        "usually takes": "1h",
        "catch-up": "on: what is missed while timers are down is made up for",
        "timers up since": "01-01 00:00",
    }


def test_a_change_of_the_clocks_that_comes_is_told() -> None:
    known = WhyFacts(BERLIN, at("2026-03-20T10:00"), LONG_AGO, timers=(UP,))
    found = answer(known, lambda instant: f"{instant:%m-%d}")
    assert (
        "clocks",
        "2026-03-29: the clocks skip 02:00 to 03:00; what falls into it does not run",
    ) in found.facts


def test_it_is_asked_by_id_or_title_and_answers_programs_too(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.job("a", past.daily(3 * HOUR), title="Web server")
    past.run("a", 2 * HOUR, Outcome.ERROR, phrase="disk \x1b[2Jfull")
    first, hint, *told = past.say("why", "WEB server").splitlines()
    assert first.startswith("a: its last run ended as ERROR: disk \\x1b[2Jfull; it runs next at ")
    assert hint.startswith("hint: look at: cncopctl logs --run a-")
    assert told[1] == "  it ended  ERROR: disk \\x1b[2Jfull"
    document = json.loads(past.say("why", "a", "--json"))
    assert (document["job"], document["reason"]) == ("a", "failed")
    assert document["answer"] == first.partition(": ")[2].replace("\\x1b", "\x1b")


def test_a_job_that_is_only_in_the_profile_was_never_synced(tmp_path: Path) -> None:
    past = Past(tmp_path)
    (tmp_path / "Config").mkdir()
    text = 'schema = 1\n[[job]]\nid = "new"\ntype = "RSYNC"\nschedule = "30 2 * * *"\nsource = "/etc"\n'
    (tmp_path / "Config/profile.toml").write_text(text)
    assert past.say("why", "new") == (
        "new: is in profile.toml, but no sync has installed it yet\nhint: run: cncopctl sync-profile\n"
    )
    past.say("sync-profile")
    assert past.say("why", "new").startswith("new: waits for its time")
    (tmp_path / "Config/profile.toml").write_text(text + "enabled = false\n")
    past.say("sync-profile")
    assert past.say("why", "new").startswith("new: is disabled: the profile says enabled = false\n")
    assert "there is no job" in past.say("why", "gone", status=2)


def test_looking_who_holds_a_lock_takes_it_from_nobody(tmp_path: Path) -> None:
    with JobLock(tmp_path, "a") as looking, JobLock(tmp_path, "a") as taking:
        assert not looking.is_held()
        assert taking.take()
        assert looking.is_held()
        fcntl.flock(taking.descriptor, fcntl.LOCK_UN)
        assert not looking.is_held()


def test_a_run_that_left_something_behind_is_told_by_its_lock(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.job("a", past.daily(3 * HOUR))
    with JobLock(past.layout.locks, "a") as lock:
        assert lock.take("run-7", past.now - timedelta(hours=1))
        said = past.say("why", "a")
    assert said.startswith("a: its lock is held, though it does not run: run run-7 (process ")
