"""Both releases' systemd elapses when a schedule means it, and timers fire then, once."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from random import Random
from typing import Any

import pytest
from property.schedule.analyze import elapses
from property.schedule.chosen import CHOSEN
from property.schedule.grammar import draw, draw_near_change
from property.schedule.test_schedule_kinds_exact import INTERVALS, TABLES

from cncopctl.core.schedule import (
    Schedule,
    ScheduleError,
    Translation,
    instants_after,
    parse,
    translate,
)

from .journal import Follower
from .machine import Machine

NOW = datetime(2026, 11, 21, tzinfo=UTC)
COUNT = 5
BASES = [
    datetime(2026, 11, 21, 8, 17, 31, tzinfo=UTC),
    datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 2, 27, 12, tzinfo=UTC),
    datetime(2100, 2, 26, tzinfo=UTC),
]
# Three of the southern half of the world, one whose clocks change by half an hour, two whose summer time is
# the standard one, and one that changes around midnight.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Africa/Casablanca",
    "Europe/Dublin",
    "Africa/Cairo",
)
STARTING = "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5"  # systemd/sd-messages.h: a unit's start job began

Case = tuple[str, Schedule, Translation]


def translated(text: str, zone: str | None = None) -> Iterator[Case]:
    """The case of an expression, if it ever elapses."""
    try:
        schedule = parse(text, zone=zone)
    except ScheduleError as error:
        if "never elapses" not in error.message:
            raise
        return
    yield text, schedule, translate(schedule, now=NOW)


def unions(
    machine: Machine, cases: Sequence[Case], base: datetime, count: int, zone: str = "UTC"
) -> Iterator[tuple[Case, list[datetime]]]:
    """Each case with what its lines elapse at together, as far as all of them were asked; in one call."""
    lines = [line for *_, translation in cases for line in translation.oncalendar]
    answers = iter(elapses(lines, base, count, zone, machine.argv))
    for case in cases:
        found = [next(answers) for _ in case[2].oncalendar]
        reach = min(
            (line[-1] for line in found if len(line) == count), default=datetime(2200, 1, 1, tzinfo=UTC)
        )
        yield case, sorted({instant for line in found for instant in line if instant <= reach})


@pytest.mark.parametrize("base", BASES, ids=str)
def test_expressions_elapse_in_utc_when_they_mean_it(machine: Machine, base: datetime) -> None:
    random = Random(machine.release)  # noqa: S311 - the same draws each time
    texts = CHOSEN + [draw(random) for _ in range(5_000)]
    cases = [case for text in texts for case in translated(text)]
    for (text, schedule, translation), union in unions(machine, cases, base, COUNT):
        meant = list(islice(instants_after(schedule, base), len(union) or 1))  # one would be missed
        assert union == meant, (text, translation.oncalendar)


def prove(device: Machine, questions: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """What the machine's own cncopctl answers: evaluated with its database of zones, asked of its systemd."""
    asked = "".join(f"{json.dumps(question)}\n" for question in questions)
    done = device.run("cncopctl", "translate", "--stdin", "--json", "--prove", input=asked, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions), done.stderr
    for answer in answers:
        if answer["error"] is None:
            proof = answer["proof"]
            assert proof["holds"], (answer["cron"], answer.get("schedule"), proof["differences"][0])
    return answers


@pytest.mark.parametrize("zone", ZONES)
def test_expressions_keep_their_policy_when_the_clocks_change(device: Machine, zone: str) -> None:
    random = Random(f"{device.release}{zone}")  # noqa: S311 - the same draws each time
    texts = [draw_near_change(random) for _ in range(50)] + [draw(random) for _ in range(10)]
    questions = [
        {"cron": text, "timezone": zone, "dst": "skip" if number % 5 == 0 else "cron"}
        for number, text in enumerate(texts)
    ]
    answers = prove(device, questions)
    refused = {answer["error"] for answer in answers if answer["error"]}
    assert refused <= {"the schedule never elapses: no month has such a day"}
    assert sum(answer["proof"]["base_times"] > 12 for answer in answers if not answer["error"]) > 30


def test_a_zone_on_the_line_is_understood_as_the_zone_of_the_machine(machine: Machine) -> None:
    random = Random(machine.release)  # noqa: S311 - the same draws each time
    base = datetime(2027, 3, 27, 20, tzinfo=UTC)
    cases = [case for _ in range(20) for case in translated(draw_near_change(random), "Europe/Berlin")]
    assert list(unions(machine, cases, base, COUNT)) == list(
        unions(machine, cases, base, COUNT, "Europe/Berlin")
    )


def test_every_kind_is_proved_by_the_command_on_the_machine_itself(device: Machine) -> None:
    intervals = [part.strip() for part in INTERVALS.replace("\n", "|").split("|") if part.strip()]
    start = {"start_date": "2026-03-03T03:14:15"}
    questions: list[Mapping[str, object]] = [{"interval": text, **start} for text in intervals]
    questions += [table for table, _ in TABLES.values()]
    questions += [
        {"date": f"2027-{month:02}-28T02:30:00", "timezone": "Europe/Berlin"} for month in range(1, 13)
    ]
    questions += [
        {"cron": text, "timezone": zone, "start_date": "2027-03-27T12:00", "end_date": "2027-10-31T02:15"}
        for text in ("30 2 * * *", "*/15 * * * *", "0 0 L * 1", "15 1-4 15W * *")
        for zone in ("Europe/Berlin", "Australia/Lord_Howe")
    ]
    answers = prove(device, questions)
    assert [answer["error"] for answer in answers if answer["error"]] == []


PROFILE = """
schema = 1

[[job]]
id = "ticking"
title = "{title}"
type = "RSYNC"
schedule = "* * * * * 1-59/2"
timezone = "Europe/Berlin"
source = "/etc/systemd"

[[job]]
id = "once"
title = "Once a year"
type = "RSYNC"
schedule = "{once}"
timezone = "UTC"
source = "/etc/systemd"
"""


def profile(title: str, once: datetime) -> str:
    fields = f"{once.minute} {once.hour} {once.day} {once.month} * {once.second}"
    return textwrap.dedent(PROFILE).format(title=title, once=fields)


@pytest.fixture(scope="module")
def once(device: Machine) -> datetime:
    """When the timer of the job `once` fires for the only time this year; the device is synced."""
    device.write("/etc/cncop/agents.d/backupagentrsync", "#!/bin/sh\n", mode=0o755)
    at = (datetime.now(UTC) + timedelta(seconds=12)).replace(microsecond=0)
    device.write("/etc/cncop/profile.toml", profile("Ticking", at))
    device.run("cncopctl", "sync-profile")
    return at


def starts(device: Machine, unit: str) -> Iterator[Any]:
    """The starts of a unit as the journal has them, past and to come."""
    with ExitStack() as stack:
        follower = Follower(device.argv, f"UNIT={unit}", STARTING, timeout=60)
        yield from stack.enter_context(follower)


def started_at(entry: Any) -> datetime:
    return datetime.fromtimestamp(int(entry.fields["__REALTIME_TIMESTAMP"]) / 1e6, UTC)


def test_a_timer_with_seconds_fires_within_a_second_of_its_time(device: Machine, once: datetime) -> None:
    entries = list(islice(starts(device, "cncop-job-ticking.service"), 3))
    times = [started_at(entry) for entry in entries]
    schedule = parse("* * * * * 1-59/2", zone="Europe/Berlin")
    due = list(islice(instants_after(schedule, times[0] - timedelta(seconds=1)), len(times)))
    late = [at - instant for at, instant in zip(times, due, strict=True)]
    assert all(timedelta() <= each < timedelta(seconds=1) for each in late), late
    steps = [int(entry.fields["__MONOTONIC_TIMESTAMP"]) for entry in entries]
    rhythm = [round((later - earlier) / 1e6) for earlier, later in pairwise(steps)]
    assert rhythm == [round((later - earlier).total_seconds()) for earlier, later in pairwise(due)]


def test_a_timer_whose_unit_was_synced_again_unchanged_does_not_fire_again(
    device: Machine, once: datetime
) -> None:
    first = next(starts(device, "cncop-job-once.service"))
    assert timedelta() <= started_at(first) - once < timedelta(seconds=1)
    device.run("cncopctl", "sync-profile")
    device.write("/etc/cncop/profile.toml", profile("Ticking, renamed", once))
    assert "changed  ticking" in device.run("cncopctl", "sync-profile").stdout
    device.run("systemctl", "daemon-reload")
    cursor = device.cursor()
    # What is due fires: by then whatever a reload had set off would have begun, too.
    device.wait_for_journal("", "UNIT=cncop-job-ticking.service", STARTING, after=cursor)
    told = device.run(
        "journalctl", "--quiet", "--output=json", "UNIT=cncop-job-once.service", STARTING
    ).stdout
    assert len(told.splitlines()) == 1


def test_what_is_installed_is_forecast_shown_and_drawn(device: Machine, once: datetime) -> None:
    device.run("cncopctl", "sync-profile")
    begin = f"{once:%Y-%m-%d}"
    runs = json.loads(device.run("cncopctl", "schedules", "--from", begin, "--days", "1", "--json").stdout)
    assert [run["at"] for run in runs if run["job"] == "once"] == [once.isoformat()]
    assert sum(run["job"] == "ticking" for run in runs) == 24 * 60 * 30
    shown = device.run(
        "cncopctl", "schedules", "--days", "2", "--heatmap", "--svg", "/root/forecast.svg"
    ).stdout
    assert shown.count("██") >= 24
    assert device.read("/root/forecast.svg").endswith("</svg>\n")
