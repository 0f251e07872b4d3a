"""Times as systemctl shows them."""

from __future__ import annotations

import pytest

from cncopctl.edges.trigger import microseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("0", 0),
        ("7071977216", 7_071_977_216),
        ("51.950844s", 51_950_844),
        ("1h 57min 51.950844s", 7_071_950_844),
        ("2d 1ms", 172_800_001_000),
        ("infinity", 0),
        ("n/a", 0),
    ],
)
def test_microseconds(text: str, expected: int) -> None:
    assert microseconds(text) == expected
