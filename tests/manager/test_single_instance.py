"""One run of a job at a time, from whichever side it is started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .installation import Installation, job
from .timer_starts import EVERY_SECOND
from .user_manager import UserManager

SERVICE = "cncop-job-a.service"
BY_MANAGER = BY_HAND = 25


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    """Job `a`, whose agent says that it began, and ends when it is told to."""
    installation = Installation(manager)
    home = manager.home
    os.mkfifo(home / "down")
    installation.agent(
        f"""echo began >>{home}/begun; cat {home}/down >&2; echo '{{"phrase": "done"}}' >$CNCOP_RESULT"""
    )
    return installation


def test_of_fifty_starts_at_once_from_three_sides_one_runs(cncop: Installation) -> None:
    # The timer's side: it elapses each second while all this goes on.
    cncop.synced(job("a", schedule=EVERY_SECOND))
    start = ["systemctl", "--user", "start", "--no-block", SERVICE]
    direct = [sys.executable, "-I", "-m", "cncopctl.dispatcher", "--user", "run", "a"]
    starts = [cncop.manager.popen(*words) for _ in range(BY_MANAGER) for words in (start, direct)]
    waiting = list(starts)
    # All but one end, whoever it is that runs; the one that may be a direct start waits to be told.
    while len(waiting) > 1:
        ended = [process for process in waiting if process.poll() is not None]
        waiting = [process for process in waiting if process not in ended]
        if not ended:
            with_end(waiting)
    assert (cncop.manager.home / "begun").read_text() == "began\n"
    cncop.manager.systemctl("stop", "cncop-job-a.timer")
    cncop.manager.run("sh", "-c", f"echo >{cncop.manager.home}/down", timeout=20)
    for process in waiting:
        process.wait(timeout=30)
    cncop.manager.systemctl("stop", SERVICE)
    assert (cncop.manager.home / "begun").read_text() == "began\n"
    told = {process.returncode for process in starts}
    assert told == {0}


def with_end(processes: list[subprocess.Popen[str]]) -> None:
    """Return when any of them has ended, or half a minute is over."""
    import select

    ends = [os.pidfd_open(process.pid) for process in processes if process.poll() is None]
    try:
        select.select(ends, [], [], 30)
    finally:
        for end in ends:
            os.close(end)
