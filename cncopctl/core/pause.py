"""A pause: the timers of a job start nothing for a while, though they stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

from cncopctl.core.errors import UsageError
from cncopctl.core.spans import parse_span

# A time span as people write it: "2h", "1d 12h".
SPAN = re.compile(r"[0-9]{1,9}(s|m|min|h|d|w)( *[0-9]{1,9}(s|m|min|h|d|w))*")
_HINT = 'write a time such as 2026-12-24T18:00, a date, or a span such as "2h" or "3d"'


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of `job`, from `since` to `until` (aware; None is until it is resumed), and why."""

    job: str
    since: datetime
    until: datetime | None = None
    reason: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it still keeps timers from starting the job."""
        return self.until is None or now < self.until

    def sentence(self, zone: tzinfo | None = None) -> str:
        """What it is, in words: `paused until 2026-12-24 18:00 CET, because of the move`; None is local time."""
        until = (
            f"until {self.until.astimezone(zone):%Y-%m-%d %H:%M %Z}" if self.until else "until it is resumed"
        )
        return f"paused {until}" + (f", because: {self.reason}" if self.reason else "")

    def document(self) -> dict[str, Any]:
        """The pause as JSON has it."""
        return {
            "job": self.job,
            "since": self.since.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "reason": self.reason,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The pause that `document` made of it.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it is not such a document.
        """
        until = document["until"]
        return cls(
            job=document["job"],
            since=_aware(document["since"]),
            until=_aware(until) if until else None,
            reason=document["reason"],
        )


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at


def parse_until(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The instant, in UTC, that a person's `text` means: ISO 8601 in `zone` unless it has an offset, or a span.

    Raises:
        UsageError: it is neither, or past.
    """
    try:
        if SPAN.fullmatch(text):
            at = now + parse_span(text)
        else:
            written = datetime.fromisoformat(text)
            at = (written if written.tzinfo else written.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f'"{text}" is no time', _HINT) from error
    if at <= now + timedelta(seconds=1):
        raise UsageError(f'"{text}" is past', _HINT)
    return at.astimezone(UTC)
