"""The close of a run on a real file system: killed, repeated, and with places that cannot be written."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from report_schema import valid_report

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.dispatcher.close import close
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.aborts import note_abort, person, take_abort
from cncopctl.edges.history import History
from cncopctl.edges.run_files import RunFiles

from .killed import killed_at_each_line

ID = "0123456789abcdef" * 2
RUN = Run(ID, "web-01", "Web", datetime(2026, 3, 1, 2, tzinfo=UTC), attempts=1, log="/logs/CA.log")
OK = replace(RUN, ended=datetime(2026, 3, 1, 3, tzinfo=UTC), outcome=Outcome.OK, phrase="done", files=7)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("INVOCATION_ID", ID)
    monkeypatch.setenv("SERVICE_RESULT", "signal")
    monkeypatch.setenv("EXIT_STATUS", "KILL")
    run_id.cache_clear()
    made = Layout.directory(tmp_path)
    for directory in (made.messages, made.runs, made.logs):
        directory.mkdir(parents=True)
    return made


def job() -> CompiledJob:
    values: dict[str, Any] = {
        "id": "web-01",
        "title": "Web",
        "type": "RSYNC",
        "direction": "PULL",
        "source": "/srv",
    }
    values |= {"destination": "/srv/b", "exclude": [], "catch_up": True}
    values |= {"max_retries": 0, "retry_interval": 60, "timeout": 3600}
    document = {
        "compiled": 1,
        "agent": "/bin/true",
        "role": "LOCAL",
        "schedules": [],
        "schedule_since": datetime(2026, 3, 1, tzinfo=UTC),
        "job": values,
    }
    return CompiledJob.from_document(document)


def reports(layout: Layout) -> dict[str, dict[str, Any]]:
    """The reports that wait, by their names; each is valid."""
    return {path.name: valid_report(path.name, path.read_text()) for path in layout.messages.glob("*.json")}


@pytest.mark.parametrize("noted", [OK, RUN], ids=["ended", "killed"])
def test_a_close_that_is_killed_at_any_line_and_repeated_tells_the_same_once(
    layout: Layout, noted: Run
) -> None:
    files = RunFiles(layout.runs, ID)
    files.write_run(noted.document())
    files.result.write_text('{"files_changed": 3}')
    ends, kills = set(), 0
    for _ in killed_at_each_line(lambda: close(layout, job())):
        kills += 1
        found = reports(layout)
        ends |= {json.dumps(report, sort_keys=True) for report in found.values()}
        if not layout.runs.joinpath(ID, "run.json").exists():
            break  # nothing is left to be done: whoever looks for open runs finds none
    close(layout, job()) if (layout.runs / ID).exists() else None
    assert kills > 60
    assert len(ends) == 2  # one JS and one JF, whenever they were written
    assert sorted(name[:2] for name in reports(layout)) == ["JF", "JS"]
    (told,) = [report["run"] for name, report in reports(layout).items() if name.startswith("JF")]
    assert History(layout.history).find(ID) == [Run.from_document(told)]
    assert told["outcome"] == ("OK" if noted is OK else "ABORTED")
    assert [name for name in os.listdir(layout.messages) if not name.endswith(".json")] == []


def test_statistics_have_what_the_agent_has_told(layout: Layout) -> None:
    files = RunFiles(layout.runs, ID)
    files.write_run(OK.document())
    files.result.write_text('{"files_changed": 3, "bytes_transferred": "many"}')
    assert close(layout, job()) == 0
    (told,) = [report["statistics"] for name, report in reports(layout).items() if name.startswith("JS")]
    assert (told["files"], told["files_changed"], told["seconds"]) == (7, 3, 3600.0)
    assert "bytes_transferred" not in told
    assert os.listdir(layout.runs) == []


def test_a_spool_that_cannot_be_written_keeps_the_run_open_until_it_can(
    layout: Layout, capfd: pytest.CaptureFixture[str]
) -> None:
    log = layout.logs / "CA-26-03-01_0200.log"
    log.touch()
    run = replace(OK, log=str(log))
    RunFiles(layout.runs, ID).write_run(run.document())
    layout.messages.rmdir()
    layout.messages.touch()
    assert close(layout, job()) == 1
    assert f"not closed: {layout.messages}" in capfd.readouterr().err
    assert (layout.runs / ID / "run.json").exists()
    assert History(layout.history).find(ID) == [run]
    layout.messages.unlink()
    layout.messages.mkdir()
    assert close(layout, job()) == 0
    assert len(reports(layout)) == 2
    assert os.listdir(layout.runs) == []
    assert History(layout.history).find(ID) == [run]


def test_a_log_that_cannot_be_written_any_more_is_told_once(layout: Layout) -> None:
    RunFiles(layout.runs, ID).write_run(replace(OK, log=str(layout.logs / "gone.log")).document())
    layout.messages.rmdir()
    assert close(layout, job()) == 1
    layout.messages.mkdir()
    assert close(layout, job()) == 0
    (told,) = [report["run"] for name, report in reports(layout).items() if name.startswith("JF")]
    assert told["warnings"] == [f"the log cannot be written: {told['log']}: No such file or directory"]


def test_a_run_whose_end_cannot_be_noted_says_why(layout: Layout) -> None:
    layout.runs.rmdir()
    layout.runs.touch()
    os.environ["SERVICE_RESULT"], os.environ["EXIT_STATUS"] = "exit-code", "1"
    assert close(layout, job()) == 1
    (told,) = [report["run"] for name, report in reports(layout).items() if name.startswith("JF")]
    assert told["outcome"] == "ERROR"
    assert "its state cannot be written: " in told["phrase"]
    assert History(layout.history).find(ID) == [Run.from_document(told)]


def test_a_log_says_once_how_its_run_has_ended_however_often_it_is_closed(
    layout: Layout, capfd: pytest.CaptureFixture[str]
) -> None:
    log = layout.messages.parent / "CA.log"
    log.touch()
    RunFiles(layout.runs, ID).write_run(replace(OK, log=str(log)).document())
    layout.messages.rmdir()
    layout.messages.touch()
    assert [close(layout, job()) for _ in range(3)] == [1, 1, 1]
    layout.messages.unlink()
    layout.messages.mkdir()
    assert close(layout, job()) == 0
    first, last = log.read_text().splitlines()
    assert " error cncop: not closed: " in first
    assert last.endswith(" info  cncop: web-01: OK: done")
    assert capfd.readouterr().err.count("web-01: not closed: ") == 2  # where there is no journal


@pytest.mark.parametrize(
    ("who", "said"),
    [("ann with cncopctl job abort", "by ann with cncopctl job abort"), ("", "by a signal from elsewhere")],
)
def test_an_aborted_run_says_who_has_stopped_it(layout: Layout, who: str, said: str) -> None:
    stopped = replace(OK, outcome=Outcome.ABORTED, phrase="was stopped before it was done", log="")
    RunFiles(layout.runs, ID).write_run(stopped.document())
    if who:
        note_abort(layout.aborts, "web-01", who)
    close(layout, job())
    (run,) = History(layout.history).find(ID)
    assert run.phrase == f"was stopped before it was done, {said}"
    assert take_abort(layout.aborts, "web-01") == ""


def test_the_person_behind_sudo_is_named() -> None:
    own = pwd.getpwuid(os.getuid()).pw_name
    assert person({}) == own
    assert person({"SUDO_USER": "ann"}) == ("ann" if os.getuid() == 0 else own)
