"""`cncopctl check-backups`: one line and a status, as monitoring wants them, whatever is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from cncopctl.core.outcome import Outcome

from .past import HOUR, PROGRAMS, Past

DAY = timedelta(days=1)
# Monitoring Plugins' guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]
PERFORMANCE = re.compile(r"('[^'=]+'|[a-z]+)=\d+s?(;\d*){0,4}")


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def check(past: Past, *words: str, status: int) -> list[str]:
    """The lines that are printed; the first is as the guidelines want it."""
    lines = past.say("check-backups", *words, status=status).splitlines()
    state = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[status]
    assert lines[0].startswith(f"CNCOP {state}: ")
    assert lines[0].count("|") == (1 if status < 3 else 0)
    if status < 3:
        for datum in lines[0].partition(" | ")[2].split():
            assert PERFORMANCE.fullmatch(datum), datum
    return lines


def test_all_is_well_with_a_job_that_ran_at_its_time(past: Past) -> None:
    past.job("web-01", past.daily(3 * HOUR))
    past.run("web-01", 3 * HOUR)
    (line,) = check(past, status=0)
    due = past.now - 3 * HOUR + DAY
    assert line.startswith(f"CNCOP OK: web-01: OK 3h ago, next run at {due:%a %Y-%m-%d %H:%M} | ok=1;;;0;1 ")
    assert "'web-01'=108" in line


def test_a_job_that_did_not_run_is_critical_and_one_that_is_late_a_warning(past: Past) -> None:
    past.job("web-01", past.daily(3 * HOUR))
    past.run("web-01", 3 * HOUR + DAY)
    assert "web-01: has not run: it was to run at" in check(past, status=2)[0]
    assert "web-01: is late: it was to run at" in check(past, "--grace", "4h", status=1)[0]


def test_many_jobs_are_told_on_one_line_and_each_on_its_own(past: Past) -> None:
    for number in range(5):
        past.job(f"bad{number}", past.daily(3 * HOUR))
        past.run(f"bad{number}", 2 * HOUR, Outcome.ERROR, phrase="disk | full\x1b[2J\nreally")
    past.job("good", past.daily(3 * HOUR))
    past.run("good", 2 * HOUR)
    past.job("warned", past.daily(3 * HOUR))
    past.run("warned", 2 * HOUR, warnings=("3 files vanished",))
    first, *others = check(past, status=2)
    assert first.startswith(
        "CNCOP CRITICAL: 6 of 7 jobs: bad0: ERROR 1h 50min ago: disk / full\\x1b[2J really; "
    )
    assert "; and 3 more | ok=1;;;0;7 warning=1;;;0;7 critical=5;;;0;7 " in first
    assert len(others) == 6
    assert others[-1] == "WARNING warned: ended OK with a warning: 3 files vanished"


def test_jobs_can_be_chosen_and_ages_limited(past: Past) -> None:
    past.job("a", past.daily(3 * HOUR), title="Web")
    past.job("b", past.daily(3 * HOUR))
    past.run("a", 3 * HOUR)
    assert "'a'=" in check(past, "web", status=0)[0]
    assert "b: has not run" in check(past, "a", "b", status=2)[0]
    assert ";7200;10800;0" in check(past, "a", "-w", "2h", "-c", "3h", status=2)[0]
    assert "a: its last good run is 3h old" in check(past, "a", "-w", "2h", "-c", "1d", status=1)[0]


def test_programs_get_the_same_as_json(past: Past) -> None:
    past.job("a", past.daily(3 * HOUR))
    past.run("a", 3 * HOUR, Outcome.RERUN, phrase="no route")
    told = json.loads(past.say("check-backups", "--json", status=2))
    assert told["state"] == "CRITICAL"
    assert told["jobs"] == [
        {"job": "a", "state": "CRITICAL", "sentence": "RE-RUN 2h 50min ago: no route", "age_seconds": None}
    ]


def test_a_pause_is_somebodys_will(past: Past) -> None:
    past.job("a", past.daily(3 * HOUR))
    past.say("pause", "a", "--reason", "new disks")
    assert "a: paused until it is resumed, because: new disks" in check(past, status=0)[0]
    check(past, "-c", "1d", status=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--grace", "-1h"], '"-1h" is no span'),
        (["--loud"], "No such option: --loud"),
        (["-c", "soon"], '"soon" is no span: write one such as 90m, 26h or 8d'),
        (["b"], 'there is no job "b" (see: cncopctl jobs; a new one is there after: cncopctl sync-profile)'),
    ],
)
def test_what_is_asked_wrong_is_unknown(past: Past, words: list[str], said: str) -> None:
    past.job("a", past.daily(HOUR))
    assert said in check(past, *words, status=3)[0]


def test_what_cannot_be_found_out_is_unknown(past: Past) -> None:
    assert "no job is installed" in check(past, status=3)[0]
    past.job("a", past.daily(HOUR))
    past.layout.history.write_bytes(b"no database" * 99)
    assert f"{past.layout.history}: the history cannot be used" in check(past, status=3)[0]
    past.layout.history.unlink()
    (past.layout.compiled_jobs / "a.toml").write_text("no job")
    assert "the compiled job a is damaged" in check(past, status=3)[0]


@pytest.mark.parametrize("words", [[], ["--json"], ["no-such-job"]])
def test_the_exit_status_tells_also_where_nobody_reads(past: Past, words: list[str]) -> None:
    past.job("web-01", past.daily(3 * HOUR))
    argv = [str(PROGRAMS / "cncopctl"), "check-backups", *words, f"--root={past.root}"]
    status = 3 if "no-such-job" in words else 2
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(argv, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")


def test_a_run_that_is_under_way_is_a_run(past: Past) -> None:
    past.job("a", past.daily(3 * HOUR))
    run = past.layout.runs / "r1"
    run.mkdir(parents=True)
    document = {"id": "r1", "job": "a", "title": "a", "started": (past.now - 3 * HOUR).isoformat()}
    (run / "run.json").write_text(json.dumps(document))
    assert "a: has been running for 3h" in check(past, status=0)[0]
