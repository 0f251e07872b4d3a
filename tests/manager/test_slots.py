"""At most `max_parallel_jobs` run at once: the others wait, visibly, and lose nothing by it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager

DONE = """echo '{"phrase": "done"}' >$CNCOP_RESULT"""


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    """Jobs a, b and c, of which one may run at a time; each says `began` and goes on when it is told to."""
    installation = Installation(manager)
    for name in "abc":
        os.mkfifo(manager.home / f"{name}.up")
        os.mkfifo(manager.home / f"{name}.down")
    home = manager.home
    installation.agent(
        f"""read -r request; id=$(expr "$request" : '.*"id": "\\([a-c]\\)"')
trap 'kill $!; exit 1' TERM
echo began >{home}/$id.up; cat {home}/$id.down >&2 & wait $!
{DONE}"""
    )
    (installation.config / "cncop3.ini").write_text("[defaults]\nmax_parallel_jobs = 1\n")
    installation.synced(job("a"), job("b", timeout="1s"), job("c"))
    return installation


def start(cncop: Installation, name: str) -> None:
    cncop.manager.systemctl("start", "--no-block", f"cncop-job-{name}.service")


def began(cncop: Installation, name: str) -> None:
    assert cncop.manager.run("cat", cncop.manager.home / f"{name}.up", timeout=20).stdout == "began\n"


def go_on(cncop: Installation, name: str) -> None:
    cncop.manager.run("sh", "-c", f"echo >{cncop.manager.home}/{name}.down", timeout=20)


def status(cncop: Installation, name: str) -> str:
    return cncop.manager.property(f"cncop-job-{name}.service", "StatusText")


def waits(cncop: Installation, name: str) -> str:
    """What the job says that it waits for, once it does."""
    tries = 0
    while not (text := status(cncop, name)).startswith("waits"):
        tries += 1
        assert tries < 300, cncop.manager.log()
    return text


def wait_until_over(cncop: Installation, name: str) -> None:
    """A stop of what has ended, or is just about to, only waits for its close."""
    tries = 0
    while cncop.manager.property(f"cncop-job-{name}.service", "ActiveState") in (
        "activating",
        "deactivating",
    ):
        tries += 1
        assert tries < 300, cncop.manager.log()


def test_a_job_waits_for_its_turn_visibly_and_beyond_its_time_limit(cncop: Installation) -> None:
    start(cncop, "a")
    began(cncop, "a")
    start(cncop, "b")
    assert waits(cncop, "b") == "waits for a slot (max_parallel_jobs = 1); now run: a"
    jobs = json.loads(cncop.manager.run(CNCOPCTL, "jobs", "--user", "--json").stdout)
    assert "waits for a slot" in json.dumps(next(entry for entry in jobs if entry["id"] == "b"))
    # Twice its time limit, in the only clock that counts here: its own manager's.
    cncop.manager.run("systemd-run", "--user", "--wait", "--quiet", "sleep", "2")
    assert status(cncop, "b").startswith("waits")
    go_on(cncop, "a")
    began(cncop, "b")
    go_on(cncop, "b")
    wait_until_over(cncop, "b")
    assert [(run["job"], run["outcome"]) for run in cncop.history()] == [("a", "OK"), ("b", "OK")]


def test_a_killed_run_gives_its_slot_back(cncop: Installation) -> None:
    start(cncop, "a")
    began(cncop, "a")
    start(cncop, "b")
    waits(cncop, "b")
    cncop.manager.systemctl("kill", "--kill-whom=main", "--signal=KILL", "cncop-job-a.service")
    began(cncop, "b")
    go_on(cncop, "b")
    wait_until_over(cncop, "b")
    assert [(run["job"], run["outcome"]) for run in cncop.history()] == [("a", "ABORTED"), ("b", "OK")]


def test_a_job_that_is_stopped_while_it_waits_is_closed_and_keeps_nobody_else(cncop: Installation) -> None:
    start(cncop, "a")
    began(cncop, "a")
    start(cncop, "b")
    waits(cncop, "b")
    start(cncop, "c")
    waits(cncop, "c")
    cncop.manager.systemctl("stop", "cncop-job-b.service")
    go_on(cncop, "a")
    began(cncop, "c")
    go_on(cncop, "c")
    wait_until_over(cncop, "c")
    ended = {run["job"]: (run["outcome"], run["phrase"]) for run in cncop.history()}
    assert ended["b"] == ("ABORTED", "was stopped before it began, by systemd (systemctl stop)")
    assert ended["c"] == ("OK", "done")
    assert not any((Path(cncop.state) / "runs").iterdir())
