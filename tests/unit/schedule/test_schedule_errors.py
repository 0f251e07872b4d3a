"""What is refused, where the error points, and what it says to write instead."""

from __future__ import annotations

import string
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cncopctl.core.schedule import Dialect, ScheduleError, parse, translate

NOW = datetime(2026, 11, 21, tzinfo=UTC)

TABLE = """
0 25 * * *        | hour         | 2    | hour: 25 is not in 0..23
0,61 2 * * *      | minute       | 2    | minute: 61 is not in 0..59
0 0 0 * *         | day-of-month | 4    | day-of-month: 0 is not in 1..31
0 0 * 13 *        | month        | 6    | month: 13 is not in 1..12
0 0 * * 8         | day-of-week  | 8    | day-of-week: 8 is not in 0..7
0 0 * * * 60      | second       | 10   | second: 60 is not in 0..59
*/0 * * * *       | minute       | 2    | minute: a step of 0 never comes round
*/ * * * *        | minute       | 2    | minute: a step must follow the slash
1,,2 * * * *      | minute       | 2    | minute: nothing stands beside the comma in '1,,2'
1- * * * *        | minute       | 2    | minute: a value is missing
0 0 * * MONDAY    | day-of-week  | 8    | day-of-week: 'MONDAY' is not understood
0 0 * FOO *       | month        | 6    | month: 'FOO' is not understood
x 0 * * *         | minute       | 0    | minute: 'X' is not understood
? 0 * * *         | minute       | 0    | minute: '?' is not understood
0 0 L-31 * *      | day-of-month | 6    | day-of-month: no month has a day 31 days before its last
0 0 32W * *       | day-of-month | 4    | day-of-month: 32 is not in 1..31
0 0 * * 5#6       | day-of-week  | 10   | day-of-week: a month has no weekday number '6'
0 0 * * L         | day-of-week  | 8    | day-of-week: L alone names no weekday
0 0 ² * *         | day-of-month | 4    | day-of-month: '²' is not understood
0 0 30 2 *        | day-of-month | None | the schedule never elapses: no month has such a day
0 0 31 4,6,9,11 * | day-of-month | None | the schedule never elapses: no month has such a day
0 0 L-30 2 *      | day-of-month | None | the schedule never elapses: no month has such a day
0 0 30W 2 *       | day-of-month | None | the schedule never elapses: no month has such a day
* * * *           |              | 7    | a schedule has five or six fields, not 4 fields
                  |              | 0    | the schedule is empty
@dayly            |              | 0    | @dayly is not known
@every 90 flips   | @every       | 3    | the unit 'flips' is not known
TZ=CET 0 0 * * *  | timezone     | 3    | time zone 'CET' is not of the form Region/City
CRON_TZ=Europe/Berlim 0 0 * * * | timezone | 8 | there is no time zone 'Europe/Berlim'
"""
CASES = [tuple(part.strip() for part in line.split(" | ")) for line in TABLE.strip("\n").splitlines()]


@pytest.mark.parametrize(("text", "field", "position", "message"), CASES)
def test_an_error_points_at_field_and_character(text: str, field: str, position: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    error = caught.value
    assert (error.field, str(error.position), error.message) == (field, position, message)
    assert error.hint
    assert error.exit_status == 10


HINTS = """
0 0 12 ? * MON-FRI     | this looks like Quartz, whose seconds come first: write 0 12 ? * MON-FRI 0
0 15 10 ? * 6L         | this looks like Quartz, whose seconds come first: write 15 10 ? * FRIL 0
0 0 12 1 1 ? 2030      | this looks like Quartz, whose seconds come first: write 0 12 1 1 ? 0 and year = "2030"
TZ=EST5EDT 0 0 * * *   | write America/New_York
TZ=Europe/Berlim 0 0 * * * | write Europe/Berlin
@every 11m             | write 10 minutes or 12 minutes, which fit the hour or the day
@every 0s              | write 1s
"""


@pytest.mark.parametrize(
    ("text", "hint"),
    [tuple(part.strip() for part in line.split(" | ")) for line in HINTS.strip().splitlines()],
)
def test_a_hint_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        translate(parse(text), now=NOW)
    assert caught.value.hint == hint


TABLES = [
    ({}, "the schedule says no time"),
    ({"hours": 3}, "hours is no key of a schedule"),
    ({"cron": "0 0 * * *", "hour": 3}, "cron and hour do not go together"),
    ({"hour": 3, "schedule_hour": 4}, "schedule_hour is given twice"),
    ({"hour": 24}, "hour: 24 is not in 0..23"),
    ({"hour": True}, "hour: True is no field"),
    ({"day_of_week": 7}, "day_of_week: 7 is not in 0..6"),
    ({"day": "mon", "day_of_week": "tue"}, "day: weekdays are given here and in day_of_week"),
    ({"year": "2030-2020"}, "year: 2030-2020 runs backwards"),
    ({"year": 2027, "month": 2, "day": 29}, "the schedule never elapses: no month has such a day"),
    ({"date": "tomorrow"}, "'tomorrow' is no date"),
    ({"date": "1066-10-14"}, "1066 is beyond what systemd's calendar knows"),
    ({"interval": "2 moons"}, "the unit 'moons' is not known"),
    ({"interval": "500 ms"}, "the unit 'ms' is not known"),
    ({"interval": "1 hour", "start_date": "2027-02-01", "end_date": "2027-01-01"},
     "the schedule ends before it starts"),
    ({"cron": "0 0 * * *", "dst": "always"}, "dst 'always' is not known"),
    ({"cron": "0 0 1 1 *", "start_date": "2027-02-01", "end_date": "2027-03-01"},
     "the schedule never elapses within its bounds"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "message"), TABLES, ids=[message for _, message in TABLES])
def test_a_faulty_table_is_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        translate(parse(table), now=NOW)
    assert caught.value.message == message


@given(st.text(alphabet=string.digits + "*/-,LW#H~?() \tMONFEB@every\n²=", max_size=30))
def test_any_text_is_a_schedule_or_refused_at_a_place_within_it(text: str) -> None:
    position = refused_at(text)
    assert position is None or 0 <= position <= len(text)


def refused_at(text: str) -> int | None:
    try:
        parse(text)
    except ScheduleError as error:
        return error.position
    return None


def test_quartz_puts_seconds_first_and_counts_weekdays_from_sunday() -> None:
    schedule = parse("30 0 12 ? * 2-6 2030", dialect=Dialect.QUARTZ)
    assert translate(schedule, now=NOW).oncalendar == ("Mon..Fri 2030-*-* 12:00:30",)


WARNINGS = """
0 22-3 * * *   | hour: 22-3 goes round the end of its range; cron(8) never runs it
0 0 */2 * 1    | the day must match both */2 and 1, since one begins with a star
5/10 * * * *   | minute: 5/10 is read as 5-59/10; cron(8) refuses it
0 0 * * 5L     | day-of-week: 5L counts from Sunday as 0; Quartz counts from Sunday as 1
0 0 * * 5#2    | day-of-week: 5#2 counts from Sunday as 0; Quartz counts from Sunday as 1
"""


@pytest.mark.parametrize(
    ("text", "warning"),
    [tuple(part.strip() for part in line.split(" | ")) for line in WARNINGS.strip().splitlines()],
)
def test_a_warning_says_where_dialects_differ(text: str, warning: str) -> None:
    assert parse(text).warnings == (warning,)


def test_importing_schedules_pulls_in_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        "import cncopctl.core.schedule\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    run = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["cncopctl"]
