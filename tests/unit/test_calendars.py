"""Calendars: what people may write, which instants are inside, when that ends, and when timers elapse for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cncopctl.core.calendars import (
    Blackout,
    Calendar,
    CalendarError,
    InBlackout,
    end_lines,
    merged,
    parse_dates,
    parse_weekly,
)

from .builders import NOW, faults_of, job_from, job_toml, profile_from

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-05-01", "2026-04-30T22:00", "2026-05-01T22:00"),
        ("2026-12-24..2027-01-02", "2026-12-23T23:00", "2027-01-02T23:00"),
        ("2026-12-24T18:00..2026-12-26T06:00", "2026-12-24T17:00", "2026-12-26T05:00"),
        ("2026-12-24T18:00Z..2026-12-24", "2026-12-24T18:00", "2026-12-24T23:00"),
        ("2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
    ],
)
def test_dates_in_their_zone(text: str, start: str, end: str) -> None:
    assert parse_dates(text, BERLIN) == (utc(start), utc(end))


@pytest.mark.parametrize(
    "text", ["", "x", "2026-02-30", "2026-05-02..2026-05-01", "2026-05-01..", "..2026-05-01"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(CalendarError):
        parse_dates(text, BERLIN)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Mon..Fri 08:00-18:00", "Mon,Tue,Wed,Thu,Fri 08:00-18:00"),
        ("mon-wed,SUN 8:00-18:30", "Mon,Tue,Wed,Sun 08:00-18:30"),
        ("Fri..Mon 22:00-06:00", "Mon,Fri,Sat,Sun 22:00-06:00"),
        ("Saturday", "Sat 00:00-24:00"),
        ("12:00-13:00", "Mon,Tue,Wed,Thu,Fri,Sat,Sun 12:00-13:00"),
    ],
)
def test_windows_of_a_week(text: str, written: str) -> None:
    assert parse_weekly(text).text() == written
    assert parse_weekly(written) == parse_weekly(text)


@pytest.mark.parametrize(
    "text", ["", "Mon 8-18", "Mun", "Mon 08:00-08:00", "Mon 24:00-06:00", "Mon 08:00-25:00", "Mo"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(CalendarError):
        parse_weekly(text)


def calendar(*weekly: str, dates: tuple[str, ...] = (), zone: str = "Europe/Berlin") -> Calendar:
    spans = merged(parse_dates(text, ZoneInfo(zone)) for text in dates)
    return Calendar("c", zone, spans, tuple(map(parse_weekly, weekly)))


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-03-02T06:59:59", None),  # Monday
        ("2026-03-02T07:00", "2026-03-02T17:00"),
        ("2026-03-02T16:59:59", "2026-03-02T17:00"),
        ("2026-03-02T17:00", None),
        ("2026-03-06T22:00", "2026-03-07T05:00"),  # Friday night, into Saturday
        ("2026-03-07T04:59", "2026-03-07T05:00"),
        ("2026-03-07T05:00", None),
        ("2026-05-01T10:00", "2026-05-01T22:00"),  # a holiday and a working day
        ("2026-07-06T06:00", "2026-07-06T16:00"),  # summer time
    ],
)
def test_inside_and_until_when(at: str, end: str | None) -> None:
    one = calendar("Mon..Fri 08:00-18:00", "Fri 22:00-06:00", dates=("2026-05-01",))
    assert one.end_of(utc(at)) == (utc(end) if end else None)
    assert Calendar.from_document(one.document()) == one


def test_blackouts_that_follow_one_another_end_with_the_last() -> None:
    blackout = Blackout(
        (calendar("Fri 08:00-24:00", "Sat"), calendar(dates=("2026-03-08",))), InBlackout.MOVE
    )
    assert blackout.around(utc("2026-03-06T12:00")) == ("c", utc("2026-03-08T23:00"))
    assert blackout.around(utc("2026-03-08T23:00")) is None
    assert Blackout.from_document(blackout.document()) == blackout


@pytest.mark.parametrize(
    ("one", "lines"),
    [
        (calendar("Mon..Fri 08:00-18:00", zone="UTC"), ("Mon,Tue,Wed,Thu,Fri *-*-* 18:00:00 UTC",)),
        (calendar("Sat", zone="UTC"), ("Sun *-*-* 00:00:00 UTC",)),
        (calendar("Sun 22:00-06:00", zone="UTC"), ("Mon *-*-* 06:00:00 UTC",)),
        (calendar("12:00-13:00", zone="UTC"), ("*-*-* 13:00:00 UTC",)),
        (calendar(dates=("2026-05-01",)), ("2026-05-01 22:00:00 UTC",)),
        (calendar(dates=("2020-05-01",)), ()),
        (
            calendar("Sun 01:00-02:30"),
            (
                "Sun *-*-* 02:30:00 Europe/Berlin",
                "2026-03-29 01:30:00 UTC",
                "2027-03-28 01:30:00 UTC",
            ),
        ),
    ],
)
def test_timers_elapse_at_the_ends_also_where_the_clocks_skip_one(
    one: Calendar, lines: tuple[str, ...]
) -> None:
    assert end_lines(Blackout((one,)), NOW, NOW + timedelta(days=400)) == lines


TABLE = '[calendar.holidays]\ndates = ["2026-12-24..2027-01-02"]\n'


def test_a_job_refers_to_calendars_of_any_file() -> None:
    files = {
        "profile.toml": job_toml(blackout='["holidays"]', in_blackout='"move"'),
        "jobs.d/c.toml": f"schema = 1\n{TABLE}",
    }
    (job,) = profile_from(files).jobs.values()
    assert job.blackout
    assert job.blackout.effect is InBlackout.MOVE
    assert job.blackout.around(utc("2026-12-31T12:00")) == ("holidays", utc("2027-01-02T23:00"))
    assert job_from().blackout is None


@pytest.mark.parametrize(
    ("blackout", "table", "fault", "remedy"),
    [
        (
            '"holydays"',
            TABLE,
            'job "web-01": blackout: there is no calendar "holydays"',
            "did you mean holidays?",
        ),
        (
            '"x"',
            "",
            'job "web-01": blackout: there is no calendar "x"',
            "write it as a table [calendar.x]",
        ),
        ('"holidays"', "[calendar.holidays]\n", "calendar.holidays: is empty", None),
        (
            '"holidays"',
            '[calendar.holidays]\ndate = ["2026-01-01"]\n',
            'calendar.holidays: unknown key "date"',
            "did you mean dates?",
        ),
        (
            '"holidays"',
            '[calendar.holidays]\ndates = ["2026-02-30"]\n',
            'calendar.holidays.dates: "2026-02-30" is no date: '
            'write it as in "2026-05-01" or "2026-12-24..2027-01-02"',
            None,
        ),
        (
            '"holidays"',
            '[calendar.holidays]\nweekly = ["Mun"]\n',
            'calendar.holidays.weekly: "Mun" "Mun" is no day of the week: write Mon, Tue, Wed, Thu, Fri, Sat or Sun',
            None,
        ),
        (
            '"holidays"',
            '[calendar.holidays]\nfile = "gone.ics"\n',
            'calendar.holidays.file: there is no file "gone.ics"',
            "put it into calendars/ beside the profile",
        ),
        (
            '"holidays"',
            f'{TABLE}timezone = "Europe/Berlni"\n',
            "calendar.holidays.timezone: there is no time zone 'Europe/Berlni'",
            "write Europe/Berlin",
        ),
        (
            '"always"',
            '[calendar.always]\nweekly = ["Mon..Sun"]\n',
            'job "web-01": blackout: is never over: the job would never run',
            None,
        ),
    ],
)
def test_what_is_wrong_with_a_calendar_is_told_with_what_to_write(
    blackout: str, table: str, fault: str, remedy: str | None
) -> None:
    found = faults_of({"profile.toml": f"{job_toml(blackout=blackout)}{table}"})
    assert [str(each) for each in found] == [f"profile.toml: {fault}"]
    assert found[0].remedy == remedy if remedy else found[0].remedy


def test_two_calendars_of_one_name_are_a_fault() -> None:
    found: Any = faults_of({"a.toml": f"{job_toml()}{TABLE}", "b.toml": f"schema = 1\n{TABLE}"})
    assert [str(each) for each in found] == [
        "b.toml: calendar.holidays: there is a calendar of that name already"
    ]
