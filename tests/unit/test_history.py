"""The history of runs, in a real database."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cncopctl.core.errors import InstallError
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History

BEGUN = datetime(2020, 3, 1, tzinfo=UTC)


def run(run_id: str, job: str = "a", hours: int = 0, outcome: Outcome = Outcome.OK) -> Run:
    started = BEGUN + timedelta(hours=hours)
    return Run(run_id, job, job, started, ended=started, outcome=outcome)


def test_there_is_no_history_before_the_first_run(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    assert History(path).last_runs() == {}
    assert History(path).find("x") == []
    assert not path.exists()


@pytest.mark.parametrize("name", ["history.sqlite", "100%?x=#1.sqlite", "ü 🐘.sqlite"])
def test_a_run_is_found_again_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    history = History(tmp_path / name)
    history.add(run("1"))
    assert history.find("1") == [run("1")]
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


def test_runs_are_found_newest_first_by_job_outcome_and_age(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    for number, outcome in enumerate([Outcome.OK, Outcome.ERROR, Outcome.SKIPPED, Outcome.RERUN], 1):
        history.add(run(f"a{number}", hours=number, outcome=outcome))
        history.add(run(f"b{number}", "b", hours=number))
    found = [each.id for each in history.runs()]
    assert found == ["a4", "b4", "a3", "b3", "a2", "b2", "a1", "b1"]
    assert [each.id for each in history.runs(["a"], failed=True)] == ["a4", "a2"]
    assert [each.id for each in history.runs(["a", "b"], limit=3)] == ["a4", "b4", "a3"]
    assert [each.id for each in history.runs(["c"])] == []
    zone = timezone(timedelta(hours=5))
    since = (BEGUN + timedelta(hours=3)).astimezone(zone)
    assert [each.id for each in history.runs(["a"], since=since)] == ["a4", "a3"]
    assert [each.id for each in history.find("a")] == ["a4", "a3", "a2", "a1"]
    assert history.find("%") == []


def test_the_last_run_of_each_kind_is_told(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    for number, outcome in enumerate([*Outcome, *Outcome], 1):
        history.add(run(f"{number}", hours=number, outcome=outcome))
    assert history.last_good_runs()["a"].id == "6"
    assert history.last_failures()["a"].id == "10"
    assert history.last_skipped_runs()["a"].id == "9"
    history.add(run("b", "b"))
    assert set(history.last_good_runs(["b", "c"])) == set(history.usual_durations(jobs=["b", "c"])) == {"b"}


def test_a_run_by_a_clock_that_was_ahead_hides_none_that_comes_after(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    ahead = datetime.now(UTC) + timedelta(days=3650)
    history.add(replace(run("ahead"), started=ahead, ended=ahead))
    history.add(run("now"))
    assert history.last_runs()["a"].id == history.last_good_runs()["a"].id == "now"
    assert history.since("a", BEGUN) == run("now")
    assert not history.has_run_since("a", BEGUN + timedelta(hours=1))
    assert [each.id for each in history.runs()] == ["ahead", "now"]


def kept(path: Path, *runs: Run, days: int) -> set[str]:
    history = History(path)
    for each in runs:
        assert history.add(each, days) == ""
    return {each.id for each in history.runs()}


def test_the_history_goes_back_as_many_days_as_are_asked_for(tmp_path: Path) -> None:
    daily = [run(f"d{day}{hour}", hours=24 * day + hour) for day in range(9) for hour in (1, 2)]
    left = {"d61", "d62", "d71", "d72", "d81", "d82"}
    assert kept(tmp_path / "h", *daily, days=3) == left
    assert len(kept(tmp_path / "i", *daily, days=9)) == 18


def test_the_last_run_of_each_outcome_of_a_job_stays_however_old_it_is(tmp_path: Path) -> None:
    old = [
        run("first", "rare"),
        run("rare", "rare", hours=1),
        run("failed", "rare", hours=2, outcome=Outcome.ERROR),
        run("skipped", "b", outcome=Outcome.SKIPPED),
        run("good", "b"),
    ]
    daily = [run(f"d{day}", hours=24 * day) for day in range(1, 9)]
    assert kept(tmp_path / "h", *old, *daily, days=1) == {"rare", "failed", "skipped", "good", "d8"}


def test_a_clock_that_was_ahead_costs_a_day_of_the_history(tmp_path: Path) -> None:
    daily = [run(f"d{day}", hours=24 * day) for day in range(9)]
    ahead = replace(run("ahead", hours=24 * 5), started=datetime.now(UTC) + timedelta(days=3650))
    assert kept(tmp_path / "h", *daily[:6], ahead, *daily[6:], days=4) == {"d6", "d7", "d8", "ahead"}


def test_a_history_of_the_first_version_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE run (id TEXT PRIMARY KEY, job TEXT NOT NULL, started TEXT NOT NULL,"
            " outcome TEXT NOT NULL, document TEXT NOT NULL) STRICT;"
            "CREATE INDEX run_of_job ON run (job, started);"
        )
        row = ("1", "a", BEGUN.isoformat(), "OK", json.dumps(run("1").document()))
        database.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?)", row)
        database.commit()
    history = History(path)
    assert history.runs() == [run("1")]
    history.add(run("2", hours=1))
    assert [each.id for each in history.runs()] == ["2", "1"]
    with contextlib.closing(sqlite3.connect(path)) as database:
        indexes = {
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        }
        assert indexes >= {"run_of_job", "run_by_time", "failed_run"}
        assert database.execute("PRAGMA user_version").fetchone() == (4,)


def test_what_a_later_version_notes_is_no_fault(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    history.add(run("1"))
    with contextlib.closing(sqlite3.connect(tmp_path / "h")) as database:
        document = json.dumps({**run("1").document(), "colour": "blue"})
        database.execute("ALTER TABLE run ADD COLUMN colour TEXT")
        database.execute("UPDATE run SET document = ?", (document,))
        database.execute("PRAGMA user_version = 99")
        database.commit()
    assert history.runs() == [run("1")]
    assert history.add(run("2")) == ""


def test_an_empty_file_is_an_empty_history(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.touch()
    assert History(path).runs() == []
    assert History(path).add(run("1")) == ""
    assert History(path).runs() == [run("1")]


WRITER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History
path, name, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
now = datetime.now(UTC)
for each in range(number):
    told = History(path).add(Run(f"{name}-{each}", name, name, now, ended=now, outcome=Outcome.OK))
    print(each, told, flush=True)
"""


def writer(path: Path, name: str, number: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, str(path), name, str(number)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_many_close_at_once_and_none_is_lost(tmp_path: Path) -> None:
    writers = [writer(tmp_path / "h", f"w{number}", 10) for number in range(6)]
    said = [each.communicate(timeout=120)[0] for each in writers]
    assert said == ["".join(f"{number} \n" for number in range(10))] * 6
    assert len(History(tmp_path / "h").runs()) == 60


def test_what_was_added_is_there_also_after_a_kill(tmp_path: Path) -> None:
    killed = writer(tmp_path / "h", "w", 1_000_000)
    assert killed.stdout
    seen = [killed.stdout.readline() for _ in range(20)][-1]
    killed.kill()
    killed.communicate()
    assert {each.id for each in History(tmp_path / "h").runs()} >= {f"w-{number}" for number in range(20)}
    assert seen == "19 \n"


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)


def test_a_damaged_history_says_what_to_do_and_loses_no_run(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    damaged(path)
    told = History(path).add(run("1"))
    assert f"{path}: the history cannot be used: file is not a database" in told
    assert f"the run is kept in {tmp_path}/unrecorded" in told
    assert f"mv {path} {path}.damaged" in told
    with pytest.raises(InstallError, match="the history cannot be used"):
        History(path).runs()
    path.unlink()
    assert History(path).add(run("2", hours=1)) == ""
    assert [each.id for each in History(path).runs()] == ["2", "1"]
    assert list((tmp_path / "unrecorded").iterdir()) == []


def test_a_locked_history_loses_no_run(tmp_path: Path) -> None:
    path = tmp_path / "h"
    history = History(path, patience=0.1)
    history.add(run("1"))
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "another program has it locked: fuser -v" in history.add(run("2", hours=1))
        with pytest.raises(InstallError, match="database is locked"):
            history.runs()
    assert [each.id for each in history.runs()] == ["1"]
    history.add(run("3", hours=2))
    assert [each.id for each in history.runs()] == ["3", "2", "1"]


def test_what_waits_and_is_no_run_keeps_no_run_from_being_added(tmp_path: Path) -> None:
    waiting = tmp_path / "unrecorded"
    waiting.mkdir()
    for name, text in {"a": "{", "b": "[]", "c": '{"id": "x"}'}.items():
        (waiting / f"{name}.json").write_text(text)
    assert History(tmp_path / "h").add(run("1")) == ""
    assert len(list(waiting.iterdir())) == 3


def test_a_run_that_can_be_kept_nowhere_is_an_error_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    damaged(path)
    (tmp_path / "unrecorded").write_text("in the way")
    with pytest.raises(OSError, match="File exists"):
        History(path).add(run("1"))
