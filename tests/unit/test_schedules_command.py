"""`cncopctl schedules` on an installation under a directory: the table, the forecast, the pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomli_w

from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History

CNCOPCTL = Path(sys.executable).with_name("cncopctl")
EVIL = '<b>&amp; "größe"'

# Job, schedule, and how many minutes its runs took.
JOBS: list[tuple[str, object, float | None]] = [
    ("web-01", "30 2 * * *", 90),
    ("db-01", "0 */4 * * *", 30),
    ("etc", "30 2 * * *", None),
    ("often", "*/5 12 * * *", 7),
    ("fields", {"hour": 22, "day_of_week": "sun"}, None),
    ("boot", "@reboot", None),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with these jobs and their history."""
    directory = tmp_path_factory.mktemp("root")
    (directory / "State/jobs").mkdir(parents=True)
    history = History(directory / "State/history.sqlite")
    for job, schedule, minutes in JOBS:
        values = {"id": job, "title": f"{job} {EVIL}", "type": "RSYNC", "direction": "PULL"}
        compiled = {
            "compiled": 1,
            "agent": "/bin/true",
            "role": "LOCAL",
            "schedules": [{"text": schedule, "zone": "UTC"}],
            "schedule_since": datetime(2026, 1, 1, tzinfo=UTC),
            "job": {**values, "max_retries": 0, "retry_interval": 60, "timeout": 3600},
        }
        (directory / f"State/jobs/{job}.toml").write_text(tomli_w.dumps(compiled))
        for number in range(3 if minutes else 0):
            began = datetime(2026, 1, 1 + number, tzinfo=UTC)
            ended = began + timedelta(minutes=minutes or 0)
            history.add(Run(f"{job}{number}", job, job, began, ended=ended, outcome=Outcome.OK))
    return directory


def run(root: Path, *words: str | Path, status: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [CNCOPCTL, "schedules", "--root", root, *words],
        env={**os.environ, "TZ": "UTC", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


def documents(root: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(root, "--json", *words))
    return found


def test_without_options_each_schedule_has_its_next_run(root: Path) -> None:
    lines = run(root).splitlines()
    assert lines[0].split() == ["NEXT", "RUN", "JOB", "TITLE", "TAKES", "SCHEDULE"]
    assert len(lines) == 1 + len(JOBS)
    assert lines[-1].split()[:3] == ["-", "-", "boot"]
    assert lines[-1].endswith("Once after each boot.")
    assert any("1h 30min  At 02:30 every day" in line for line in lines)


def test_a_forecast_has_every_run_from_its_first_day_on(root: Path) -> None:
    found = documents(root, "--from", "2027-03-27", "--days", "2")
    begun = [(run["at"], run["job"]) for run in found if run["job"] in ("web-01", "fields")]
    assert begun == [
        ("2027-03-27T02:30:00+00:00", "web-01"),
        ("2027-03-28T02:30:00+00:00", "web-01"),
        ("2027-03-28T22:00:00+00:00", "fields"),
    ]
    assert all(run["at"] < "2027-03-29" for run in found)


def test_a_forecast_tells_which_runs_meet(root: Path) -> None:
    found = documents(root, "--from", "2027-03-27", "--days", "1")
    by_start = {(run["at"][11:16], run["job"]): run for run in found}
    assert by_start["02:30", "etc"]["starts_with"] == ["web-01"]
    assert by_start["02:30", "etc"]["expected_seconds"] is None
    assert by_start["02:30", "web-01"]["expected_seconds"] == 5400
    assert "starts_with" not in by_start["04:00", "db-01"]
    assert by_start["12:00", "often"]["starts_with"] == ["db-01"]
    assert by_start["12:05", "often"]["skipped"] == "the run before will probably still be running"
    assert by_start["12:10", "often"]["while_running"] == ["db-01"]
    told = run(root, "--from", "2027-03-27", "--days", "3").splitlines()
    assert "etc, web-01 start together" in " ".join(told)
    assert any(line.split()[:5] == ["often", "starts", "while", "db-01", "runs"] for line in told)


def test_a_paused_job_is_told_to_be_skipped(root: Path) -> None:
    subprocess.run([CNCOPCTL, "pause", "etc", "--root", root, "--until", "2100-03-27T12:00"], check=True)
    found = documents(root, "--from", "2100-03-27", "--days", "2")
    assert ["paused until" in run.get("skipped", "") for run in found if run["job"] == "etc"] == [True, False]
    assert any(" skipped  paused until" in line for line in run(root).splitlines())
    subprocess.run([CNCOPCTL, "resume", "etc", "--root", root], check=True)
    assert "paused" not in run(root)


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        ("drop", "in the blackout office until Sun 2027-03-28 05:00"),
        ("move", "in the blackout office until Sun 2027-03-28 05:00, made up for then"),
        ("report", None),
    ],
)
def test_a_run_in_a_blackout_is_told_to_be_skipped(
    root: Path, tmp_path: Path, effect: str, reason: str | None
) -> None:
    office = {"name": "office", "zone": "UTC", "spans": [], "weekly": ["Sun 01:00-05:00"]}
    compiled = tomllib.loads((root / "State/jobs/web-01.toml").read_text())
    compiled["blackout"] = {"effect": effect, "calendar": [office]}
    (tmp_path / "State/jobs").mkdir(parents=True)
    (tmp_path / "State/jobs/web-01.toml").write_text(tomli_w.dumps(compiled))
    found = documents(tmp_path, "--from", "2027-03-27", "--days", "3")
    assert [run.get("skipped") for run in found] == [None, reason, None]


def test_a_heat_map_is_plain_text_where_nobody_sees_colours(root: Path) -> None:
    words = ("--from", "2027-03-27", "--days", "3", "--heatmap")
    shown = run(root, *words)
    assert "\x1b" not in shown
    assert "Sat 2027-03-27  ░░· ░░· ░░· · · ░░· · · ██· " in shown
    assert run(root, *words, PYTHONIOENCODING="ascii").isascii()


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_and_may_be_declined(root: Path, no_color: str, coloured: bool) -> None:
    command = f"{CNCOPCTL} schedules --root {root} --from 2027-03-27 --days 2 --heatmap"
    done = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, "/dev/null"],
        env={**os.environ, "TERM": "xterm-256color", **({"NO_COLOR": no_color} if no_color else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "░░" in done.stdout
    assert ("\x1b[32m" in done.stdout) is coloured


@pytest.mark.parametrize("by", ["runs", "time"])
def test_a_picture_is_well_formed_whatever_jobs_are_called(root: Path, tmp_path: Path, by: str) -> None:
    path = tmp_path / "forecast.svg"
    run(root, "--from", "2027-03-27", "--days", "14", "--by", by, "--svg", path)
    tree = ElementTree.parse(path).getroot()  # noqa: S314 - ours
    assert any(EVIL in (element.text or "") for element in tree.iter())
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_forecast_of_very_much_says_where_it_stops(tmp_path: Path, root: Path) -> None:
    (tmp_path / "State/jobs").mkdir(parents=True)
    text = (root / "State/jobs/web-01.toml").read_text().replace("30 2 * * *", "* * * * * *")
    (tmp_path / "State/jobs/web-01.toml").write_text(text)
    shown = run(tmp_path, "--from", "2027-03-27", "--days", "1")
    assert "… and 84400 more; ask for fewer days, or for --json" in shown


def test_an_empty_installation_says_what_to_do(tmp_path: Path) -> None:
    assert run(tmp_path) == "nothing is scheduled; see: cncopctl jobs\n"
    assert json.loads(run(tmp_path, "--json", "--days", "3")) == []
    run(tmp_path, "--heatmap", "--svg", tmp_path / "empty.svg")
    ElementTree.parse(tmp_path / "empty.svg")  # noqa: S314 - ours


USAGE = {
    "no date": ("--from", "someday"),
    "a date beyond time": ("--from", "0001-01-01"),
    "no number of days": ("--days", "0"),
    "no directory": ("--svg", "/no/such/directory/x.svg"),
}


@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE)
def test_wrong_usage_is_told_with_a_hint(root: Path, words: tuple[str, ...]) -> None:
    assert "hint: " in run(root, *words, status=2)
