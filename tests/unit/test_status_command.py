"""`cncopctl status`: one screen, the worst first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from cncopctl.core.outcome import Outcome

from .past import HOUR, Past


def test_it_shows_what_runs_what_is_wrong_what_is_kept_from_running_and_what_is_next(tmp_path: Path) -> None:
    past = Past(tmp_path)
    for job in ("fine", "failed", "paused", "runs"):
        past.job(job, past.daily(3 * HOUR))
        past.run(
            job, 3 * HOUR - timedelta(minutes=1), Outcome.ERROR if job == "failed" else Outcome.OK, phrase="x"
        )
    past.say("pause", "paused")
    run = past.layout.runs / "r1"
    run.mkdir(parents=True)
    (run / "run.json").write_text(
        json.dumps({"id": "r1", "job": "runs", "title": "runs", "started": past.now.isoformat()})
    )
    (run / "progress.json").write_text(
        json.dumps({"phrase": "copying\x1b[2J", "bytes_done": 1, "bytes_total": 2})
    )
    blocks = past.say("status", status=3).split("\n\n")
    assert blocks[0] == "4 jobs: 1 running, 1 wrong, 1 kept from running"
    assert [block.splitlines()[0].strip() for block in blocks[1:]] == [
        "RUNNING",
        "WRONG",
        "KEPT FROM RUNNING",
        "NEXT",
    ]
    assert blocks[1].splitlines()[1] == "runs     copying\\x1b[2J, 50%, 1 B"
    assert "failed  CRITICAL ERROR 2h 49min ago: x" in blocks[2]
    assert blocks[3].splitlines()[1].split(maxsplit=1) == ["paused", "paused until it is resumed"]
    assert len(blocks[4].splitlines()) == 5


def test_many_of_a_kind_still_fit_on_a_screen(tmp_path: Path) -> None:
    past = Past(tmp_path)
    for number in range(40):
        past.job(f"j{number}", past.daily(3 * HOUR))
    lines = past.say("status", status=3).splitlines()
    assert len(lines) < 24
    assert "… and 34 more: cncopctl check-backups" in lines
    told = json.loads(past.say("status", "--json", status=3))
    assert {(job["state"], job["running"]) for job in told["jobs"]} == {("CRITICAL", False)}


def test_without_jobs_it_says_so(tmp_path: Path) -> None:
    assert (
        Past(tmp_path).say("status")
        == "no jobs are installed: write a profile, then run cncopctl sync-profile\n"
    )
