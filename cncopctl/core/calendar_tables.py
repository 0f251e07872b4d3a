"""From the `[calendar.NAME]` tables of a profile to calendars, or to what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cncopctl.core.calendars import (
    FOR_EVER,
    Blackout,
    Calendar,
    CalendarError,
    InBlackout,
    Window,
    merged,
    parse_dates,
    parse_weekly,
)
from cncopctl.core.faults import Fault, nearest, shown
from cncopctl.core.host import Host
from cncopctl.core.ics import spans_of_ics
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.translate import first_of_month
from cncopctl.core.schedule.zones import checked_zone

if TYPE_CHECKING:
    from cncopctl.core.profile import Document

Span = tuple[datetime, datetime]
# Events that recur are written out so far ahead, which the re-sync keeps up.
_AHEAD = timedelta(days=3 * 366)


def read_calendars(
    documents: Iterable[Document], host: Host, files: Mapping[str, str | Fault]
) -> tuple[dict[str, Calendar | None], list[Fault]]:
    """All calendars by name, None for one that is faulty; and everything that is wrong with them."""
    found: dict[str, Calendar | None] = {}
    faults: list[Fault] = []
    for document in documents:
        tables = document.values.get("calendar", {})
        for name, table in tables.items() if isinstance(tables, dict) else ():
            place = Fault(document.file, "", "", "", f"calendar.{name}")
            if name in found:
                faults.append(
                    _fault(place, "", "there is a calendar of that name already", "give it another name")
                )
            elif any(fault.key.startswith(place.key) for fault in document.faults):
                found[name] = None
            else:
                reader = _Reader(table, host, files)
                calendar = reader.calendar(name)
                faults += [_fault(place, *wrong) for wrong in reader.wrong]
                found[name] = None if reader.wrong else calendar
    return found, faults


def _fault(place: Fault, key: str, what: str, remedy: str) -> Fault:
    return Fault(place.file, what, remedy, "", f"{place.key}.{key}" if key else place.key)


class _Reader:
    """Reads one table; `wrong` has what is wrong with it: key, fault, remedy."""

    def __init__(self, table: Mapping[str, Any], host: Host, files: Mapping[str, str | Fault]) -> None:
        self.wrong: list[tuple[str, str, str]] = []
        self._table = table
        self._files = files
        self._start = first_of_month(host.now) - timedelta(days=31)
        self._until = host.now + _AHEAD
        self._zone = self._read_zone(table.get("timezone", host.zone))

    def calendar(self, name: str) -> Calendar:
        spans = [*self._dates("dates", self._table.get("dates", ())), *self._file()]
        weekly = tuple(self._weekly())
        if not self.wrong and not self._table.keys() & {"dates", "weekly", "file"}:
            self.wrong.append(("", "is empty", 'write dates = ["2026-12-24..2027-01-02"], weekly or file'))
        return Calendar(name, self._zone.key, merged(span for span in spans if span[1] > self._start), weekly)

    def _read_zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(checked_zone(name))
        except ScheduleError as error:
            self.wrong.append(("timezone", error.message, error.hint))
            return ZoneInfo("UTC")

    def _dates(self, key: str, texts: Iterable[str]) -> Iterator[Span]:
        for text in texts:
            try:
                yield parse_dates(text, self._zone)
            except CalendarError as error:
                what = f"{shown(text)} {error}"
                self.wrong.append((key, what, 'as in "2026-05-01" or "2026-12-24..2027-01-02"'))

    def _weekly(self) -> Iterator[Window]:
        for text in self._table.get("weekly", ()):
            try:
                yield parse_weekly(text)
            except CalendarError as error:
                self.wrong.append(
                    ("weekly", f"{shown(text)} {error}", 'as in "Mon..Fri 08:00-18:00" or "Sun"')
                )

    def _file(self) -> Iterator[Span]:
        name = self._table.get("file")
        if not name:
            return
        text = self._files.get(name)
        if text is None:
            meant = nearest(name, self._files)
            remedy = f"did you mean {meant}?" if meant else "put it into calendars/ beside the profile"
            self.wrong.append(("file", f"there is no file {shown(name)}", remedy))
        elif isinstance(text, Fault):
            self.wrong.append(("file", f"{name} {text.what}", text.remedy))
        else:
            yield from self._spans_of(name, text)

    def _spans_of(self, name: str, text: str) -> list[Span]:
        if name.lower().endswith(".ics"):
            try:
                spans = list(spans_of_ics(text, self._zone, self._start, self._until))
            except CalendarError as error:
                remedy = "leave that out, or write the dates into the profile"
                self.wrong.append(("file", f"{name}: {error}", remedy))
                return []
            is_empty = "BEGIN:VEVENT" not in text.upper()
        else:
            lines = (line.partition("#")[0].strip() for line in text.splitlines())
            spans = list(self._dates("file", (line for line in lines if line)))
            is_empty = not spans and not self.wrong
        if is_empty:
            self.wrong.append(
                ("file", f"{name} has no date in it", "write a date on each line, or leave the file out")
            )
        return spans


def blackout_of(
    names: Sequence[str], effect: str, calendars: Mapping[str, Calendar | None], now: datetime
) -> tuple[Blackout | None, list[tuple[str, str]]]:
    """The blackout that a job names, or what is wrong with it and what to write."""
    unknown = [name for name in names if name not in calendars]
    if unknown:
        return None, [(f"there is no calendar {shown(name)}", _meant(name, calendars)) for name in unknown]
    chosen = [calendars[name] for name in dict.fromkeys(names)]
    known = tuple(calendar for calendar in chosen if calendar)
    if len(known) < len(chosen):
        return None, []  # a calendar's own fault is told already
    blackout = Blackout(known, InBlackout(effect))
    if (inside := blackout.around(now)) and inside[1] >= now + FOR_EVER:
        return None, [
            ("is never over: the job would never run", "leave times free, or write enabled = false")
        ]
    return blackout, []


def _meant(name: str, calendars: Mapping[str, Calendar | None]) -> str:
    if meant := nearest(name, calendars):
        return f"did you mean {meant}?"
    return f"known are: {', '.join(calendars)}" if calendars else f"write it as a table [calendar.{name}]"
