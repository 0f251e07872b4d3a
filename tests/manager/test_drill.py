"""Guard and drills as runs: what they find is as loud as a backup that failed, and is told to whoever looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager

DRILL = {
    "id": "drill",
    "schedule": "30 5 1 1 *",
    "actions": [{"action": "verify", "of": "a", "max_age": "1d", "min_files": 2}],
    "max_retries": 0,
}


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    return Installation(manager)


@pytest.fixture
def source(cncop: Installation) -> Path:
    """The source of job `a`, which is synced with its drill."""
    directory = cncop.manager.home / "source"
    directory.mkdir()
    for name in ("one", "two", "three"):
        (directory / name).write_text(name)
    destination = str(cncop.manager.home / "backup")
    backup = job("a", source=str(directory), destination=destination, keep={"last": 1}, max_retries=0)
    cncop.synced(backup, DRILL)
    return directory


def run(cncop: Installation, job_id: str, status: int = 0) -> dict[str, Any]:
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "--json", job_id, check=False)
    assert done.returncode == status, done
    (told,) = json.loads(done.stdout)
    return dict(told)


def test_a_drill_with_a_schedule_of_its_own_is_as_loud_as_a_backup(cncop: Installation, source: Path) -> None:
    run(cncop, "a")
    good = run(cncop, "drill")
    assert good["phrase"].startswith("repository sound, all data read; 3 files (11 bytes) restored in ")
    (samples,) = (cncop.manager.home / "backup/proof/samples").iterdir()
    samples.write_text(samples.read_text().replace('"path": "one"', '"path": "lost"'))
    bad = run(cncop, "drill", status=3)
    assert (bad["outcome"], bad["phrase"]) == (
        "ERROR",
        "the drill failed: lost was not restored: No such file or directory",
    )
    last = {found["job"]: found["outcome"] for found in cncop.history()}
    assert last == {"a": "OK", "drill": "ERROR"}
    assert [report["outcome"] for report in cncop.reports() if report["job"] == "drill"] == ["OK", "ERROR"]


def test_a_source_that_is_suddenly_empty_is_an_error_until_somebody_accepts_it(
    cncop: Installation, source: Path
) -> None:
    first = run(cncop, "a")
    for path in source.iterdir():
        path.unlink()
    refused = run(cncop, "a", status=3)
    assert refused["phrase"] == (
        "the source is empty; the last backup had 3 files, 11 B: no snapshot was taken, and old ones are kept"
    )
    assert refused["hint"].endswith("cncopctl accept a")
    assert cncop.manager.run(CNCOPCTL, "accept", "--user", "a").stdout == (
        "a: accepted: 0 files, 0 bytes are usual from now on\n"
    )
    accepted = run(cncop, "a")
    assert accepted["warnings"] == ["the source is empty, so there is nothing to take a snapshot of"]
    shown = json.loads(cncop.manager.run(CNCOPCTL, "snapshots", "--user", "--json", "a").stdout)
    assert [snapshot["id"] for snapshot in shown] == [first["snapshot"]]
