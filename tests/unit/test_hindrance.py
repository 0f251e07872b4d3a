"""What keeps a timer from starting a job, where no timer could say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.role import Role
from cncopctl.dispatcher.hindrance import Hindrance, hindrance

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMER, SECOND = "cncop-job-a.timer", "cncop-job-a:2.timer"


def job(*schedules: Any, blackout: dict[str, Any] | None = None) -> CompiledJob:
    texts = tuple((text, "UTC") for text in schedules)
    return CompiledJob("a", "a", Role.LOCAL, "/agent", 0, 60, 60, texts, NOW, {}, blackout)


def continuous(**bounds: str) -> dict[str, str]:
    return {"interval": "continuous", **bounds}


@pytest.mark.parametrize(
    ("schedules", "timer", "held"),
    [
        ([continuous()], TIMER, False),
        ([continuous(start_date="2026-02-01T00:00:00Z", end_date="2026-04-01T00:00:00Z")], TIMER, False),
        ([continuous(start_date="2026-04-01T00:00:00Z")], TIMER, True),
        ([continuous(end_date="2026-02-01T00:00:00Z")], TIMER, True),
        (["0 1 * * *", continuous(end_date="2026-02-01T00:00:00Z")], SECOND, True),
        (["0 1 * * *", continuous(end_date="2026-02-01T00:00:00Z")], TIMER, False),
        ([continuous(end_date="2026-02-01T00:00:00Z")], "", False),
    ],
)
def test_continuous_schedules_are_held_within_their_bounds_and_without_news(
    tmp_path: Path, schedules: list[Any], timer: str, held: bool
) -> None:
    found = hindrance(Layout.directory(tmp_path), job(*schedules), timer, NOW)
    assert (found is not None) is held
    assert found is None or (found.comes_again, found.is_news) == (True, False)


def spans(effect: str) -> dict[str, Any]:
    calendar = {"name": "c", "zone": "UTC", "spans": [[NOW, NOW + timedelta(hours=1)]], "weekly": []}
    return {"effect": effect, "calendar": [calendar]}


@pytest.mark.parametrize(
    ("effect", "at", "timer", "expected"),
    [
        ("drop", NOW, TIMER, True),
        ("report", NOW, TIMER, False),
        ("move", NOW, TIMER, True),
        ("drop", NOW + timedelta(hours=1), TIMER, False),
        ("move", NOW + timedelta(hours=1), TIMER, False),
        ("move", NOW + timedelta(hours=1), SECOND, False),
        ("move", NOW, SECOND, None),
    ],
)
def test_a_blackout_holds_what_begins_in_it_and_its_end_lets_pass_what_is_owed(
    tmp_path: Path, effect: str, at: datetime, timer: str, expected: bool | None
) -> None:
    found = hindrance(Layout.directory(tmp_path), job("0 3 * * *", blackout=spans(effect)), timer, at)
    if expected is None:
        assert found == Hindrance("a blackout has ended, and no run is owed", is_news=False)
    else:
        assert (found is not None) is expected
        assert found is None or found.is_news
