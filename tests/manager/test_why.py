"""`cncopctl why` beside real units: masked, stopped, refused by a condition, waiting, running, held up by a lock."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from .installation import CNCOPCTL, Installation, job
from .timer_starts import TimerStarts
from .user_manager import UserManager

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
# Runs until it is told to end, and says so through a pipe.
LONG = """echo >$HOME/begun; read -r word <$HOME/orders; echo '{"phrase": "done"}' >$CNCOP_RESULT"""


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    installation = Installation(manager)
    installation.agent("""echo '{"phrase": "done"}' >$CNCOP_RESULT""")
    return installation


def ask(cncop: Installation, job_id: str = "a") -> dict[str, Any]:
    told = cncop.manager.run(CNCOPCTL, "why", "--user", "--json", job_id).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def reason(cncop: Installation, job_id: str = "a") -> str:
    return str(ask(cncop, job_id)["reason"])


def test_what_is_done_to_units_is_the_answer(cncop: Installation) -> None:
    manager = cncop.manager
    cncop.synced(job("a"))
    assert reason(cncop) == "not due"
    manager.systemctl("stop", "cncop-job-a.timer")
    assert reason(cncop) == "timer down"
    manager.systemctl("mask", "--runtime", "cncop-job-a.timer")
    (manager.units / "cncop-job-a.timer").rename(manager.units / "aside")
    manager.systemctl("daemon-reload")
    assert ask(cncop)["answer"] == "its timer cncop-job-a.timer is masked: it starts nothing"
    manager.systemctl("unmask", "--runtime", "cncop-job-a.timer")
    cncop.sync()
    assert reason(cncop) == "not due"
    manager.systemctl("stop", "cncop.target")
    assert reason(cncop) == "target stopped"
    assert ask(cncop)["hint"] == "run: systemctl --user start cncop.target"


def test_somebodys_will_is_the_answer(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"))
    cncop.manager.run(CNCOPCTL, "pause", "--user", "a", "--reason", "new disks")
    assert ask(cncop)["answer"] == "is paused until it is resumed, because: new disks"
    cncop.manager.run(CNCOPCTL, "job", "stop", "--user", "a")
    assert reason(cncop) == "stopped"
    cncop.manager.run(CNCOPCTL, "job", "remove", "--user", "b")
    assert reason(cncop, "b") == "stopped"


def test_a_condition_that_an_administrator_has_put_there_is_told(cncop: Installation) -> None:
    drop_in = cncop.units / "cncop-job-a.service.d/power.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Unit]\nConditionPathExists=/nowhere\n")
    with TimerStarts(cncop) as starts:
        cncop.synced(job("a", schedule="* * * * * */5"))
        starts.wait_for("cncop-job-a.service - a was skipped")
    assert reason(cncop) == "condition"
    assert "a condition of its unit did not hold at " in ask(cncop)["answer"]


def test_a_run_and_one_that_waits_for_its_slot_are_told_apart(cncop: Installation) -> None:
    for pipe in ("begun", "orders"):
        cncop.manager.run("mkfifo", cncop.manager.home / pipe)
    (cncop.config / "cncop3.ini").write_text("[defaults]\nmax_parallel_jobs = 1\n")
    cncop.agent(LONG)
    cncop.synced(job("a"), job("b"))
    cncop.manager.systemctl("start", "--no-block", "cncop-job-a.service")
    assert (cncop.manager.home / "begun").read_text() == "\n"
    assert reason(cncop) == "running"
    with TimerStarts(cncop) as starts:
        cncop.manager.systemctl("start", "--no-block", "cncop-job-b.service")
        starts.wait_for("b: waits for a slot")
    waiting = ask(cncop, "b")
    assert waiting["reason"] == "waiting for a slot"
    assert waiting["answer"].startswith("waits for a slot (max_parallel_jobs = 1); now run: a, since ")
    cncop.manager.systemctl("stop", "cncop-job-b.service", "cncop-job-a.service")


def test_what_an_earlier_run_has_left_holds_the_lock(cncop: Installation) -> None:
    cncop.synced(job("a"))
    locks = cncop.manager.runtime / "cncop/locks"
    locks.mkdir(parents=True, exist_ok=True)
    held = cncop.manager.popen("flock", locks / "a.lock", "sh", "-c", "echo; read x", **PIPES)
    assert held.stdout
    assert held.stdout.readline() == "\n"
    assert reason(cncop) == "locked"
    held.communicate("\n", timeout=60)
    assert held.returncode == 0
    assert reason(cncop) == "not due"
