"""`cncopctl logs` and `cncopwatcher`: what runs said, by the days of which there are logs."""

from __future__ import annotations

import errno
import json
import os
import pty
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cncopctl.cli.pager import pager_command
from cncopctl.core.log_line import Level, LogLine, begin_text, end_text
from cncopctl.core.outcome import Outcome
from cncopctl.edges.run_files import RunFiles
from cncopctl.edges.run_log import RunLog

from .past import PROGRAMS, Past

DAY = timedelta(days=1)
LAST = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def log(
    past: Past, job: str, began: datetime, outcome: Outcome | None, run: str, *said: tuple[Level, str]
) -> Path:
    """A log as a run leaves it; without outcome, as one leaves it that was never closed."""
    written = RunLog.create(past.layout.logs, began)
    written.write([LogLine(began, Level.INFO, "cncop", begin_text(run, job, f"The {job}"))])
    sources = {Level.INFO: "agent", Level.WARN: "cncop"}
    written.write([LogLine(began, level, sources[level], text) for level, text in said])
    if outcome:
        ended = began + timedelta(minutes=10)
        level = Level.of(outcome)
        written.write([LogLine(ended, level, "cncop", end_text(job, outcome, f"{job} says so"))])
    written.close()
    return written.path


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    os.environ["TZ"] = "UTC"  # in which the names of logs are made
    made = Past(tmp_path_factory.mktemp("past"))
    made.layout.logs.mkdir()
    for job in ("web", "db", "weekly"):
        made.job(job, made.daily(DAY), title=f"The {job}")
    words = [(Level.INFO, f"line {number}") for number in range(1, 9)]
    log(made, "web", LAST, Outcome.OK, "aaaa1111", *words, (Level.WARN, "warning: 3 files vanished"))
    log(made, "db", LAST, Outcome.ERROR, "bbbb2222", *words, (Level.INFO, "disk full"))
    log(made, "web", LAST - DAY, Outcome.OK, "aaaa3333")
    log(made, "web", LAST - 3 * DAY, None, "aaaa4444", (Level.INFO, "then the power went"))
    log(made, "weekly", LAST - 3 * DAY, Outcome.OK, "cccc5555")
    log(made, "weekly", LAST - 10 * DAY, Outcome.RERUN, "cccc6666")
    (made.layout.logs / "CA-26-11-10_0000.log").write_text("whatever \x1b[2J this is\n")
    return made


def test_all_runs_of_the_last_day_are_listed(past: Past) -> None:
    day, head, *rows = past.say("logs").splitlines()
    assert day == f"Saturday 2026-11-21, {past.layout.logs}"
    assert head.split() == ["BEGAN", "JOB", "TOOK", "RUN", "LOG", "OUTCOME"]
    assert [row.split() for row in rows] == [
        ["02:30:00", "web", "10min", "aaaa1111", "CA-26-11-21_0230.log", "OK", "web", "says", "so"],
        ["02:30:00", "db", "10min", "bbbb2222", "CA-26-11-21_0230-001.log", "ERROR", "db", "says", "so"],
    ]


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ([], ["aaaa1111", "bbbb2222"]),
        (["--daysago", "1"], ["aaaa3333"]),
        (["--daysago", "2"], ["aaaa4444", "cccc5555"]),
        (["--daysago", "3"], ["cccc6666"]),
        (["weekly"], ["cccc5555"]),
        (["THE WEEKLY", "--daysago", "1"], ["cccc6666"]),
        (["web", "db"], ["aaaa1111", "bbbb2222"]),
        (["web", "--daysago", "2"], ["aaaa4444"]),
        (["--run", "cccc6"], ["cccc6666"]),
    ],
)
def test_days_are_counted_by_what_there_is(past: Past, words: list[str], runs: list[str]) -> None:
    assert [run["run"] for run in json.loads(past.say("logs", "--json", *words))] == runs


def test_programs_get_each_line_and_how_it_ended(past: Past) -> None:
    (run,) = json.loads(past.say("logs", "--json", "db"))
    assert (run["job"], run["title"], run["outcome"], run["phrase"]) == (
        "db",
        "The db",
        "ERROR",
        "db says so",
    )
    assert run["began"] == "2026-11-21T02:30:00+00:00"
    assert run["lines"][1] == {
        "at": "2026-11-21T02:30:00+00:00",
        "level": "info",
        "source": "agent",
        "text": "line 1",
    }
    (open_run,) = json.loads(past.say("logs", "--json", "web", "--daysago", "2"))
    assert (open_run["outcome"], open_run["ended"], open_run["running"]) == (None, None, False)


def test_the_logs_of_a_job_are_shown_in_full(past: Past) -> None:
    heading, *lines = past.say("logs", "web").splitlines()
    path = past.layout.logs / "CA-26-11-21_0230.log"
    assert heading == f"== web, Sat 2026-11-21 02:30:00: OK web says so (10min)  {path}"
    assert lines == path.read_text().splitlines()
    assert "was never closed" in past.say("logs", "web", "--daysago", "2")


def test_a_run_that_is_not_closed_is_running_only_while_something_of_it_is_alive(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.layout.logs.mkdir()
    past.job("web", past.daily(DAY))
    path = log(past, "web", LAST, None, "dddd7777")
    RunFiles(past.layout.runs, "dddd7777").write_run({"job": "web", "log": str(path)})
    writer = RunLog.reopen(path)
    assert ": is running  " in past.say("logs", "web")
    writer.close()
    assert "has ended, and is not closed yet" in past.say("logs", "web")


def test_what_is_no_log_of_ours_drives_no_terminal(past: Past) -> None:
    shown = past.say("--daysago", "4", "--log", program="cncopwatcher")
    assert "whatever \\x1b[2J this is" in shown
    assert shown.replace("\n", "").isprintable()


def test_the_watcher_tells_what_each_run_did_and_how_it_ended(past: Past) -> None:
    blocks = past.say(program="cncopwatcher").split("\n\n")
    assert blocks[0] == "Saturday 2026-11-21: 2 runs"
    assert [line.rpartition(": ")[2] for line in blocks[1].splitlines()[1:]] == ["3 files vanished"]
    # Of one that failed, what its agent said last.
    last = [line.rpartition(": ")[2] for line in blocks[2].splitlines()[1:]]
    assert last == ["line 5", "line 6", "line 7", "line 8", "disk full"]


@pytest.mark.parametrize("option", ["-?", "-h", "--help"])
def test_the_watcher_has_the_originals_options(past: Past, option: str) -> None:
    shown = past.say(option, program="cncopwatcher")
    for name in ("-d, --debug", "-c, --config CONFIG", "--daysago N"):
        assert name in shown


def test_the_watcher_says_which_logs_it_reads_and_how_long_they_are_kept(past: Past, tmp_path: Path) -> None:
    config = tmp_path / "other.ini"
    config.write_text("[defaults]\ndays_of_logs = 7\n")
    shown = past.say("-d", "-c", config, "weekly", program="cncopwatcher")
    assert "kept for 7 days" in shown
    assert f"read {past.layout.logs}/CA-26-11-18_0230-001.log" in shown
    config.write_text("[defaults]\ndays_of_log = 7\n")
    assert "did you mean days_of_logs?" in past.say("-c", config, program="cncopwatcher", status=10)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], 'there is no job "nobody"'),
        (["web", "--daysago", "3"], "there are no logs of that job 3 days ago, counted by days with logs"),
        (["--run", "ffff"], 'there is no log of a run "ffff"'),
        (["--run", "aaaa"], "several runs have an id that begins so: aaaa1111, aaaa3333, aaaa4444"),
        (["-f", "--daysago", "1"], "--follow shows what runs now"),
        (["-f"], "nothing runs, so there is nothing to follow"),
        (["-f", "web"], "web does not run"),
    ],
)
def test_what_is_asked_wrong_is_told(past: Past, words: list[str], said: str) -> None:
    assert said in past.say("logs", *words, status=2)


def test_before_the_first_run_there_is_nothing(tmp_path: Path) -> None:
    assert Past(tmp_path).say("logs") == "nothing has run yet; see: cncopctl jobs\n"
    assert Past(tmp_path).say("logs", "--json") == "[]\n"


def test_it_is_the_users_pager(tmp_path: Path) -> None:
    for name in ("less", "more", "most"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    found = {"PATH": str(tmp_path)}
    assert pager_command(found) == ["less"]
    assert pager_command({**found, "PAGER": "most -w"}) == ["most", "-w"]
    assert pager_command({**found, "PAGER": "gone"}) == ["less"]
    assert pager_command({**found, "PAGER": "'"}) == ["less"]
    assert pager_command({**found, "PAGER": "cat"}) == []
    assert pager_command({**found, "PAGER": ""}) == []
    (tmp_path / "less").unlink()
    assert pager_command(found) == ["more"]
    (tmp_path / "more").unlink()
    assert pager_command(found) == []


def on_terminal(past: Past, *words: str, **environment: str) -> str:
    """What the program prints on a terminal of its own."""
    ours, theirs = pty.openpty()
    argv: list[str | Path] = [PROGRAMS / "cncopctl", *words, "--root", past.root]
    variables = {**os.environ, "TERM": "xterm", **environment}
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        said = b""
        try:
            while data := os.read(ours, 65536):
                said += data
        except OSError as error:
            if error.errno != errno.EIO:  # how Linux tells that the other end was closed
                raise
        os.close(ours)
        assert process.wait(60) == 0
    return said.decode().replace("\r\n", "\n")


def test_on_a_terminal_logs_go_to_the_pager_with_options_for_less(past: Past, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\necho "paged, LESS=$LESS"; cat\n')
    pager.chmod(0o755)
    shown = on_terminal(past, "logs", "web", PAGER=str(pager))
    assert shown.startswith("paged, LESS=FRX\n== web, ")
    assert "\x1b" not in shown
    assert on_terminal(past, "logs", "web", PAGER=str(pager), LESS="S").startswith("paged, LESS=S\n")


def test_a_terminal_without_pager_shows_warnings_in_colour_unless_told_otherwise(past: Past) -> None:
    shown = on_terminal(past, "logs", "web", PAGER="cat")
    assert "\x1b[33m2026-11-21 02:30:00+0000 warn  cncop: warning: 3 files vanished\x1b[0m" in shown
    assert "\x1b" not in on_terminal(past, "logs", "web", PAGER="cat", NO_COLOR="1")


def test_a_pager_that_ends_early_is_no_fault(past: Past) -> None:
    assert on_terminal(past, "logs", "web", PAGER="true") == ""
