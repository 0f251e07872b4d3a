"""stop, start, abort and remove: what somebody has said of a job holds over syncs and restarts, until start."""

from __future__ import annotations

import json
import os
import pwd
from typing import Any

import pytest

from .installation import CNCOPCTL, OK, Installation, cncopctl, job
from .timer_starts import EVERY_SECOND, TimerStarts, now

LONG = "trap 'kill $!; exit 143' TERM; sleep infinity & wait"


def told(cncop: Installation, *words: str) -> dict[str, dict[str, Any]]:
    """What `cncopctl job` says of each job."""
    return {row["id"]: row for row in json.loads(cncopctl(cncop, "job", *words, "--json"))}


def statuses(cncop: Installation) -> dict[str, str]:
    return {job_id: row["status"] for job_id, row in told(cncop).items()}


def timer(cncop: Installation, job_id: str) -> tuple[str, str, str]:
    """Whether the job's timer is loaded, active and enabled."""
    unit = f"cncop-job-{job_id}.timer"
    return (
        cncop.manager.property(unit, "LoadState"),
        cncop.manager.property(unit, "ActiveState"),
        cncop.manager.systemctl("is-enabled", unit, check=False),
    )


def test_a_stopped_job_is_scheduled_no_more_over_syncs_and_restarts_until_it_is_started(
    cncop: Installation, starts: TimerStarts
) -> None:
    cncop.synced(job("a", title="Web", schedule=EVERY_SECOND), job("b"))
    assert starts.next()["outcome"] == "OK"
    assert "stopped since " in cncopctl(cncop, "job", "stop", "web")
    assert timer(cncop, "a") == ("loaded", "inactive", "disabled")
    stamps = cncop.manager.property("cncop-job-a.timer", "LastTriggerUSec")
    cncop.manager.systemctl("daemon-reexec")
    assert "note: a is stopped since " in cncop.sync().stdout
    assert cncop.steps() == {}
    cncop.write(job("a", title="Web", schedule="* * * * * */2"), job("b", title="changed"))
    assert "note: a is stopped since " in cncop.sync().stdout
    cncop.manager.systemctl("restart", "cncop.target")
    assert timer(cncop, "a") == ("loaded", "inactive", "disabled")
    assert timer(cncop, "b")[1:] == ("active", "enabled")
    assert cncop.manager.property("cncop-job-a.timer", "LastTriggerUSec") in (stamps, "")
    assert statuses(cncop) == {"a": "stop", "b": "scheduled"}
    began = now()
    assert cncopctl(cncop, "job", "start", "a") == "a: scheduled\n"
    assert starts.next(after=began)["outcome"] == "OK"
    assert timer(cncop, "a") == ("loaded", "active", "enabled")
    assert cncop.steps() == {}
    assert cncopctl(cncop, "job", "start", "b") == "b: scheduled, was not stopped\n"


def test_what_was_missed_while_a_job_was_stopped_is_not_made_up_for(cncop: Installation) -> None:
    cncop.synced(job("a"))
    stamp = cncop.manager.home / ".local/share/systemd/timers/stamp-cncop-job-a.timer"
    stamps = [stamp, *cncop.manager.state.glob("**/stamp-cncop-job-a.timer")]
    assert any(path.exists() for path in stamps)
    cncopctl(cncop, "job", "stop", "a")
    assert not any(path.exists() for path in stamps)
    cncopctl(cncop, "job", "start", "a")
    assert statuses(cncop) == {"a": "scheduled"}
    assert not (cncop.state / "history.sqlite").exists()


def test_it_works_while_the_profile_is_not_valid(cncop: Installation) -> None:
    cncop.synced(job("a"))
    cncop.profile.write_text("schema = [")
    cncopctl(cncop, "job", "stop", "a")
    assert timer(cncop, "a") == ("loaded", "inactive", "disabled")
    cncopctl(cncop, "job", "start", "a")
    assert timer(cncop, "a") == ("loaded", "active", "enabled")


def test_a_sync_completes_what_a_kill_has_left_of_it(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"))
    cncopctl(cncop, "job", "stop", "a")
    halts = cncop.state / "halts"
    (halts / "b.json").write_text(
        (halts / "a.json").read_text().replace('"a"', '"b"').replace("stop", "removed")
    )
    assert {step.partition(" ")[2] for step in cncop.steps()} >= {
        "cncop-job-b.timer",
        "cncop-job-b.service",
        "b",
    }
    assert timer(cncop, "b")[0] == "not-found"
    assert statuses(cncop) == {"a": "stop", "b": "removed"}
    assert cncop.steps() == {}


def test_a_removed_job_loses_its_units_and_keeps_history_and_backups_until_it_is_started(
    cncop: Installation,
) -> None:
    cncop.synced(job("a", title="Web"), job("b"))
    cncopctl(cncop, "runjob", "a")
    backups = list((cncop.manager.home / ".local/share/cncop/backups").rglob("*"))
    assert "a: removed since " in cncopctl(cncop, "job", "remove", "a")
    assert not [name for name in cncop.unit_files() if "cncop-job-a" in name]
    assert list(cncop.compiled()) == ["b.toml"]
    assert timer(cncop, "a")[0] == "not-found"
    assert cncop.steps() == {}
    assert cncop.steps("--no-prune") == {}
    assert [run["job"] for run in cncop.history()] == ["a"]
    assert list((cncop.manager.home / ".local/share/cncop/backups").rglob("*")) == backups
    row = told(cncop)["a"]
    assert (row["title"], row["status"], row["event"], row["result"]) == ("Web", "removed", "", "success")
    assert 'there is no job "a"' in cncopctl(cncop, "runjob", "a", status=2)
    assert cncopctl(cncop, "job", "start", "web") == "a: scheduled\n"
    assert timer(cncop, "a") == ("loaded", "active", "enabled")


def test_what_was_said_is_forgotten_with_the_job(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"), job("c"))
    cncopctl(cncop, "job", "stop", "a")
    cncopctl(cncop, "job", "remove", "b")
    cncop.synced(job("c"))
    assert statuses(cncop) == {"c": "scheduled"}
    cncop.synced(job("a"), job("b"), job("c"))
    assert statuses(cncop) == {"a": "scheduled", "b": "scheduled", "c": "scheduled"}


def running(cncop: Installation) -> None:
    """Job `a` runs, and its agent with it."""
    fifo = cncop.config / "begun"
    cncop.manager.run("mkfifo", fifo)
    cncop.agent(f"echo begun >{fifo}; {LONG}")
    cncop.synced(job("a"), job("b"))
    cncop.manager.systemctl("start", "--no-block", "cncop-job-a.service")
    assert cncop.manager.run("cat", fifo).stdout == "begun\n"


def test_an_aborted_run_is_closed_and_reported_and_its_job_goes_on_by_its_schedule(
    cncop: Installation,
) -> None:
    running(cncop)
    assert statuses(cncop) == {"a": "running", "b": "scheduled"}
    said = cncopctl(cncop, "job", "abort", "-a")
    who = pwd.getpwuid(os.getuid()).pw_name
    how = f"was stopped before it was done, by {who} with cncopctl job abort"
    assert said == f"a: scheduled, ABORTED: {how}\nb: scheduled, does not run\n"
    assert cncop.manager.run("ls", cncop.manager.runtime / "cncop/aborts").stdout == ""
    assert [(run["job"], run["outcome"]) for run in cncop.history()] == [("a", "ABORTED")]
    assert [run["outcome"] for run in cncop.reports()] == ["ABORTED"]
    assert told(cncop)["a"]["result"] == "aborted"
    cncop.agent(OK)
    assert "a: OK" in cncopctl(cncop, "runjob", "a")
    assert told(cncop)["a"]["result"] == "success"


def test_a_run_goes_on_to_its_end_when_its_job_is_stopped_or_removed(cncop: Installation) -> None:
    running(cncop)
    assert cncopctl(cncop, "job", "stop", "a").startswith("a: running, then stop, stopped since ")
    assert cncopctl(cncop, "job", "remove", "a").startswith("a: running, then remove, removed since ")
    row = told(cncop)["a"]
    assert (row["status"], row["event"]) == ("running", "remove")
    assert timer(cncop, "a")[0] == "not-found"
    assert "is running: it may finish" in cncop.sync().stdout
    cncopctl(cncop, "job", "abort", "a")
    assert [run["outcome"] for run in cncop.history()] == ["ABORTED"]
    cncop.sync()
    assert statuses(cncop) == {"a": "removed", "b": "scheduled"}
    assert cncop.manager.property("cncop-job-a.service", "LoadState") == "not-found"


def test_tables_show_how_each_job_stands(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b", enabled=False))
    cncopctl(cncop, "job", "stop", "a")
    assert [line.split()[:3] for line in cncopctl(cncop, "job").splitlines()] == [
        ["JOB", "TITLE", "STATUS"],
        ["a", "a", "stop"],
        ["b", "b", "stop"],
    ]
    assert "stopped since" in cncopctl(cncop, "jobs")
    assert [row["status"] for row in json.loads(cncopctl(cncop, "jobs", "--json"))] == ["stop", "stop"]
    assert "b: stop, was not stopped" in cncopctl(cncop, "job", "start", "b")
    assert "no such command" in cncopctl(cncop, "job", "strat", "b", status=2).casefold()
    assert 'there is no job "c"' in cncopctl(cncop, "job", "remove", "c", status=2)
    misplaced = cncop.manager.run(CNCOPCTL, "job", "--user", "stop", "a", check=False)
    assert misplaced.returncode == 2
    assert "options stand after the word" in misplaced.stderr


def test_a_person_is_told_of_the_pause_that_holds_a_started_job_back(cncop: Installation) -> None:
    cncop.synced(job("a"))
    cncopctl(cncop, "pause", "a")
    cncopctl(cncop, "job", "stop", "a")
    said = cncopctl(cncop, "job", "start", "a")
    assert said == "a: scheduled, paused until it is resumed: cncopctl resume a ends that\n"


def waiting_for(cncop: Installation, what: str) -> None:
    """Job `a` is under way, and its agent has not begun: its user command runs, or another job has the slot."""
    fifo = cncop.config / "begun"
    cncop.manager.run("mkfifo", fifo)
    cncop.command("dump", f"echo begun >{fifo}; {LONG}")
    cncop.agent(f"echo begun >{fifo}; {LONG}")
    if what == "command":
        cncop.synced(job("a", run_before="dump"))
    else:
        (cncop.config / "cncop3.ini").write_text("[defaults]\nmax_parallel_jobs = 1\n")
        cncop.synced(job("a"), job("b"))
        cncop.manager.systemctl("start", "--no-block", "cncop-job-b.service")
        assert cncop.manager.run("cat", fifo).stdout == "begun\n"
    cncop.manager.systemctl("start", "--no-block", "cncop-job-a.service")
    if what == "command":
        assert cncop.manager.run("cat", fifo).stdout == "begun\n"
    else:
        shown = "systemctl --user show --value --property=StatusText cncop-job-a.service"
        cncop.manager.run("sh", "-c", f"until {shown} | grep -q 'waits for a slot'; do :; done", timeout=30)


@pytest.mark.parametrize("what", ["command", "slot"])
def test_a_run_whose_agent_has_not_begun_is_aborted_like_any_other(cncop: Installation, what: str) -> None:
    waiting_for(cncop, what)
    assert cncopctl(cncop, "job", "abort", "a").startswith("a: scheduled, ABORTED: ")
    assert [(run["job"], run["outcome"]) for run in cncop.history()] == [("a", "ABORTED")]
