"""Runs and their progress, as JSON has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cncopctl.core.outcome import Outcome
from cncopctl.core.report import finished_report, report_name
from cncopctl.core.run import Progress, Run

BEGUN = Run("0" * 32, "web-01", "Web 🐘", datetime(2026, 3, 29, 2, 59, tzinfo=timezone(timedelta(hours=1))))
ENDED = Run(
    **{
        **{name: getattr(BEGUN, name) for name in ("id", "job", "title", "started")},
        "ended": datetime(2026, 3, 29, 3, 1, tzinfo=UTC),
        "outcome": Outcome.OK,
        "phrase": "3 files",
        "attempts": 2,
        "snapshot": "abc",
        "files": 3,
        "bytes": 2**40,
        "warnings": ("one", "two"),
    }
)


@pytest.mark.parametrize("run", [BEGUN, ENDED])
def test_a_run_survives_json(run: Run) -> None:
    assert Run.from_document(json.loads(json.dumps(run.document()))) == run


def test_what_is_not_known_is_left_out() -> None:
    assert not {"ended", "outcome"} & BEGUN.document().keys()


@pytest.mark.parametrize(
    "document",
    [{}, {"started": "yesterday"}, {**BEGUN.document(), "outcome": "GOOD"}, {**BEGUN.document(), "more": 1}],
)
def test_what_is_no_run_is_refused(document: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        Run.from_document(document)


@pytest.mark.parametrize(
    ("document", "fraction"),
    [
        ({"bytes_done": 1, "bytes_total": 4}, 0.25),
        ({"files_done": 1, "files_total": 2}, 0.5),
        ({"bytes_done": 1, "files_done": 1, "files_total": 2}, 0.5),
        ({"bytes_done": 9, "bytes_total": 4}, 1.0),
        ({"bytes_done": 1, "bytes_total": 0}, None),
        ({"bytes_done": "1", "bytes_total": -4}, None),
        ({"bytes_done": 10**400, "bytes_total": 1}, None),
        ({"bytes_done": True, "bytes_total": True}, None),
        ({}, None),
    ],
)
def test_how_much_is_done(document: dict[str, object], fraction: float | None) -> None:
    assert Progress.from_document(document).fraction() == fraction


def test_a_number_beyond_all_disks_is_not_told() -> None:
    assert Progress.from_document({"phrase": "copying", "bytes_done": 10**400}).sentence() == "copying"


def test_words_of_an_agent_are_cut_to_a_line() -> None:
    progress = Progress.from_document({"phase": "x" * 999, "phrase": None})
    assert (len(progress.phase), progress.phrase) == (200, "")


def test_a_report_has_the_run_and_an_id_of_its_own() -> None:
    report = finished_report(ENDED)
    assert (report["kind"], report["id"]) == ("JF", f"JF-{ENDED.id}")
    assert Run.from_document(report["run"]) == ENDED


def test_names_of_reports_sort_by_age_across_time_zones() -> None:
    assert report_name("JF", "r", BEGUN.started) == "JF-20260329T015900Z-r.json"
    assert report_name("JF", "r", BEGUN.started) < report_name(
        "JF", "r", ENDED.started + timedelta(seconds=1)
    )
