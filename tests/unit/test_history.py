"""The history of runs, in a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)


def run(run_id: str, job: str = "a", hours: int = 0, outcome: Outcome = Outcome.OK) -> Run:
    started = BEGUN + timedelta(hours=hours)
    return Run(run_id, job, job, started, ended=started, outcome=outcome)


def test_there_is_no_history_before_the_first_run(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    assert History(path).last_runs() == {}
    assert History(path).find("x") is None
    assert not path.exists()


@pytest.mark.parametrize("name", ["history.sqlite", "100%?x=#1.sqlite", "ü 🐘.sqlite"])
def test_a_run_is_found_again_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    history = History(tmp_path / name)
    history.add(run("1"))
    assert history.find("1") == run("1")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_close_may_be_repeated(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    history.add(run("1"))
    history.add(replace(run("1"), phrase="again"))
    assert history.last_runs() == {"a": replace(run("1"), phrase="again")}


def test_the_last_run_of_each_job_is_the_newest_that_was_not_skipped(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    for each in (
        run("1", hours=5),
        run("2", hours=1, outcome=Outcome.ERROR),
        run("3", hours=9, outcome=Outcome.SKIPPED),
        run("4", "b", outcome=Outcome.ABORTED),
        run("5", "c", outcome=Outcome.SKIPPED),
    ):
        history.add(each)
    assert {job: last.id for job, last in history.last_runs().items()} == {"a": "1", "b": "4"}


def test_a_job_usually_takes_the_median_of_its_last_good_runs(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    assert history.usual_durations() == {}
    taken = {1: 500, 2: 10, 3: 30, 4: 20}
    for hour, minutes in taken.items():
        begun = run(f"a{hour}", hours=hour)
        history.add(replace(begun, ended=begun.started + timedelta(minutes=minutes)))
    failed = run("failed", hours=9, outcome=Outcome.ERROR)
    history.add(replace(failed, ended=failed.started + timedelta(days=9)))
    history.add(run("b", "b", outcome=Outcome.SKIPPED))
    history.add(run("c", "c"))
    assert history.usual_durations() == {"a": timedelta(minutes=25), "c": timedelta()}
    assert history.usual_durations(last=3)["a"] == timedelta(minutes=20)


def test_a_damaged_history_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
    with pytest.raises(OSError, match="the history cannot be used") as caught:
        History(path).add(run("1"))
    assert caught.value.filename == str(path)
