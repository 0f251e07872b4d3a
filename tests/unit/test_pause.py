"""Pauses: which times people may write, how long they hold, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cncopctl.core.errors import UsageError
from cncopctl.core.pause import Pause, parse_until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2h", "2026-03-01T14:00+00:00"),
        ("3d", "2026-03-04T12:00+00:00"),
        ("1h 30min", "2026-03-01T13:30+00:00"),
        ("2026-12-24", "2026-12-23T23:00+00:00"),
        ("2026-07-01T18:00", "2026-07-01T16:00+00:00"),
        ("2026-07-01 18:00:30", "2026-07-01T16:00:30+00:00"),
        ("2026-07-01T18:00Z", "2026-07-01T18:00+00:00"),
        ("2026-07-01T18:00-05:00", "2026-07-01T23:00+00:00"),
    ],
)
def test_a_time_or_a_span(text: str, until: str) -> None:
    at = parse_until(text, NOW, BERLIN)
    assert (at, at.utcoffset()) == (datetime.fromisoformat(until), timedelta())


@pytest.mark.parametrize(
    "text", ["", "soon", "5", "2 hours", "-2h", "2026-02-30", "2026-03-01", "0h", "999999999w"]
)
def test_what_is_no_time_or_past_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_until(text, NOW, BERLIN)
    assert "a span such as" in refused.value.hint


def test_it_holds_until_its_end_and_no_longer() -> None:
    pause = Pause("a", NOW, NOW + timedelta(hours=1))
    assert pause.holds(NOW)
    assert not pause.holds(NOW + timedelta(hours=1))
    assert Pause("a", NOW).holds(NOW + timedelta(days=10_000))


@pytest.mark.parametrize(
    ("pause", "sentence"),
    [
        (Pause("a", NOW), "paused until it is resumed"),
        (Pause("a", NOW, None, "moving"), "paused until it is resumed, because: moving"),
        (Pause("a", NOW, NOW + timedelta(hours=1)), "paused until 2026-03-01 14:00 CET"),
    ],
)
def test_it_says_what_it_is_and_survives_being_written(pause: Pause, sentence: str) -> None:
    assert pause.sentence(BERLIN) == sentence
    assert Pause.from_document(pause.document()) == pause


@pytest.mark.parametrize(
    "document",
    [{}, {"job": "a"}, {"job": "a", "since": "2026-03-01T12:00", "until": None, "reason": ""}],
)
def test_anything_else_is_no_pause(document: dict[str, str]) -> None:
    with pytest.raises((ValueError, KeyError)):
        Pause.from_document(document)
