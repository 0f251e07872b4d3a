"""The reporter under a real manager: woken by what runs spool, and in nobody's way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .installation import Installation, job
from .user_manager import UserManager

SERVICE, PATH, TIMER = "cncop-reporter.service", "cncop-reporter.path", "cncop-reporter.timer"
DONE = """echo '{"phrase": "done"}' >$CNCOP_RESULT"""


class Reporter:
    """An installation with job `a`, whose reporter tells when it has been at work."""

    def __init__(self, manager: UserManager) -> None:
        self.cncop = Installation(manager)
        self.spool = self.cncop.state / "spool"
        self._told = manager.home / "told"
        os.mkfifo(self._told)
        drop_in = self.cncop.units / f"{SERVICE}.d/tell.conf"
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text(f"[Service]\nExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT >{self._told}'\n")
        self.cncop.agent(DONE)
        self.cncop.synced(job("a"))

    def wait(self) -> str:
        """Return when the reporter has been at work once more, with its result."""
        return self.cncop.manager.run("cat", self._told, timeout=30).stdout.strip()

    def archived(self) -> list[str]:
        return sorted(path.name for path in self.spool.glob("Archive/*/*"))


@pytest.fixture
def reporter(manager: UserManager) -> Reporter:
    return Reporter(manager)


def test_a_sync_installs_and_starts_what_wakes_it(reporter: Reporter) -> None:
    manager = reporter.cncop.manager
    assert [manager.property(unit, "ActiveState") for unit in (PATH, TIMER)] == ["active", "active"]
    assert reporter.cncop.steps() == {}
    manager.systemctl("stop", "cncop.target")
    assert [manager.property(unit, "ActiveState") for unit in (PATH, TIMER)] == ["inactive", "inactive"]


def test_a_run_wakes_it_and_all_of_its_reports_are_archived(reporter: Reporter) -> None:
    reporter.cncop.manager.systemctl("start", "cncop-job-a.service")
    while len(reporter.archived()) < 2:
        assert reporter.wait() == "success"
    (run,) = reporter.cncop.history()
    assert [name[:3] + name[-37:] for name in reporter.archived()] == [
        f"JF-{run['id']}.json",
        f"JS-{run['id']}.json",
    ]
    assert list((reporter.spool / "Messages").iterdir()) == []
    assert reporter.cncop.reports() == [run]


def test_what_somebody_else_puts_there_wakes_it_too(reporter: Reporter) -> None:
    name = f"VIRUS-20260301T020000Z-{'a' * 32}.json"
    new = reporter.spool / "Messages/.new"
    new.write_text(f'{{"report": 1, "kind": "VIRUS", "id": "VIRUS-{"a" * 32}"}}')
    new.rename(reporter.spool / "Messages" / name)
    assert reporter.wait() == "success"
    assert reporter.archived() == [name]


def test_what_was_left_before_a_start_wakes_it(reporter: Reporter) -> None:
    manager = reporter.cncop.manager
    manager.systemctl("stop", "cncop.target")
    name = f"JF-20260301T020000Z-{'b' * 32}.json"
    (reporter.spool / "Messages" / name).write_text(f'{{"kind": "JF", "id": "JF-{"b" * 32}"}}')
    (reporter.spool / "wake").touch()
    manager.systemctl("start", "cncop.target")
    assert reporter.wait() == "success"
    assert reporter.archived() == [name]


def test_one_that_cannot_do_its_work_is_not_started_over_and_over(reporter: Reporter) -> None:
    manager = reporter.cncop.manager
    (reporter.spool / "reporter.lock").unlink(missing_ok=True)
    (reporter.spool / "reporter.lock").mkdir()
    (reporter.spool / "wake").touch()
    status = f"systemctl --user show --value --property=StatusText {SERVICE}"
    manager.run("sh", "-c", f"until {status} | grep -q reporter.lock; do :; done")
    assert manager.property(SERVICE, "ActiveState") == "activating"  # lingers, rather than to come again
    manager.systemctl("stop", "cncop.target")
    assert reporter.wait() == "success"


def test_a_program_that_does_not_even_start_gives_up(reporter: Reporter) -> None:
    manager = reporter.cncop.manager
    drop_in = reporter.cncop.units / f"{SERVICE}.d/tell.conf"
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/nonexistent\n")
    manager.systemctl("daemon-reload")
    (reporter.spool / "wake").touch()
    manager.run("sh", "-c", f"until systemctl --user is-failed -q {PATH}; do :; done")
    assert manager.property(PATH, "Result") in ("unit-start-limit-hit", "trigger-limit-hit")
    (reporter.spool / "wake").unlink()
    drop_in.unlink()
    manager.systemctl("daemon-reload")
    manager.systemctl("reset-failed", SERVICE, PATH)
    assert reporter.cncop.steps()["start cncop.target"] == f"{PATH} was not active"
    assert manager.property(PATH, "ActiveState") == "active"


def test_a_home_without_a_spool_is_no_failure(manager: UserManager) -> None:
    cncop = Installation(manager)
    cncop.synced(job("a"))
    Path(cncop.state / "spool/Archive").rmdir()
    Path(cncop.state / "spool/Messages").rmdir()
    manager.systemctl("start", SERVICE)
    assert manager.property(SERVICE, "Result") == "success"
