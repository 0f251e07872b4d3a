"""iCalendar files: what events mean, and that what is not understood is refused with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cncopctl.core.calendars import CalendarError
from cncopctl.core.ics import spans_of_ics

START, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)


def spans(*lines: str) -> list[str]:
    text = "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    )
    found = spans_of_ics(text, ZoneInfo("Europe/Berlin"), START, UNTIL)
    return [f"{start:%Y-%m-%dT%H:%M}/{end:%Y-%m-%dT%H:%M}" for start, end in found]


DAY = "DTSTART;VALUE=DATE:20260501"
TIMED = "DTSTART:20260501T100000Z"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([DAY], ["2026-04-30T22:00/2026-05-01T22:00"]),
        (["DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"], ["2026-12-23T23:00/2026-12-26T23:00"]),
        (["DTSTART;VALUE=DATE:20260328", "DURATION:P2D"], ["2026-03-27T23:00/2026-03-29T22:00"]),
        ([TIMED, "DTEND:20260501T113000Z"], ["2026-05-01T10:00/2026-05-01T11:30"]),
        ([TIMED, "DURATION:PT1H30M"], ["2026-05-01T10:00/2026-05-01T11:30"]),
        (["DTSTART:20260501T100000", "DURATION:PT1H"], ["2026-05-01T08:00/2026-05-01T09:00"]),
        (["DTSTART;TZID=Asia/Tokyo:20260501T100000", "DURATION:PT1H"], ["2026-05-01T01:00/2026-05-01T02:00"]),
        (
            ['DTSTART;TZID="Asia/Tokyo":20260501T100000', "DURATION:PT1H"],
            ["2026-05-01T01:00/2026-05-01T02:00"],
        ),
        (
            ["SUMMARY:a long", "  one: folded", "DTSTART;VALUE=DA", " TE:20260501"],
            ["2026-04-30T22:00/2026-05-01T22:00"],
        ),
        (
            ["DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=YEARLY"],
            [f"{year - 1}-12-31T23:00/{year}-01-01T23:00" for year in (2026, 2027, 2028, 2029)],
        ),
        (
            ["DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;UNTIL=20270101"],
            [f"{year - 1}-12-31T23:00/{year}-01-01T23:00" for year in (2026, 2027)],
        ),
        (["DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY"], ["2028-02-28T23:00/2028-02-29T23:00"]),
        (
            ["DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3"],
            [
                "2026-01-05T10:00/2026-01-05T11:00",
                "2026-01-07T10:00/2026-01-07T11:00",
                "2026-01-12T10:00/2026-01-12T11:00",
            ],
        ),
        (
            ["DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2"],
            ["2026-01-05T10:00/2026-01-05T11:00", "2026-01-19T10:00/2026-01-19T11:00"],
        ),
        (
            [
                "DTSTART:20260105T100000Z",
                "DURATION:PT1H",
                "RRULE:FREQ=DAILY;COUNT=3",
                "EXDATE:20260106T100000Z",
            ],
            ["2026-01-05T10:00/2026-01-05T11:00", "2026-01-07T10:00/2026-01-07T11:00"],
        ),
        ([DAY, "STATUS:CANCELLED"], []),
        (["DTSTART;VALUE=DATE:20190501"], []),
    ],
)
def test_events(lines: list[str], expected: list[str]) -> None:
    assert spans(*lines) == expected


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["SUMMARY:x"], "the event at line 3: DTSTART is missing"),
        (["DTSTART:tomorrow"], '"tomorrow" is no date'),
        (["DTSTART;TZID=W. Europe Standard Time:20260501T100000"], "is not of the form Region/City"),
        ([TIMED, "DTEND:20260501T090000Z"], "it ends before it begins"),
        ([TIMED, "DURATION:1h"], '"1h" is no duration'),
        ([DAY, "RRULE:FREQ=MONTHLY"], 'the rule "FREQ=MONTHLY" is not understood'),
        ([DAY, "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"], "is not understood"),
        ([DAY, "RRULE:FREQ=WEEKLY;BYSETPOS=1"], "is not understood"),
        ([DAY, "RDATE;VALUE=DATE:20260601"], "line 5: RDATE is not understood"),
        ([DAY, "nonsense"], "line 5 has no colon"),
    ],
)
def test_what_is_not_understood_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(CalendarError) as refused:
        spans(*lines)
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["", "2026-05-01\n", "BEGIN:VCALENDAR\nBEGIN:VEVENT\n"])
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(CalendarError):
        list(spans_of_ics(text, ZoneInfo("UTC"), START, UNTIL))
