"""The lines are those that a person would write, and as few as are exact."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cncopctl.core.schedule import parse, translate

NOW = datetime(2026, 11, 21, tzinfo=UTC)

TABLE = """
30 2 * * MON-FRI        | Mon..Fri *-*-* 02:30:00
0 0 * * *               | *-*-* 00:00:00
@daily                  | *-*-* 00:00:00
@MIDNIGHT               | *-*-* 00:00:00
@hourly                 | *-*-* *:00:00
@weekly                 | Sun *-*-* 00:00:00
@monthly                | *-*-01 00:00:00
@yearly                 | *-01-01 00:00:00
@annually               | *-01-01 00:00:00
* * * * *               | *-*-* *:*:00
* * * * * *             | *-*-* *:*:*
*/7 * * * *             | *-*-* *:00..56/7:00
*/30 * * * *            | *-*-* *:00,30:00
*/15 * * * *            | *-*-* *:00..45/15:00
0 22-3 * * *            | *-*-* 00..03,22,23:00:00
0 0 * * FRI-MON         | Mon,Fri..Sun *-*-* 00:00:00
0 0 * * SAT,SUN         | Sat,Sun *-*-* 00:00:00
0 0 13 * 5              | *-*-13 00:00:00 ; Fri *-*-* 00:00:00
0 0 */2 * 1             | Mon *-*-01..31/2 00:00:00
0 0 1-31 * 1            | *-*-* 00:00:00
0 0 31 * *              | *-*-31 00:00:00
0 0 31 1-6 *            | *-01,03,05-31 00:00:00
0 0 30 2,4 *            | *-04-30 00:00:00
0 0 29-31 2 *           | *-02-29 00:00:00
0 0 1-30 4 *            | *-04-* 00:00:00
0 0 30 2 1              | Mon *-02-* 00:00:00
0 0 L * *               | *-*~01 00:00:00
0 0 L-3 * *             | *-*~04 00:00:00
0 0 15,L * *            | *-*-15 00:00:00 ; *-*~01 00:00:00
0 0 15W * *             | Fri *-*-14 00:00:00 ; Mon..Fri *-*-15 00:00:00 ; Mon *-*-16 00:00:00
0 0 1W * *              | Mon..Fri *-*-01 00:00:00 ; Mon *-*-02,03 00:00:00
0 0 LW * *              | Mon..Fri *-*~01 00:00:00 ; Fri *-*~01..03 00:00:00
0 0 * * 5#2             | Fri *-*-08..14 00:00:00
0 0 * * MON#1,MON#3     | Mon *-*-01..07,15..21 00:00:00
0 0 * * 5L              | Fri *-*~01..07 00:00:00
0 0 * * LFRI            | Fri *-*~01..07 00:00:00
0 0 L 2 *               | *-02~01 00:00:00
30 6 * * * 15           | *-*-* 06:30:15
@every 90m              | *-*-* 00..21/3:00:00 UTC ; *-*-* 01..22/3:30:00 UTC
@every 6h               | *-*-* 00..18/6:00:00 UTC
CRON_TZ=UTC 0 4 * * *   | *-*-* 04:00:00 UTC
TZ=Asia/Tokyo 0 4 L * * | *-*~01 04:00:00 Asia/Tokyo
"""
CASES = [tuple(part.strip() for part in line.split(" | ")) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("text", "lines"), CASES, ids=[case[0] for case in CASES])
def test_lines_look_as_a_person_would_write_them(text: str, lines: str) -> None:
    assert " ; ".join(translate(parse(text), now=NOW).oncalendar) == lines


ZONED = """
30 2 * * *     | Europe/Berlin | cron | *-*-* 02:30:00 Europe/Berlin ; 2027-03-28 01:00:00 UTC
30 2 * * *     | Europe/Berlin | skip | *-*-* 02:30:00 Europe/Berlin
30 1-4 * * *   | Europe/Berlin | cron | *-*-* 01..04:30:00 Europe/Berlin ; 2027-03-28 01:00:00 UTC
0 2,3 * * *    | Europe/Berlin | cron | *-*-* 02,03:00:00 Europe/Berlin ; 2027-03-28 01:00:00 UTC
*/15 * * * *   | Europe/Berlin | cron | *-*-* *:00..45/15:00 Europe/Berlin ; 2027-10-31 01:00..45/15:00 UTC
*/20 2 * * *   | Europe/Berlin | cron | *-*-* 02:00,20,40:00 Europe/Berlin ; 2027-10-31 01:00,20,40:00 UTC
0-59 * * * *   | Europe/Berlin | skip | *-*-* *:*:00 Europe/Berlin
0 12 * * *     | Europe/Berlin | cron | *-*-* 12:00:00 Europe/Berlin
30 0 * * *     | Africa/Cairo  | cron | *-*-* 00:30:00 Africa/Cairo ; 2027-04-29 22:00:00 UTC
15 2 * * *     | Australia/Lord_Howe | cron | *-*-* 02:15:00 Australia/Lord_Howe ; 2027-10-02 15:30:00 UTC
"""
ZONED_CASES = [tuple(part.strip() for part in line.split(" | ")) for line in ZONED.strip().splitlines()]


@pytest.mark.parametrize(("text", "zone", "dst", "lines"), ZONED_CASES)
def test_extra_lines_do_what_the_zoned_line_does_not(text: str, zone: str, dst: str, lines: str) -> None:
    translation = translate(parse({"cron": text, "dst": dst}, zone=zone), now=NOW)
    assert " ; ".join(translation.oncalendar) == lines
    assert translation.horizon_end == datetime(2028, 2, 1, tzinfo=UTC)


def test_two_springs_of_one_rule_are_one_line() -> None:
    spring = datetime(2026, 3, 1, tzinfo=UTC)
    assert translate(parse("30 2 * * *", zone="Europe/Berlin"), now=spring).oncalendar[1:] == (
        "Sun 2026,2027-03-28,29 01:00:00 UTC",
    )


def test_a_lost_day_is_made_up_for_at_its_end() -> None:
    december = datetime(2011, 12, 1, tzinfo=UTC)
    lines = translate(parse("0 3 30 12 *", zone="Pacific/Apia"), now=december).oncalendar
    assert "2011-12-30 10:00:00 UTC" in lines


@pytest.mark.parametrize("day", range(1, 31))
def test_lines_do_not_change_within_a_month(day: int) -> None:
    for spec in ("@every 5h", "30 2 * * *"):
        schedule = parse(spec, zone="Europe/Berlin")
        first, later = (translate(schedule, now=datetime(2026, 11, d, 7, tzinfo=UTC)) for d in (1, day))
        assert first == later
        assert first.horizon_end is not None
        assert (first.horizon_end - datetime(2026, 11, 30, tzinfo=UTC)).days >= 400
