"""Reports as values: what they tell, and that nothing that others wrote makes them large or unreadable."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from report_schema import check_schema, valid_report

from cncopctl.core.outcome import Outcome
from cncopctl.core.report import exception_report, finished_report, report_name, statistics_report
from cncopctl.core.run import Run

BEGUN = Run("0123456789abcdef" * 2, "web-01", "Web", datetime(2026, 3, 29, 1, 59, tzinfo=UTC))
ENDED = replace(BEGUN, ended=datetime(2026, 3, 29, 3, 1, tzinfo=UTC), outcome=Outcome.ERROR)


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        (b"", ""),
        (b"no such table\n", "no such table\n"),
        (b"x" * 2048, "x" * 2048),
        (b"x" * 2049, "x" * 2048),
        ("ü".encode() * 1024, "ü" * 1024),
        (b"x" + "ü".encode() * 1024, "x" + "ü" * 1023),  # the last one would end one byte beyond
        (b"xx" + "🐘".encode() * 600, "xx" + "🐘" * 511),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"ends in \xf0\x9f", "ends in \\xf0\\x9f"),  # nothing was cut: it is all that there is
        (b"\xff" * 10_000_000, "\\xff" * 512),
        (b"a\0b", "a\\x00b"),
        ("\ud800".encode("utf-8", "surrogatepass"), "\\xed\\xa0\\x80"),
    ],
)
def test_the_first_2048_bytes_of_stderr_are_told_up_to_a_whole_character(stderr: bytes, told: str) -> None:
    exception = exception_report(ENDED, "dump", 3, stderr)["exception"]
    assert exception == {"command": "dump", "status": 3, "stderr": told, "is_cut": len(stderr) > 2048}
    assert len(told.encode()) <= 2048


def test_an_exception_is_tied_to_the_run_that_it_kept_from_beginning() -> None:
    report = exception_report(BEGUN, "dump", -9, b"killed")
    assert (report["kind"], report["id"]) == ("JE", f"JE-{BEGUN.id}")
    assert report["run"] == BEGUN.document()


HOSTILE = [
    "",
    "\x1b]0;owned\x07\x9b31m" * 2000,
    "\ud800\udfff\udc80" * 9000,
    "\0" * 100_000,
    "🐘" * 5_000_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_makes_a_report_large_or_unreadable(text: str) -> None:
    action: dict[str, Any] = {
        "name": text,
        "action": "backup",
        "outcome": "OK",
        "phrase": text,
        "snapshot": text,
    }
    action |= {"attempts": 1, "seconds": 1.5, "files": 1, "bytes": 1}
    words: Any = dict.fromkeys(("title", "phrase", "hint", "log", "snapshot"), text)
    run = replace(ENDED, warnings=(text,) * 1000, actions=(action,) * 50, **words)
    stderr = text.encode("utf-8", "replace")
    result = {"files_changed": text, "bytes_transferred": -1}
    for report in (
        finished_report(run),
        exception_report(run, text, 1, stderr),
        statistics_report(run, result),
    ):
        data = json.dumps(report, indent=1)
        assert valid_report(report_name(report["kind"], run.id, run.started), data) == report
        assert not re.search(r"(?<!\\)(\\\\)*\\u(0000|d800\\udfff)", data)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.SKIPPED])
def test_every_end_of_a_run_and_of_its_actions_is_a_report(outcome: Outcome) -> None:
    numbers = {"attempts": 0, "seconds": 0, "files": 0, "bytes": 0}
    action = {
        "name": "a",
        "action": "prune",
        "outcome": str(outcome),
        "phrase": "",
        "snapshot": "",
        **numbers,
    }
    for actions in ((), (action,)):
        run = replace(ENDED, outcome=outcome, actions=actions)
        for report in (
            finished_report(run),
            statistics_report(run, {}),
            exception_report(run, "dump", -64, b""),
        ):
            name = report_name(report["kind"], run.id, run.started)
            assert valid_report(name, json.dumps(report)) == report


def test_warnings_that_are_left_out_are_counted() -> None:
    run = replace(ENDED, warnings=tuple("w" * 999 for _ in range(100)))
    warnings = finished_report(run)["run"]["warnings"]
    assert warnings[:16] == ["w" * 999] * 16
    assert warnings[16:] == ["… and 84 more warnings"]
    many = finished_report(replace(ENDED, warnings=("w",) * 5000))["run"]["warnings"]
    assert many == ["w"] * 100 + ["… and 4900 more warnings"]


def test_the_schema_is_one_and_takes_a_virus_alert() -> None:
    check_schema()
    virus = {
        "found": "2026-03-29T06:00:00+00:00",
        "job": "web-01",
        "path": "/srv/a",
        "signature": "Eicar-Test",
    }
    report = {"report": 1, "kind": "VIRUS", "id": f"VIRUS-{BEGUN.id}", "virus": virus}
    assert valid_report(f"VIRUS-20260329T060000Z-{BEGUN.id}.json", json.dumps(report)) == report


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "JX"},
        {"id": "JE-0123456789abcdef0123456789abcdef"},
        {"id": "JF-x"},
        {"report": 2},
        {"more": 1},
        {"run": BEGUN.document()},  # has not ended
        {"run": ENDED.document() | {"outcome": "SKIPPED"}},
        {"run": ENDED.document() | {"files": -1}},
        {"run": ENDED.document() | {"started": "yesterday"}},
        {"run": ENDED.document() | {"job": "../../etc"}},
    ],
)
def test_what_is_no_report_is_refused(change: dict[str, Any]) -> None:
    name = report_name("JF", ENDED.id, ENDED.started)
    with pytest.raises(AssertionError):
        valid_report(name, json.dumps(finished_report(ENDED) | change))


def test_statistics_are_the_numbers_of_a_run() -> None:
    run = replace(ENDED, attempts=3, files=10, bytes=2**40, warnings=("a", "b"))
    told = statistics_report(run, {"files_changed": 4, "bytes_transferred": 2**70})["statistics"]
    assert told == {
        "outcome": "ERROR",
        "started": "2026-03-29T01:59:00+00:00",
        "ended": "2026-03-29T03:01:00+00:00",
        "seconds": 3720.0,
        "attempts": 3,
        "files": 10,
        "bytes": 2**40,
        "files_changed": 4,
        "warnings": 2,
    }


def test_a_run_during_which_the_clock_was_set_back_took_no_negative_time() -> None:
    run = replace(ENDED, ended=datetime(2020, 1, 1, tzinfo=UTC))
    assert statistics_report(run, {})["statistics"]["seconds"] == 0.0


def test_statistics_of_several_actions_are_theirs_too() -> None:
    action = {"name": "drill", "action": "verify", "outcome": "ERROR", "phrase": "no", "snapshot": ""}
    numbers = {"attempts": 2, "seconds": 1.5, "files": 3, "bytes": 4}
    report = statistics_report(replace(ENDED, actions=(action | numbers,)), {"files_changed": 9})
    told = report["statistics"]
    assert told["actions"] == [{"name": "drill", "action": "verify", "outcome": "ERROR"} | numbers]
    assert "files_changed" not in told
    assert valid_report(report_name("JS", BEGUN.id, BEGUN.started), json.dumps(report)) == report
