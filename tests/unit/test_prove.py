"""Proofs by systemd itself: right translations hold, wrong ones are refuted, and its failures are told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cncopctl.core.errors import SystemdError
from cncopctl.core.schedule import Translation, parse, translate
from cncopctl.edges.analyze import elapses
from cncopctl.verbs.prove import prove

NOW = datetime(2026, 11, 21, tzinfo=UTC)

WRONG = """
a day field forgotten           | 0 0 13 * 5      | UTC           | Fri *-*-13 00:00:00
one day too many                | 0 0 13 * *      | UTC           | *-*-13 00:00:00; *-*-14 00:00:00
the year's end forgotten        | 0 0 31 * *      | UTC           | *-01..11-31 00:00:00
never                           | 0 0 13 * *      | UTC           | 2020-01-01 00:00:00
a second late                   | 0 0 13 * *      | UTC           | *-*-13 00:00:01
the lost hour forgotten         | 30 2 * * *      | Europe/Berlin | *-*-* 02:30:00 Europe/Berlin
the repeated hour forgotten     | */30 * * * *    | Europe/Berlin | *-*-* *:00,30:00 Europe/Berlin
an open step                    | */7 * * * *     | UTC           | *-*-* *:00/7:00
the year 2100 forgotten         | 0 0 L 2 *|UTC|*-02-29 00:00:00; 1970..2198/4,1971..2199/2-02-28 00:00:00
"""


@pytest.mark.parametrize(
    ("text", "zone", "lines"),
    [tuple(part.strip() for part in line.split("|")[1:]) for line in WRONG.strip().splitlines()],
    ids=[line.partition("|")[0].strip() for line in WRONG.strip().splitlines()],
)
def test_a_wrong_translation_is_refuted_and_the_right_one_holds(text: str, zone: str, lines: str) -> None:
    schedule = parse(text, zone=zone)
    wrong = Translation(oncalendar=tuple(lines.split("; ")))
    refuted, proved = prove([(schedule, wrong), (schedule, translate(schedule, now=NOW))], NOW)
    assert not refuted.holds()
    assert proved.holds()
    assert proved.base_times >= 15


def test_a_schedule_without_calendar_lines_has_nothing_to_prove() -> None:
    schedule = parse("@reboot")
    (proof,) = prove([(schedule, translate(schedule, now=NOW))], NOW)
    assert (proof.holds(), proof.base_times) == (True, 0)


def test_lines_that_systemd_fails_on_are_asked_again_later() -> None:
    texts = ("59 2 * * *", "50 3 * * *", "45 3 * * *", "30 */6 * * *", "15 0-6 * * *")
    schedules = [parse(text, zone="Pacific/Chatham") for text in texts]
    proofs = prove([(schedule, translate(schedule, now=NOW)) for schedule in schedules], NOW)
    assert all(proof.holds() for proof in proofs)


ANSWERS = """
UTC                 | *-*-* 02:30:00                  | 2027-03-01 02:30
Europe/London       | *-*-* 02:30:00 Europe/London    | 2027-03-01 02:30
Africa/Abidjan      | *-*-* 02:30:00 Africa/Abidjan   | 2027-03-01 02:30
Asia/Kathmandu      | *-*-* 02:30:00 Asia/Kathmandu   | 2027-03-01 20:45
America/New_York    | *-*-* 02:30:00 America/New_York | 2027-03-01 07:30
"""


@pytest.mark.parametrize(
    ("zone", "line", "first"),
    [tuple(part.strip() for part in line.split("|")) for line in ANSWERS.strip().splitlines()],
)
def test_elapses_are_instants_whatever_clock_systemd_shows_them_on(zone: str, line: str, first: str) -> None:
    base = datetime(2027, 3, 1, tzinfo=UTC)
    ((one, two), never) = elapses([line, f"2020-01-01 00:00:00 {zone}"], base, 2, zone)
    assert one == datetime.fromisoformat(f"{first}+00:00")
    assert (two - one).days == 1
    assert never == []


def test_a_line_that_systemd_refuses_is_named() -> None:
    with pytest.raises(SystemdError, match=r"refuses 'Fri\.\.Mon \*'"):
        elapses(["*-*-* 02:30:00", "Fri..Mon *"], NOW, 2, "UTC")


def test_a_machine_without_systemd_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemdError, match="cannot be started") as caught:
        elapses(["*-*-* 02:30:00"], NOW, 2, "UTC")
    assert "Debian's package systemd" in caught.value.hint
