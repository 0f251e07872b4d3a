"""iCalendar (RFC 5545): the spans of a file's events; what is not understood is refused, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cncopctl.core.calendars import DAYS, CalendarError
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.zones import checked_zone

_DURATION = re.compile(r"P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)")
_RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}
# Redundant in a yearly rule where they name the very day that the event begins on.
_ECHOES = {"BYMONTH": "month", "BYMONTHDAY": "day"}
_REFUSED = {"RDATE", "RECURRENCE-ID", "EXRULE"}
_MOST_TURNS = 100_000


@dataclass(slots=True)
class _Event:
    line: int
    properties: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    exceptions: list[tuple[dict[str, str], str]] = field(default_factory=list)

    def add(self, line: int, name: str, parameters: dict[str, str], value: str) -> None:
        if name in _REFUSED:
            raise CalendarError(f"line {line}: {name} is not understood")
        if name == "EXDATE":
            self.exceptions += [(parameters, each) for each in value.split(",")]
        self.properties[name] = parameters, value


def spans_of_ics(
    text: str, zone: ZoneInfo, start: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Spans in UTC of the events in `text` that touch `start` to `until`; `zone` is that of floating times.

    Raises:
        CalendarError: it is no iCalendar file, or has what is not understood; the message names the line.
    """
    for event in _events(text):
        try:
            yield from (span for span in _spans(event, zone, until) if span[1] > start and span[0] < until)
        except CalendarError as error:
            raise CalendarError(f"the event at line {event.line}: {error}") from None


def _events(text: str) -> Iterator[_Event]:
    event: _Event | None = None
    inside: list[str] = []
    for number, name, parameters, value in _properties(text):
        if name == "BEGIN":
            inside.append(value.upper())
            event = _Event(number) if inside[-1] == "VEVENT" else event
        elif name == "END":
            if not inside or inside.pop() != value.upper():
                raise CalendarError(f"line {number}: END:{value} ends nothing")
            if event and value.upper() == "VEVENT":
                if event.properties.get("STATUS", ({}, ""))[1].upper() != "CANCELLED":
                    yield event
                event = None
        elif event and inside[-1] == "VEVENT":
            event.add(number, name, parameters, value)
    if inside:
        raise CalendarError(f"it ends inside a {inside[-1]}")


def _properties(text: str) -> Iterator[tuple[int, str, dict[str, str], str]]:
    unfolded: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] = unfolded[-1][0], unfolded[-1][1] + line[1:]
        elif line.strip():
            unfolded.append((number, line))
    if not unfolded or unfolded[0][1].strip().upper() != "BEGIN:VCALENDAR":
        raise CalendarError("it does not begin with BEGIN:VCALENDAR")
    for number, line in unfolded:
        head, colon, value = re.sub(r'"[^"]*"', lambda found: found[0].replace(":", "\0"), line).partition(
            ":"
        )
        if not colon:
            raise CalendarError(f"line {number} has no colon")
        name, *parameters = head.replace("\0", ":").split(";")
        pairs = (each.partition("=") for each in parameters)
        yield (
            number,
            name.upper(),
            {key.upper(): text.strip('"') for key, _, text in pairs},
            value.replace("\0", ":").strip(),
        )


def _spans(event: _Event, zone: ZoneInfo, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    if "DTSTART" not in event.properties:
        raise CalendarError("DTSTART is missing")
    begin, own, is_day = _moment(*event.properties["DTSTART"], zone)
    length = _length(event, begin, own, is_day, zone)
    left_out = {_utc(*_moment(*each, zone)[:2]) for each in event.exceptions}
    for local in _recurrences(event, begin, own, until):
        start = _utc(local, own)
        if start not in left_out:
            # Days are counted on the wall, hours in absolute time (RFC 5545, 3.3.6).
            yield start, _utc(local + length, own) if is_day else start + length


def _moment(parameters: dict[str, str], value: str, zone: ZoneInfo) -> tuple[datetime, ZoneInfo, bool]:
    """A DATE or DATE-TIME: its local time, its zone, and whether it is a day."""
    is_day = parameters.get("VALUE", "").upper() == "DATE" or len(value) == 8
    try:
        if is_day:
            return datetime.combine(date.fromisoformat(value), time()), zone, True
        if value.endswith("Z"):
            return datetime.fromisoformat(value[:-1]), ZoneInfo("UTC"), False
        own = ZoneInfo(checked_zone(parameters["TZID"])) if "TZID" in parameters else zone
        return datetime.fromisoformat(value), own, False
    except ScheduleError as error:
        raise CalendarError(f"{error.message}; {error.hint}") from None
    except ValueError:
        raise CalendarError(f'"{value}" is no date') from None


def _length(event: _Event, begin: datetime, own: ZoneInfo, is_day: bool, zone: ZoneInfo) -> timedelta:
    if "DTEND" in event.properties:
        end, end_zone, _ = _moment(*event.properties["DTEND"], zone)
        length = end - begin if is_day else _utc(end, end_zone) - _utc(begin, own)
    elif "DURATION" in event.properties:
        text = event.properties["DURATION"][1]
        found = _DURATION.fullmatch(text.removeprefix("+"))
        if not found or not any(found.groups()):
            raise CalendarError(f'"{text}" is no duration')
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    else:
        length = timedelta(days=1) if is_day else timedelta()
    if length < timedelta():
        raise CalendarError("it ends before it begins")
    return length


def _recurrences(event: _Event, begin: datetime, own: ZoneInfo, until: datetime) -> Iterator[datetime]:
    """The local times at which the event begins."""
    rule = _rule(event, begin)
    if not rule:
        yield begin
        return
    last = until
    if "UNTIL" in rule:
        end, zone, is_day = _moment({}, rule["UNTIL"], own)
        last = min(until, _utc(end + timedelta(days=1, microseconds=-1) if is_day else end, zone))
    count = _number(rule, "COUNT", _MOST_TURNS)
    for turn, local in enumerate(_turns(rule, begin), 1):
        if turn > count or _utc(local, own) > last:
            return
        yield local


def _rule(event: _Event, begin: datetime) -> dict[str, str]:
    text = event.properties.get("RRULE", ({}, ""))[1].upper()
    rule = dict(part.partition("=")[::2] for part in text.split(";") if part)
    if rule.get("FREQ") == "YEARLY":
        echoes = {key: str(getattr(begin, name)) for key, name in _ECHOES.items()}
        rule = {key: value for key, value in rule.items() if value != echoes.get(key)}
    is_weekly = rule.get("FREQ") == "WEEKLY"
    known = _RULE_PARTS if is_weekly else _RULE_PARTS - {"BYDAY"}
    interval_of_weeks = is_weekly and rule.get("INTERVAL", "1") != "1" and rule.get("WKST", "MO") != "MO"
    if rule and (
        rule.get("FREQ") not in ("YEARLY", "WEEKLY", "DAILY") or rule.keys() - known or interval_of_weeks
    ):
        raise CalendarError(f'the rule "{text}" is not understood: events may recur yearly, weekly and daily')
    return rule


def _turns(rule: dict[str, str], begin: datetime) -> Iterator[datetime]:
    interval = max(_number(rule, "INTERVAL", 1), 1)
    if rule["FREQ"] == "YEARLY":
        for year in range(begin.year, 9999, interval):
            # 29 February is in leap years only: what does not exist is left out (RFC 5545, 3.3.10).
            if (begin.month, begin.day) != (2, 29) or (year % 4 == 0 and (year % 100 or year % 400 == 0)):
                yield begin.replace(year=year)
    elif rule["FREQ"] == "DAILY":
        for turn in range(_MOST_TURNS):
            yield begin + timedelta(days=turn * interval)
    else:
        days = (
            sorted({_weekday(text) for text in rule["BYDAY"].split(",")})
            if "BYDAY" in rule
            else [begin.weekday()]
        )
        monday = begin - timedelta(days=begin.weekday())
        for turn in range(_MOST_TURNS):
            week = monday + timedelta(weeks=turn * interval)
            yield from (local for day in days if (local := week + timedelta(days=day)) >= begin)


def _weekday(text: str) -> int:
    names = [name[:2].upper() for name in DAYS]
    if text not in names:
        raise CalendarError(f"BYDAY={text} is not understood: events may recur on {', '.join(names)}")
    return names.index(text)


def _number(rule: dict[str, str], key: str, otherwise: int) -> int:
    text = rule.get(key, str(otherwise))
    if not text.isdecimal():
        raise CalendarError(f"{key}={text} is no number")
    return int(text)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
