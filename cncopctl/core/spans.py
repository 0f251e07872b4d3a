"""Time spans and sizes as people write them: `6h`, `1h 30min`, `10M`."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"s": 1, "": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_LONG_PART = re.compile(r"(\d+)(y|mon|w|d|h)")
_SPAN_PART = re.compile(r"(\d+)(min|[smhdw]?)")


def parse_span(text: str) -> timedelta:
    """A time span that the profile's schema accepts; a bare number is seconds. `m` is minutes.

    Raises:
        OverflowError: it is longer than Python can say (2.7 million years).
    """
    return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in _SPAN_PART.findall(text)))


def restic_span(text: str) -> str:
    """A span that the profile's schema accepts for `keep.within`, as restic writes it: `1y6m14d12h`.

    There `m` is months and weeks are unknown (restic-forget(1), --keep-within).
    """
    counts = dict.fromkeys("ymdh", 0)
    for number, unit in _LONG_PART.findall(text):
        counts["d" if unit == "w" else unit[0]] += int(number) * (7 if unit == "w" else 1)
    return "".join(f"{count}{unit}" for unit, count in counts.items() if count)


def parse_size(text: str) -> int:
    """A size that the profile's schema accepts, in bytes; K, M, G and T are powers of 1024."""
    digits = text.rstrip("KMGT")
    return int(digits) * _BYTES[text[len(digits) :]]


def show_span(span: timedelta) -> str:
    """`span` for people, in its two largest units: `2h 5min`, `3d`, `40s`, `0s`."""
    rest = int(span.total_seconds())
    counts = []
    for unit in ("w", "d", "h", "min", "s"):
        count, rest = divmod(rest, _SECONDS[unit])
        counts.append((count, unit))
    first = next((number for number, (count, _) in enumerate(counts) if count), len(counts) - 1)
    shown = [f"{count}{unit}" for count, unit in counts[first : first + 2] if count]
    return " ".join(shown) or "0s"


def show_size(size: float) -> str:
    """`size` bytes for people, in binary units: `1.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
