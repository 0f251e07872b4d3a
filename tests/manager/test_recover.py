"""Runs that nobody could close: the next run of the job does it, or the hourly look at what is left."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .installation import CNCOPCTL, OK, Installation, job
from .user_manager import UserManager


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    installation = Installation(manager)
    installation.agent("sleep infinity")
    installation.synced(job("a"))
    return installation


def dispatcher(*words: str) -> list[str]:
    return [sys.executable, "-I", "-m", "cncopctl.dispatcher", "--user", *words]


def cut_off(cncop: Installation) -> str:
    """Leave a run as a kill of everything does, its close included; its id."""
    up = cncop.manager.home / "up"
    if not up.exists():
        os.mkfifo(up)
    cncop.agent(f"echo $PPID $$ >{up}; exec sleep infinity")
    run = cncop.manager.popen(*dispatcher("run", "a"))
    processes = cncop.manager.run("cat", up, timeout=20).stdout.split()
    for process in processes:
        cncop.manager.run("kill", "-KILL", process)
    run.wait(timeout=20)
    (left,) = (cncop.state / "runs").iterdir()
    return left.name


def recover(cncop: Installation) -> None:
    cncop.manager.run(*dispatcher("recover"))


def test_what_was_cut_off_is_closed_once(cncop: Installation) -> None:
    run_id = cut_off(cncop)
    (state,) = json.loads(cncop.manager.run(CNCOPCTL, "jobs", "--user", "--json").stdout)
    assert state["running"] is False  # though nobody has closed it yet
    recover(cncop)
    recover(cncop)
    (closed,) = cncop.history()
    assert (closed["id"], closed["outcome"]) == (run_id, "ABORTED")
    assert closed["phrase"] == "its processes were killed, its close as well"
    assert closed["hint"].endswith("cncopctl runjob a")
    assert cncop.reports() == [closed]
    assert not any((cncop.state / "runs").iterdir())
    assert "ABORTED" in Path(closed["log"]).read_text().splitlines()[-1]


def test_the_next_run_closes_what_is_left_of_the_one_before(cncop: Installation) -> None:
    left = cut_off(cncop)
    cncop.agent(OK)
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "--json", "a")
    (told,) = json.loads(done.stdout)
    assert [(run["id"], run["outcome"]) for run in cncop.history()] == [(left, "ABORTED"), (told["id"], "OK")]


def test_a_run_that_is_under_way_is_left_alone(cncop: Installation) -> None:
    up = cncop.manager.home / "up"
    os.mkfifo(up)
    cncop.agent(f"echo began >{up}; exec sleep infinity")
    cncop.manager.systemctl("start", "--no-block", "cncop-job-a.service")
    assert cncop.manager.run("cat", up, timeout=20).stdout == "began\n"
    recover(cncop)
    assert len(list((cncop.state / "runs").iterdir())) == 1
    assert not (cncop.state / "history.sqlite").exists()
    cncop.manager.systemctl("stop", "cncop-job-a.service")
    (closed,) = cncop.history()
    assert closed["phrase"] == "was stopped before it was done, by systemd (systemctl stop)"


def test_a_run_whose_job_is_gone_is_closed_as_well(cncop: Installation) -> None:
    cut_off(cncop)
    (cncop.state / "jobs/a.toml").unlink()
    recover(cncop)
    (closed,) = cncop.history()
    assert (closed["job"], closed["outcome"]) == ("a", "ABORTED")


def test_it_looks_at_once_and_hourly_and_only_where_something_is_left(cncop: Installation) -> None:
    assert cncop.manager.property("cncop-recover.timer", "ActiveState") == "active"
    cncop.manager.systemctl("start", "cncop-recover.service")
    assert cncop.manager.property("cncop-recover.service", "ConditionResult") == "no"
    cut_off(cncop)
    cncop.manager.systemctl("start", "cncop-recover.service")
    assert cncop.manager.property("cncop-recover.service", "Result") == "success"
    assert [run["outcome"] for run in cncop.history()] == ["ABORTED"]
