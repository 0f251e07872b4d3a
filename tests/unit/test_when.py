"""Instants as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cncopctl.cli.when import read_instant

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20 12:00", "2026-11-20T11:00:00"),
        ("2026-11-20T12:00:30", "2026-11-20T11:00:30"),
        ("2026-11-20t12:00z", "2026-11-20T12:00:00"),
        ("2026-07-01 12:00", "2026-07-01T10:00:00"),
        ("2026-11-20 12:00+05:00", "2026-11-20T07:00:00"),
        ("2026-11-19", "2026-11-19T22:59:59.999999"),
        ("yesterday", "2026-11-19T22:59:59.999999"),
        ("now", "2026-11-20T12:30:00"),
        ("3d ago", "2026-11-17T12:30:00"),
        ("3 days ago", "2026-11-17T12:30:00"),
        ("1 hour 30 minutes ago", "2026-11-20T11:00:00"),
        ("1h 30min ago", "2026-11-20T11:00:00"),
    ],
)
def test_an_instant_is_read_in_local_time(text: str, meant: str) -> None:
    assert read_instant(text, NOW) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "latest", "soon", "1a2b3c4d", "20261120", "2026-13-01", "12:00", "9999999w ago", "ago"]
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert read_instant(text, NOW) is None
