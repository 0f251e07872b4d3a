"""Pauses: what timers start meanwhile is skipped, whatever else happens, and no timer is touched."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from .installation import Installation, cncopctl, job
from .timer_starts import EVERY_SECOND, TimerStarts, now
from .user_manager import UserManager


def test_a_timer_starts_nothing_while_a_job_is_paused_and_again_when_it_is_resumed(
    cncop: Installation, starts: TimerStarts
) -> None:
    cncop.synced(job("a", title="Web", schedule=EVERY_SECOND))
    assert starts.next()["outcome"] == "OK"
    timers = cncop.starts()
    assert cncopctl(cncop, "pause", "web", "--until", "3d", "--reason", "new disks").startswith(
        "a: paused until"
    )
    run = starts.next(after=now())
    assert run["outcome"] == "SKIPPED"
    assert run["phrase"].startswith("paused until ")
    assert run["phrase"].endswith(", because: new disks")
    assert cncopctl(cncop, "resume", "a") == "a: resumed\n"
    assert starts.next(after=now())["outcome"] == "OK"
    assert cncop.starts() == timers


def test_a_persons_start_is_known_from_a_timers_also_after_one(
    cncop: Installation, starts: TimerStarts
) -> None:
    cncop.synced(job("a", schedule=f"{now() + timedelta(seconds=12):%M %H * * * %S}", timezone="UTC"))
    cncopctl(cncop, "pause", "a")
    assert starts.next()["outcome"] == "SKIPPED"
    cncop.manager.systemctl("start", "cncop-job-a.service")
    assert starts.next()["outcome"] == "OK"


def test_a_pause_ends_by_itself(cncop: Installation, starts: TimerStarts) -> None:
    cncop.synced(job("a", schedule=EVERY_SECOND))
    end = now() + timedelta(seconds=10)
    cncopctl(cncop, "pause", "a", "--until", end.isoformat())
    while (run := starts.next(after=end - timedelta(seconds=5)))["outcome"] == "SKIPPED":
        assert datetime.fromisoformat(run["started"]) < end
    assert run["outcome"] == "OK"
    assert end <= datetime.fromisoformat(run["started"])


def test_it_outlives_syncs_and_restarts_and_is_told_everywhere(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"))
    cncopctl(cncop, "pause", "a", "--reason", "moving")
    cncop.manager.systemctl("daemon-reexec")
    assert "note: a is paused until it is resumed, because: moving\n" in cncop.sync().stdout
    cncop.write(job("a", title="changed"), job("b"))
    assert "note: a is paused until it is resumed, because: moving\n" in cncop.sync().stdout
    paused = {each["id"]: each["pause"] for each in json.loads(cncopctl(cncop, "jobs", "--json"))}
    assert paused["a"]["reason"] == "moving"
    assert (paused["a"]["until"], paused["b"]) == (None, None)
    assert "paused until it is resumed, because: moving; never ran" in cncopctl(cncop, "jobs")


def test_runjob_asks_for_force_and_systemctl_is_a_persons_own_word(cncop: Installation) -> None:
    cncop.synced(job("a"))
    cncopctl(cncop, "pause", "a")
    refused = cncopctl(cncop, "runjob", "a", status=3)
    assert refused == "a: SKIPPED: paused until it is resumed; runjob --force runs it all the same\n"
    assert "a: OK: all is copied" in cncopctl(cncop, "runjob", "--force", "a")
    cncop.manager.systemctl("start", "cncop-job-a.service")
    assert "runs all the same, as somebody has started it" in cncop.manager.journal("cncop-job-a.service")


def test_all_jobs_are_paused_and_resumed_at_once(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"))
    told = cncopctl(cncop, "pause", "-a", "--until", "2100-01-01T00:00:00Z", "--json")
    assert {pause["job"]: pause["until"] for pause in json.loads(told)} == {
        "a": "2100-01-01T00:00:00+00:00",
        "b": "2100-01-01T00:00:00+00:00",
    }
    assert cncopctl(cncop, "resume", "-a") == "a: resumed\nb: resumed\n"
    assert cncopctl(cncop, "resume", "a") == "a: was not paused\n"


def test_a_job_of_the_same_id_that_comes_later_is_not_paused(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"))
    cncopctl(cncop, "pause", "a")
    cncop.synced(job("b"))
    cncop.write(job("a"), job("b"))
    assert "paused" not in cncop.sync().stdout


def test_a_pause_that_cannot_be_read_is_told_and_keeps_the_job_from_running(cncop: Installation) -> None:
    cncop.synced(job("a"))
    cncopctl(cncop, "pause", "a")
    (cncop.state / "pauses/a.json").write_text("{")
    cncop.manager.systemctl("start", "cncop-job-a.service", check=False)
    journal = cncop.manager.journal("cncop-job-a.service")
    assert "the pause of a cannot be read" in journal
    assert "hint: end it with: cncopctl resume a" in journal
    assert cncopctl(cncop, "resume", "a") == "a: resumed\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pause", "c"], 'there is no job "c"'),
        (["pause"], "name the jobs, or take all with -a"),
        (["pause", "a", "--until", "soon"], '"soon" is no time'),
        (["pause", "a", "--until", "2020-01-01"], '"2020-01-01" is past'),
    ],
)
def test_what_is_wrong_is_told_and_pauses_nothing(
    shared_installation: Installation, words: list[str], said: str
) -> None:
    assert said in cncopctl(shared_installation, *words, status=2)
    assert "paused" not in cncopctl(shared_installation, "jobs")


@pytest.fixture(scope="module")
def shared_installation(shared_manager: UserManager) -> Installation:
    installation = Installation(shared_manager)
    installation.synced(job("a"))
    return installation
