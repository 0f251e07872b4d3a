"""Calendars: when jobs had better not run. Is an instant inside, and when does that end?

A calendar is a union of spans with dates and of windows that come each week. Local times are those of its zone;
one that a change of the clocks skips counts as if the clocks had not changed yet, as in `zoneinfo` (PEP 495).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = timedelta(days=1)
# A blackout that lasts longer than this may as well be for ever.
FOR_EVER = timedelta(days=400)
_WEEKLY = re.compile(
    r"(?P<days>[A-Za-z][A-Za-z.,-]*)?\s*(?:(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2}))?"
)


class CalendarError(ValueError):
    """What is wrong with an entry of a calendar, in words for whoever wrote it."""


class InBlackout(StrEnum):
    """What becomes of a run that falls into a blackout."""

    DROP = "drop"
    MOVE = "move"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Window:
    """A window of each week: bit n of `days` is the nth day from Monday; `end` <= `start` is on the day after."""

    days: int
    start: timedelta
    end: timedelta

    def length(self) -> timedelta:
        """From its start to its end on the clock on the wall."""
        return self.end - self.start if self.end > self.start else self.end - self.start + _DAY

    def text(self) -> str:
        """The window as it may be written: `Mon,Tue 08:00-18:00`."""
        days = ",".join(name for number, name in enumerate(DAYS) if self.days >> number & 1)
        return f"{days} {_clock(self.start)}-{_clock(self.end)}"

    def around(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Its span in UTC on the local `day`."""
        midnight = datetime.combine(day, time())
        return _utc(midnight + self.start, zone), _utc(midnight + self.start + self.length(), zone)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`spans` are half-open, in UTC and in order, none touching another; `weekly` windows stand in `zone`."""

    name: str
    zone: str
    spans: tuple[tuple[datetime, datetime], ...] = ()
    weekly: tuple[Window, ...] = ()

    def end_of(self, at: datetime) -> datetime | None:
        """Until when `at` is inside, as far as one span or window tells; None where it is outside."""
        place = bisect_right(self.spans, at, key=lambda span: span[0]) - 1
        ends = [self.spans[place][1]] if place >= 0 and at < self.spans[place][1] else []
        if self.weekly:
            zone = ZoneInfo(self.zone)
            today = at.astimezone(zone).date()
            for day in (today - _DAY, today):
                windows = [window for window in self.weekly if window.days >> day.weekday() & 1]
                around = (window.around(day, zone) for window in windows)
                ends += [end for start, end in around if start <= at < end]
        return max(ends, default=None)

    def document(self) -> dict[str, Any]:
        """The calendar for a compiled job."""
        return {
            "name": self.name,
            "zone": self.zone,
            "spans": [list(span) for span in self.spans],
            "weekly": [window.text() for window in self.weekly],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The calendar that `document` made of it.

        Raises:
            KeyError, TypeError, ValueError: it is not such a document.
        """
        return cls(
            document["name"],
            document["zone"],
            tuple((start, end) for start, end in document["spans"]),
            tuple(parse_weekly(text) for text in document["weekly"]),
        )


@dataclass(frozen=True, slots=True)
class Blackout:
    """The calendars that a job refers to, and what becomes of a run that falls into one."""

    calendars: tuple[Calendar, ...]
    effect: InBlackout = InBlackout.DROP

    def around(self, at: datetime) -> tuple[str, datetime] | None:
        """The name of the calendar that `at` falls into, and when all of them are over; None outside.

        What lasts longer than 400 days ends then, as far as this goes.
        """
        inside = [calendar.name for calendar in self.calendars if calendar.end_of(at)]
        if not inside:
            return None
        end = at
        while end < at + FOR_EVER and (
            ends := [each for calendar in self.calendars if (each := calendar.end_of(end))]
        ):
            end = max(ends)
        return inside[0], end

    def document(self) -> dict[str, Any]:
        """The blackout for a compiled job."""
        return {"effect": str(self.effect), "calendar": [calendar.document() for calendar in self.calendars]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The blackout that `document` made of it.

        Raises:
            KeyError, TypeError, ValueError: it is not such a document.
        """
        calendars = tuple(Calendar.from_document(each) for each in document["calendar"])
        return cls(calendars, InBlackout(document["effect"]))


def parse_weekly(text: str) -> Window:
    """A window such as `Mon..Fri 08:00-18:00`, `Sat,Sun`, `22:00-06:00`; days alone are whole days.

    Raises:
        CalendarError: it is none.
    """
    found = _WEEKLY.fullmatch(text.strip())
    if not found or not text.strip():
        raise CalendarError('is no window of a week: write it as in "Mon..Fri 08:00-18:00"')
    if found["start"] is None:
        return Window(_days(found["days"]), timedelta(), _DAY)
    start, end = _time(found["start"]), _time(found["end"])
    if start >= _DAY or start == end:
        raise CalendarError("begins when it ends, or after 24:00: for a whole day write the day alone")
    return Window(_days(found["days"] or "Mon..Sun"), start, end)


def _days(text: str) -> int:
    found = 0
    for part in text.split(","):
        first, _, last = part.replace("..", "-").partition("-")
        low, high = _day(first), _day(last or first)
        for number in range(low, high + 1 if high >= low else high + 8):
            found |= 1 << number % 7
    return found


def _day(text: str) -> int:
    known = [name for name in DAYS if len(text) >= 3 and text.casefold().startswith(name.casefold())]
    if not known:
        raise CalendarError(f'"{text}" is no day of the week: write Mon, Tue, Wed, Thu, Fri, Sat or Sun')
    return DAYS.index(known[0])


def _time(text: str) -> timedelta:
    hour, minute = map(int, text.split(":"))
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise CalendarError(f'"{text}" is no time of day')
    return timedelta(hours=hour, minutes=minute)


def _clock(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def parse_dates(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The span, in UTC, of `2026-05-01`, `2026-12-24..2027-01-02` (both days inside) or `…T18:00..…T06:00`.

    Raises:
        CalendarError: it is none.
    """
    first, dots, last = text.partition("..")
    start = _begin(first.strip(), zone)
    end = _end(last.strip() if dots else first.strip(), zone)
    if end <= start:
        raise CalendarError("ends before it begins")
    return start, end


def _begin(text: str, zone: ZoneInfo) -> datetime:
    try:
        return _utc(datetime.fromisoformat(text), zone)
    except ValueError:
        raise CalendarError('is no date: write it as in "2026-05-01" or "2026-12-24..2027-01-02"') from None


def _end(text: str, zone: ZoneInfo) -> datetime:
    """A date alone ends with its day, a time is an end itself."""
    _begin(text, zone)
    written = datetime.fromisoformat(text)
    return _utc(written + _DAY if len(text) <= len("2026-05-01") else written, zone)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def merged(spans: Iterable[tuple[datetime, datetime]]) -> tuple[tuple[datetime, datetime], ...]:
    """The union of `spans`, in order."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)


def end_lines(blackout: Blackout, start: datetime, until: datetime) -> tuple[str, ...]:
    """`OnCalendar=` lines for the instants at which a blackout ends, for dates from `start` to `until`.

    Some may lie inside another blackout; whoever is started then looks once more.
    """
    lines: list[str] = []
    for calendar in blackout.calendars:
        lines += (_weekly_line(window, calendar.zone) for window in calendar.weekly)
        lines += (
            f"{end:%Y-%m-%d %H:%M:%S} UTC" for end in _lost_ends(calendar.zone, calendar.weekly, start, until)
        )
        lines += (f"{end:%Y-%m-%d %H:%M:%S} UTC" for _, end in calendar.spans if start <= end <= until)
    return tuple(dict.fromkeys(lines))


def _weekly_line(window: Window, zone: str) -> str:
    end = window.start + window.length()
    later = 1 if end >= _DAY else 0
    numbers = [(number + later) % 7 for number in range(7) if window.days >> number & 1]
    days = ",".join(DAYS[number] for number in sorted(numbers))
    return f"{f'{days} ' if len(numbers) < 7 else ''}*-*-* {_clock(end - later * _DAY)}:00 {zone}"


@lru_cache(maxsize=64)
def _lost_ends(
    zone_name: str, weekly: tuple[Window, ...], start: datetime, until: datetime
) -> tuple[datetime, ...]:
    """Ends at local times that a change of the clocks skips: systemd has no such instant that night."""
    zone = ZoneInfo(zone_name)
    found = set()
    for number in range((until - start).days + 1 if weekly else 0):
        day = start.date() + number * _DAY
        before, after = (datetime.combine(each, time(), zone).utcoffset() for each in (day, day + 3 * _DAY))
        for window in weekly if before != after else ():
            local = datetime.combine(day, time()) + window.start + window.length()
            if window.days >> day.weekday() & 1 and not _exists(local, zone):
                found.add(_utc(local, zone))
    return tuple(sorted(found))


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    return _utc(local, zone).astimezone(zone).replace(tzinfo=None) == local
