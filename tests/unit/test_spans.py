"""Time spans and sizes as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cncopctl.core.spans import parse_size, parse_span, show_size, show_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("1m", 60),
        ("5min", 300),
        ("6h", 21600),
        ("1h 30min", 5400),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w 1d", 691200),
        ("007s", 7),
    ],
)
def test_a_span(text: str, seconds: int) -> None:
    assert parse_span(text) == timedelta(seconds=seconds)


def test_a_span_of_two_million_years_overflows() -> None:
    with pytest.raises(OverflowError):
        parse_span("999999999w")


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("512", 512), ("1K", 1024), ("10M", 10485760), ("2G", 2**31), ("1T", 2**40)]
)
def test_a_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.9, "0s"),
        (40, "40s"),
        (60, "1min"),
        (90, "1min 30s"),
        (3600, "1h"),
        (3605, "1h"),
        (7500, "2h 5min"),
        (86400, "1d"),
        (604800 + 3600, "1w"),
        (604800 + 86400, "1w 1d"),
    ],
)
def test_a_span_for_people(seconds: float, text: str) -> None:
    assert show_span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**30, "1.0 GiB"),
        (2**40, "1.0 TiB"),
        (2**50, "1024.0 TiB"),
    ],
)
def test_a_size_for_people(size: int, text: str) -> None:
    assert show_size(size) == text
