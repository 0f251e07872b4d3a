"""Reports as values: what they tell, and that nothing that others wrote makes them large or unreadable."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cncopctl.core.outcome import Outcome
from cncopctl.core.report import exception_report, finished_report
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


HOSTILE = ["\x1b]0;owned\x07\x9b31m" * 2000, "\ud800\udfff\udc80" * 9000, "\0" * 100_000, "🐘" * 5_000_000]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_makes_a_report_large_or_unreadable(text: str) -> None:
    run: Any = replace(ENDED, title=text, phrase=text, hint=text, log=text, warnings=(text,) * 1000)
    for report in (finished_report(run), exception_report(run, text, 1, text.encode("utf-8", "replace"))):
        data = json.dumps(report)
        assert len(data) < 400_000
        assert json.loads(data.encode()) == report
        assert "\\ud800\\udfff" not in data.replace("\\\\", "")


def test_warnings_that_are_left_out_are_counted() -> None:
    run = replace(ENDED, warnings=tuple("w" * 999 for _ in range(100)))
    warnings = finished_report(run)["run"]["warnings"]
    assert warnings[:16] == ["w" * 999] * 16
    assert warnings[16:] == ["… and 84 more warnings"]
