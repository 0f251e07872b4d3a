"""`cncopctl uninstall`: everything of ours is stopped and gone, what is somebody else's stays."""

from __future__ import annotations

import subprocess

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    return Installation(manager)


def uninstall(cncop: Installation) -> subprocess.CompletedProcess[str]:
    return cncop.manager.run(CNCOPCTL, "uninstall", "--user")


def known(cncop: Installation) -> str:
    """Units of ours that the manager still has loaded, in whatever state."""
    return cncop.manager.systemctl("list-units", "--all", "--plain", "--no-legend", "cncop*")


def test_a_running_job_is_closed_and_nothing_is_left_but_what_others_put_there(cncop: Installation) -> None:
    up = cncop.manager.home / "up"
    cncop.manager.run("mkfifo", up)
    cncop.agent(f"trap 'kill $!; exit 1' TERM\necho began >{up}\ncat {up} & wait $!")
    cncop.synced(job("a"), job("b"))
    foreign = {"cncop-job-mine.service": "[Service]\nExecStart=true\n", "other.timer": "[Timer]\n"}
    for name, text in foreign.items():
        (cncop.units / name).write_text(text)
    start = cncop.manager.popen("systemctl", "--user", "start", "cncop-job-a.service")
    cncop.manager.run("cat", up, timeout=10)
    said = uninstall(cncop).stdout
    start.wait(timeout=20)
    assert "cncop-job-mine.service was not made by cncop and is left alone" in said
    assert cncop.unit_files() == foreign
    assert known(cncop) == ""
    assert [(run["job"], run["outcome"]) for run in cncop.history()] == [("a", "ABORTED")]


def test_a_failed_unit_is_forgotten_and_a_second_time_nothing_is_left_to_do(cncop: Installation) -> None:
    cncop.agent("exit 1")
    cncop.synced(job("a"))
    cncop.manager.run("systemctl", "--user", "start", "cncop-job-a.service", check=False)
    assert "failed" in known(cncop)
    units = [name for name in cncop.unit_files() if "/" not in name]
    assert uninstall(cncop).stdout.startswith(f"{len(units)} units removed from ")
    assert known(cncop) == ""
    assert uninstall(cncop).stdout.startswith("0 units removed from ")


def test_the_next_sync_brings_everything_back(cncop: Installation) -> None:
    cncop.synced(job("a"))
    before = cncop.unit_files()
    uninstall(cncop)
    cncop.sync()
    assert cncop.unit_files() == before
    assert cncop.active_timers() == {"cncop-job-a.timer"}


def test_without_anything_installed_it_does_nothing(cncop: Installation) -> None:
    assert uninstall(cncop).stdout.startswith("0 units removed from ")
    assert cncop.traces() == {}
