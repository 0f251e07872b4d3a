"""What docs/schedules.md says is what happens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cncopctl.core.schedule import ScheduleError, parse, translate

TEXT = (Path(__file__).parents[2] / "docs/schedules.md").read_text("utf-8")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
ROWS = [
    (write, re.findall(r"`([^`]+)`", becomes))
    for write, becomes in re.findall(r"^\| `([^`]+)` \| [^|]+ \| (`[^|]+) \|$", TEXT, re.MULTILINE)
]


@pytest.mark.parametrize(("text", "lines"), ROWS, ids=[text for text, _ in ROWS])
def test_what_is_written_becomes_what_the_table_says(text: str, lines: list[str]) -> None:
    assert list(translate(parse(text), now=NOW).oncalendar) == lines


def test_every_construct_is_in_the_table() -> None:
    assert len(ROWS) == 19


@pytest.mark.parametrize("line", re.findall(r"^schedule = .*$", TEXT, re.MULTILINE))
def test_tables_are_understood(line: str) -> None:
    translate(parse(tomllib.loads(line)["schedule"]), now=NOW)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "@every 11m", "CRON_TZ=CET 0 0 * * *", "0 30 2 * * MON-FRI"])
def test_what_is_said_to_be_refused_is_refused(text: str) -> None:
    assert text.removeprefix("CRON_TZ=").partition(" ")[0] in TEXT
    with pytest.raises(ScheduleError):
        translate(parse(text), now=NOW)


def test_the_example_for_programs_answers_as_shown() -> None:
    found = re.search(r"^\$ echo '(.+)' \| cncopctl (.+)\n(.+)$", TEXT, re.MULTILINE)
    assert found
    program = Path(sys.executable).with_name("cncopctl")
    done = subprocess.run(
        [program, *found[2].split()], input=found[1], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == json.loads(found[3])
