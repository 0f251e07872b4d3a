"""Dates, intervals, reboots, chosen values, bounds, sentences and nights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cncopctl.core.schedule import Dst, Seed, next_after, parse, previous_before, translate
from cncopctl.core.schedule.nights import nights

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_date_is_written_in_its_zone() -> None:
    schedule = parse({"schedule_date": "2027-06-02T16:20:00"}, zone="Europe/Berlin")
    assert translate(schedule, now=NOW).oncalendar == ("2027-06-02 16:20:00 Europe/Berlin",)
    assert next_after(schedule, NOW) == datetime(2027, 6, 2, 14, 20, tzinfo=UTC)


def test_a_date_with_an_offset_is_written_in_utc() -> None:
    schedule = parse({"date": "2027-06-02T16:20:00+05:30"}, zone="Europe/Berlin")
    assert translate(schedule, now=NOW).oncalendar == ("2027-06-02 10:50:00 UTC",)


def test_a_date_in_a_gap_is_the_end_of_the_gap() -> None:
    schedule = parse({"date": "2027-03-28T02:15:00"}, zone="Europe/Berlin")
    assert translate(schedule, now=NOW).oncalendar == ("2027-03-28 01:00:00 UTC",)


def test_a_past_date_is_not_scheduled_and_says_so() -> None:
    translation = translate(parse({"date": "2015-06-02T16:20:00"}), now=NOW)
    assert translation.is_over
    assert translation.oncalendar == ()
    assert translation.warnings == ("2015-06-02 16:20:00 UTC is past: nothing is scheduled",)


def test_an_ended_schedule_says_so() -> None:
    translation = translate(parse({"cron": "0 0 * * *", "end_date": "2026-01-01"}), now=NOW)
    assert translation.is_over
    assert translation.warnings == ("the schedule elapsed for the last time on 2026-01-01 00:00:00 UTC",)


def test_a_year_that_is_past_is_over_before_it_is_out() -> None:
    assert translate(parse({"year": 2026, "month": 2}), now=NOW).is_over
    assert translate(parse({"year": 2026, "month": 12}), now=NOW).oncalendar == ("2026-12-01 00:00:00",)


def test_an_interval_longer_than_the_horizon_has_its_next_instant() -> None:
    every = parse({"interval": "200 weeks", "start_date": "2026-01-01T00:00:00"})
    assert translate(every, now=NOW).oncalendar == ("2029-11-01 00:00:00 UTC",)


def test_reboot_and_continuous_depend_on_the_machine_and_not_on_the_calendar() -> None:
    reboot = translate(parse("@reboot"), now=NOW)
    assert (reboot.oncalendar, reboot.on_boot) == ((), timedelta(minutes=1))
    continuous = translate(parse({"interval": "continuous"}), now=NOW)
    assert (continuous.oncalendar, continuous.on_inactive) == ((), timedelta(seconds=1))
    assert next_after(parse("@reboot"), NOW) is None


def test_an_interval_keeps_the_phase_of_its_recorded_first_sync() -> None:
    first_sync = datetime(2026, 1, 1, 0, 7, tzinfo=UTC)
    assert translate(parse("@every 1h", anchor=first_sync), now=NOW).oncalendar == ("*-*-* *:07:00 UTC",)


def test_bounds_are_cut_to_the_second_and_inclusive() -> None:
    table = {"cron": "*/15 * * * *", "start_date": "2027-01-01T10:30:00", "end_date": "2027-01-01T11:15:00"}
    assert translate(parse(table), now=NOW).oncalendar == (
        "2027-01-01 10:30,45:00",
        "2027-01-01 11:00,15:00",
    )


def test_chosen_values_stay_for_a_job_and_spread_over_a_fleet() -> None:
    seeds = [Seed(f"machine {n}", "web-01") for n in range(200)]
    lines = {translate(parse("H H(2-4) * * *", seed=seed), now=NOW).oncalendar for seed in seeds}
    assert len(lines) > 80
    again = translate(parse("H H(2-4) * * *", seed=Seed("machine 7", "web-01")), now=NOW)
    assert again == translate(parse("H H(2-4) * * *", seed=seeds[7]), now=NOW)


@pytest.mark.parametrize("number", range(20))
def test_chosen_values_lie_within_their_range(number: int) -> None:
    rule = parse("H(10-12) 22~3 H * *", seed=Seed(str(number), "job")).rule
    assert rule.minute & ~(0b111 << 10) == 0  # type: ignore[union-attr]
    assert rule.hour & ~(0b1111 | 0b11 << 22) == 0  # type: ignore[union-attr]
    assert rule.day.days >> 29 == 0  # type: ignore[union-attr]


def test_a_chosen_step_is_an_even_rhythm() -> None:
    lines = translate(parse("H/15 * * * *", seed=Seed("machine", "job")), now=NOW).oncalendar
    assert lines in [(f"*-*-* *:{n:02}..{n + 45}/15:00",) for n in range(15)]


SENTENCES = """
30 2 * * MON-FRI | At 02:30 on Monday to Friday.
*/15 * * * *     | Every 15 minutes.
0 * * * *        | Every hour.
* * * * *        | Every minute.
0 */2 * * *      | Every 2 hours.
0 0 13 * 5       | At 00:00 on day 13 of the month and on every Friday.
0 0 L * *        | At 00:00 on the last day of the month.
0 0 L-3 3-5 *    | At 00:00 on the day 3 days before the last of the month in March to May.
0 9,17 * * 5#2   | At 09:00 and 17:00 on the second Friday of the month.
0 0 15W * FRIL   | At 00:00 on the weekday nearest to day 15 and on the last Friday of the month.
0 0 1 1 *        | At 00:00 on day 1 of the month in January.
@every 90m       | Every 90 minutes.
@reboot          | Once after each boot.
TZ=Asia/Tokyo 0 4 * * * | At 04:00 every day (Asia/Tokyo).
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [tuple(part.strip() for part in line.split(" | ")) for line in SENTENCES.strip().splitlines()],
)
def test_a_schedule_is_explained_in_a_sentence(text: str, sentence: str) -> None:
    assert parse(text).explain() == sentence


def test_the_previous_instant_respects_the_bounds() -> None:
    schedule = parse({"cron": "0 0 * * *", "start_date": "2026-05-01", "end_date": "2026-06-01"})
    assert previous_before(schedule, NOW) == datetime(2026, 6, 1, tzinfo=UTC)
    assert previous_before(schedule, datetime(2026, 5, 1, tzinfo=UTC)) is None


NIGHTS = [
    ("30 2 * * *", Dst.CRON, "2027-03-28: the clocks skip 02:00 to 03:00; what falls into it runs once, at 03:00"),
    ("*/20 2 * * *", Dst.CRON, "2027-03-28: the clocks skip 02:00 to 03:00; what falls into it does not run"),
    ("30 2 * * *", Dst.SKIP, "2027-03-28: the clocks skip 02:00 to 03:00; what falls into it does not run"),
    ("*/20 * 31 10 *", Dst.CRON,
     "2027-10-31: the clocks repeat 02:00 to 03:00; the schedule runs through both passes"),
    ("30 2 31 10 *", Dst.CRON,
     "2027-10-31: the clocks repeat 02:00 to 03:00; what falls into it runs the first time only"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "dst", "sentence"), NIGHTS)
def test_nights_that_differ_are_told(text: str, dst: Dst, sentence: str) -> None:
    schedule = parse(text, zone="Europe/Berlin", dst=dst)
    assert nights(schedule, NOW, NOW + timedelta(days=400))[0].sentence == sentence
    assert nights(parse("0 12 * * *", zone="Europe/Berlin"), NOW, NOW + timedelta(days=400)) == []
