"""The re-sync: installed by a sync, syncs by itself, and is not in its own way."""

from __future__ import annotations

import pytest

from .installation import Installation, job
from .user_manager import UserManager

SERVICE, TIMER = "cncop-sync.service", "cncop-sync.timer"


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    installation = Installation(manager)
    installation.synced(job("a"))
    return installation


def test_a_sync_installs_and_starts_it(cncop: Installation) -> None:
    assert cncop.manager.property(TIMER, "ActiveState") == "active"
    assert cncop.manager.property(TIMER, "Persistent") == "yes"
    assert cncop.manager.property(TIMER, "FixedRandomDelay") == "yes"
    assert cncop.manager.property(SERVICE, "NeedDaemonReload") == "no"
    assert cncop.steps() == {}


def test_it_syncs_what_has_changed_and_ends(cncop: Installation) -> None:
    starts = cncop.starts()
    cncop.write(job("a"), job("b"))
    cncop.manager.systemctl("start", SERVICE)
    assert cncop.manager.property(SERVICE, "Result") == "success"
    assert cncop.active_timers() == {"cncop-job-a.timer", "cncop-job-b.timer"}
    assert cncop.starts()["cncop-job-a.timer"] == starts["cncop-job-a.timer"]
    assert cncop.steps() == {}


def test_it_repairs_its_own_timer_and_is_not_stopped_by_that(cncop: Installation) -> None:
    cncop.manager.systemctl("disable", "--now", TIMER)
    (cncop.units / SERVICE).write_text((cncop.units / SERVICE).read_text().replace("Nice=10", "Nice=9"))
    cncop.manager.systemctl("daemon-reload")
    cncop.manager.systemctl("start", SERVICE)
    assert cncop.manager.property(SERVICE, "Result") == "success"
    assert cncop.manager.property(SERVICE, "Nice") == "10"
    assert cncop.manager.property(TIMER, "ActiveState") == "active"
    assert cncop.steps() == {}


def test_a_profile_that_is_not_valid_fails_it_visibly_and_changes_nothing(cncop: Installation) -> None:
    before = cncop.unit_files()
    cncop.write(job("a", schedule="61 2 * * *"))
    cncop.manager.systemctl("start", SERVICE, check=False)
    assert cncop.manager.property(SERVICE, "Result") == "exit-code"
    assert 'job "a": schedule: minute: 61 is not in 0..59' in cncop.manager.journal(SERVICE)
    assert cncop.unit_files() == before


def test_a_stopped_target_stops_it_too(cncop: Installation) -> None:
    cncop.manager.systemctl("stop", "cncop.target")
    assert cncop.manager.property(TIMER, "ActiveState") == "inactive"
    cncop.manager.systemctl("start", SERVICE)
    assert cncop.active_timers() == set()
