"""check-backups and real timers: what monitoring is told while they are up, stopped, and behind."""

from __future__ import annotations

import re

from .installation import CNCOPCTL, Installation, job


def check(cncop: Installation, *words: str, status: int) -> str:
    done = cncop.manager.run(CNCOPCTL, "check-backups", "--user", *words, check=False)
    assert done.returncode == status, f"{done.stdout}{done.stderr}"
    return done.stdout


def test_what_nobody_starts_is_told_before_it_is_overdue(cncop: Installation) -> None:
    cncop.synced(job("a"), job("b"))
    cncop.manager.run(CNCOPCTL, "runjob", "--user", "-a")
    assert check(cncop, status=0).startswith("CNCOP OK: all 2 jobs are as they should be | ok=2;")
    cncop.manager.systemctl("stop", "cncop-job-a.timer")
    assert "a: cncop-job-a.timer is inactive: nothing starts it" in check(cncop, status=1)
    assert "CNCOP OK: b: OK " in check(cncop, "b", status=0)
    cncop.manager.systemctl("stop", "cncop.target")
    assert "b: cncop.target is stopped: nothing starts it" in check(cncop, status=1)


def test_a_failure_is_critical_until_a_run_is_ok_again(cncop: Installation) -> None:
    cncop.agent("""echo '{"phrase": "no space left"}' >$CNCOP_RESULT; exit 1""")
    cncop.synced(job("a"))
    cncop.manager.run(CNCOPCTL, "runjob", "--user", "a", check=False)
    assert re.search(r"a: ERROR \d+s ago: no space left", check(cncop, status=2))
    cncop.agent("""echo '{"phrase": "done"}' >$CNCOP_RESULT""")
    cncop.manager.run(CNCOPCTL, "runjob", "--user", "a")
    assert check(cncop, status=0).startswith("CNCOP OK: a: OK ")
