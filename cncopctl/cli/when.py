"""Instants as people type them: `2026-11-20 12:00`, `2026-11-20`, `yesterday`, `3d ago`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import click

from cncopctl.core.spans import parse_span

_SPAN = r"\d{1,9}(?:s|m|min|h|d|w)?(?: *\d{1,9}(?:s|m|min|h|d|w))*"
_LONG = {"s": "sec(?:ond)?s?", "min": "min(?:ute)?s?", "h": "h(?:ou)?rs?", "d": "days?", "w": "weeks?"}
EXAMPLES = '"2026-11-20 12:00", 2026-11-20 (the end of that day), yesterday, "3d ago"'


def read_instant(text: str, now: datetime) -> datetime | None:
    """The instant that `text` means, in local time where it says no zone; None where it means none.

    A date alone means the end of that day.
    """
    words = text.strip().lower()
    if words in ("now", "today", "yesterday"):
        day = now.astimezone().date() - timedelta(days=words == "yesterday")
        return now if words == "now" else _end_of(day)
    for unit, long in _LONG.items():
        words = re.sub(rf"(\d) *(?:{long})\b", rf"\1{unit}", words)
    if found := re.fullmatch(rf"({_SPAN}) ago", words):
        return _before(now, found[1])
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", words):
            return _end_of(date.fromisoformat(words))
        # Without the hyphens of a date fromisoformat would also take the beginning of an id for one.
        return datetime.fromisoformat(words.upper()).astimezone() if "-" in words else None
    except (ValueError, OverflowError):
        return None


def _before(now: datetime, span: str) -> datetime | None:
    try:
        return now - parse_span(span)
    except OverflowError:
        return None


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max).astimezone()


class Instant(click.ParamType):
    """An instant on the command line."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant, or a fault that shows how one is written."""
        at = value if isinstance(value, datetime) else read_instant(value, datetime.now(UTC))
        if at is None:
            self.fail(f"{value!r} is no time\nhint: write {EXAMPLES}", param, ctx)
        return at
