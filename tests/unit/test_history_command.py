"""`cncopctl history`: the runs that have ended, newest first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from cncopctl.core.outcome import Outcome

from .past import HOUR, Past


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    made = Past(tmp_path_factory.mktemp("past"))
    made.job("a", made.daily(HOUR), title="Web server")
    made.run("a", 2 * HOUR, attempts=2, files=1234, bytes=5 * 2**30, phrase="fine", warnings=("x", "y"))
    made.run("a", 4 * HOUR, Outcome.ERROR, run_id="failed00" * 4, phrase="disk \x1b[31mfull", attempts=1)
    made.run("a", 3 * HOUR, Outcome.SKIPPED, phrase="paused")
    made.run("gone", 200 * HOUR, Outcome.ABORTED)
    return made


def test_the_newest_is_first_and_columns_are_aligned(past: Past) -> None:
    head, *rows = past.say("history").splitlines()
    assert head.split() == ["BEGAN", "JOB", "TOOK", "TRIES", "FILES", "SIZE", "RUN", "OUTCOME"]
    assert [row[head.index("JOB") :].split()[0] for row in rows] == ["a", "a", "a", "gone"]
    assert [row[head.index("OUTCOME") :] for row in rows] == [
        "OK fine (2 warnings)",
        "SKIPPED paused",
        "ERROR disk \\x1b[31mfull",
        "ABORTED",
    ]
    assert rows[0].startswith(
        f"{past.now - 2 * HOUR:%a %Y-%m-%d %H:%M:%S}  a     10min      2  1,234  5.0 GiB  "
    )
    assert "  failed00  ERROR" in rows[2]


@pytest.mark.parametrize(
    ("words", "outcomes"),
    [
        (["--failed"], ["ERROR", "ABORTED"]),
        (["a"], ["OK", "SKIPPED", "ERROR"]),
        (["web SERVER", "--failed"], ["ERROR"]),
        (["gone"], ["ABORTED"]),
        (["--since", "5h"], ["OK", "SKIPPED", "ERROR"]),
        (["--since", "2h 30min"], ["OK"]),
        (["-n", "1"], ["OK"]),
    ],
)
def test_what_is_shown_can_be_narrowed(past: Past, words: list[str], outcomes: list[str]) -> None:
    runs = json.loads(past.say("history", "--json", *words))
    assert [run["outcome"] for run in runs] == outcomes


def test_an_instant_may_be_said_by_the_clock(past: Past) -> None:
    runs = json.loads(past.say("history", "--json", "--since", (past.now - 3 * HOUR).isoformat()))
    assert [run["outcome"] for run in runs] == ["OK", "SKIPPED"]


def test_that_there_is_more_is_told(past: Past) -> None:
    assert (
        past.say("history", "--limit", "2").splitlines()[-1] == "… and older ones; show more with: --limit 8"
    )


def test_nothing_is_said_in_words(tmp_path: Path) -> None:
    empty = Past(tmp_path)
    assert empty.say("history") == "nothing has run yet; see: cncopctl jobs\n"
    assert empty.say("history", "--failed") == "no run has failed\n"
    assert empty.say("history", "--json") == "[]\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "soon"], '"soon" is no time'),
        (["b"], 'there is no job "b"'),
        (["--limit", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_is_asked_wrong_is_told(past: Past, words: list[str], said: str) -> None:
    assert said in past.say("history", *words, status=2)


def test_a_damaged_history_is_told_without_a_traceback(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.job("a", past.daily(HOUR))
    past.run("a", timedelta())
    past.layout.history.write_bytes(b"no database" * 99)
    said = past.say("history", status=12)
    assert "the history cannot be used: file is not a database\nhint: move it away" in said
