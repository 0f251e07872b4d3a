"""Logs of runs: their names, and which of them are pruned."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History
from cncopctl.edges.run_log import RunLog, logs_by_day, prune_logs
from cncopctl.verbs.prune_logs import prune
from cncopctl.verbs.run_output import RunOutput

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def aged(directory: Path, day: date, name: str = "") -> Path:
    """A log of that day, last written on it."""
    path = directory / (name or f"CA-{day:%y-%m-%d}_0230.log")
    path.write_text("x\n")
    at = datetime.combine(day, datetime.min.time()).timestamp() + 3 * 3600
    os.utime(path, (at, at))
    return path


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_runs_that_begin_in_one_minute_have_logs_of_their_own(tmp_path: Path) -> None:
    def make(_: int) -> str:
        log = RunLog.create(tmp_path, NOW)
        log.close()
        return log.path.name

    with ThreadPoolExecutor(8) as pool:
        names = sorted(pool.map(make, range(12)))
    stem = f"CA-{NOW.astimezone():%y-%m-%d_%H%M}"
    assert names == sorted([f"{stem}.log", *(f"{stem}-{number:03}.log" for number in range(1, 12))])


def test_a_minute_has_a_thousand_names(tmp_path: Path) -> None:
    stem = f"CA-{NOW.astimezone():%y-%m-%d_%H%M}"
    for number in range(1, 1000):
        (tmp_path / f"{stem}-{number:03}.log").touch()
    RunLog.create(tmp_path, NOW).close()
    with pytest.raises(FileExistsError, match="all thousand names of this minute are taken"):
        RunLog.create(tmp_path, NOW)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    link = tmp_path / "CA-26-11-21_0230.log"
    link.symlink_to("secret")
    with pytest.raises(OSError, match="symbolic links"):
        RunLog.reopen(link)


def test_logs_are_listed_by_day_and_in_the_order_of_their_making(tmp_path: Path) -> None:
    names = [
        "CA-26-11-20_0230-001.log",
        "CA-26-11-20_0230.log",
        "CA-26-11-20_0229.log",
        "CA-26-11-21_0000.log",
    ]
    for name in [*names, "CA-26-11-20_0230.log.gz", "CA-26-13-20_0230.log", "CA-26-11-20_0230-1.log", "x"]:
        (tmp_path / name).touch()
    assert list(logs_by_day(tmp_path).items()) == [
        (date(2026, 11, 21), ["CA-26-11-21_0000.log"]),
        (date(2026, 11, 20), ["CA-26-11-20_0229.log", "CA-26-11-20_0230.log", "CA-26-11-20_0230-001.log"]),
    ]
    assert logs_by_day(tmp_path / "missing") == {}
    for name in ("CA-70-01-01_0000.log", "CA-68-01-01_0000.log"):
        (tmp_path / name).touch()
    assert [day.year for day in logs_by_day(tmp_path)] == [2068, 2026, 2026, 1970]


def test_what_is_older_than_the_days_that_are_kept_goes(tmp_path: Path) -> None:
    days = [date(2026, 11, 21) - timedelta(days=number) for number in range(100)]
    for day in days:
        aged(tmp_path, day)
    foreign = aged(tmp_path, days[-1], "notes.log")
    removed = prune_logs(tmp_path, 90, frozenset)
    assert sorted(removed) == sorted(f"CA-{day:%y-%m-%d}_0230.log" for day in days[92:])
    assert foreign.exists()
    assert prune_logs(tmp_path, 90, frozenset) == []


def test_a_log_in_use_stays_however_old_it_is(tmp_path: Path) -> None:
    aged(tmp_path, date(2026, 11, 21))
    aged(tmp_path, date(2026, 11, 20))
    used = aged(tmp_path, date(2026, 1, 1))
    log = RunLog.reopen(used)
    assert prune_logs(tmp_path, 90, frozenset) == []
    log.close()
    assert prune_logs(tmp_path, 90, frozenset) == [used.name]


def test_a_log_that_was_written_to_since_stays(tmp_path: Path) -> None:
    aged(tmp_path, date(2026, 11, 21))
    aged(tmp_path, date(2026, 11, 20))
    long_run = aged(tmp_path, date(2026, 1, 1))
    os.utime(long_run, (NOW.timestamp(), NOW.timestamp()))
    assert prune_logs(tmp_path, 90, frozenset) == []


def test_what_is_to_be_kept_is_kept(tmp_path: Path) -> None:
    for day in (date(2026, 11, 21), date(2026, 11, 20), date(2026, 1, 1), date(2026, 1, 2)):
        aged(tmp_path, day)
    assert prune_logs(tmp_path, 90, lambda: {"CA-26-01-01_0230.log"}) == ["CA-26-01-02_0230.log"]


def test_a_clock_that_is_wrong_for_a_day_costs_no_log(tmp_path: Path) -> None:
    for number in range(80):
        aged(tmp_path, date(2026, 11, 21) - timedelta(days=number))
    aged(tmp_path, date(2036, 1, 1))
    aged(tmp_path, date(2036, 1, 1), "CA-36-01-01_0600.log")
    assert prune_logs(tmp_path, 90, frozenset) == []


@pytest.mark.parametrize("days", [10**7, 10**12])
def test_for_ever_is_long(tmp_path: Path, days: int) -> None:
    for number in range(3):
        aged(tmp_path, date(2026, 11, 21) - timedelta(days=number))
    assert prune_logs(tmp_path, days, frozenset) == []


def test_a_log_that_cannot_be_made_keeps_nothing_from_being_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with RunOutput.begin(tmp_path / "missing", "a", "r", NOW) as output:
        output.voice("agent")(b"copying\n")
        assert "the log cannot be written: " in output.fault
        assert output.path == ""
    assert capfd.readouterr().err.splitlines()[1:] == ["copying"]


def test_a_full_disk_is_told_and_the_rest_is_still_said(capfd: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    with RunOutput.resume(str(full), "a", "r") as output:
        hear = output.voice("agent")
        hear(b"one\n")
        hear(b"two\nwithout end")
        assert output.fault == "the log cannot be written: /dev/full: No space left on device"
    assert capfd.readouterr().err.splitlines() == [output.fault, "one", "two", "without end"]


def test_the_log_of_a_last_failure_stays(tmp_path: Path) -> None:
    layout = Layout.directory(tmp_path)
    for directory in (layout.logs, layout.compiled_jobs):
        directory.mkdir(parents=True)
    for number in range(12):
        aged(layout.logs, date(2026, 11, 21) - timedelta(days=number))
    for name, outcome, day in (("a", Outcome.ERROR, 11), ("a", Outcome.OK, 10), ("gone", Outcome.ERROR, 12)):
        log = layout.logs / f"CA-26-11-{day}_0230.log"
        run = Run(f"{name}{day}", name, name, NOW - timedelta(days=21 - day), outcome=outcome, log=str(log))
        History(layout.history).add(run)
    (layout.compiled_jobs / "a.toml").touch()
    assert prune(layout, 90) == ""
    assert prune(layout, 7) == "2 old logs were removed"
    assert left(layout.logs) == [f"CA-26-11-{day}_0230.log" for day in (11, *range(13, 22))]


def test_a_history_that_cannot_be_read_costs_no_log(tmp_path: Path) -> None:
    layout = Layout.directory(tmp_path)
    for directory in (layout.logs, layout.state):
        directory.mkdir(parents=True)
    for number in range(12):
        aged(layout.logs, date(2026, 11, 21) - timedelta(days=number))
    layout.history.write_bytes(b"no database" * 99)
    assert prune(layout, 7).startswith(f"old logs are not removed: {layout.history}: ")
    assert len(left(layout.logs)) == 12
