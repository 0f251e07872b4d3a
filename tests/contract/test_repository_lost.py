"""What was there before and is not: an empty mount point, snapshots that are gone, or of a clock that jumped."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from conftest import AGENTS, Asker
from test_repository_commands import Cncop


@pytest.fixture
def agent() -> Path:
    """One agent stands for all: what is tested here is the same for every one that pulls."""
    return AGENTS / "backupagentrsync"


@pytest.fixture
def kept(asker: Asker, small_tree: Path) -> Asker:
    """An agent whose job has a backup."""
    asker.job |= {"source": str(small_tree), "keep": {"last": 1}}
    asker.backup()
    return asker


def test_a_destination_that_became_empty_is_an_error_and_stays_empty(kept: Asker) -> None:
    """It is a mount point, and its disk is not mounted."""
    kept.destination.rename(kept.directory / "disk")
    kept.destination.mkdir()
    for _ in range(2):
        outcome = kept.ask("backup")
        said = f"{kept.destination} is empty, and backups of this job were in it"
        assert (outcome.status, outcome.phrase) == (1, said), outcome
        assert list(kept.destination.iterdir()) == []
    assert outcome.hint.endswith(f"install -d -m 700 {kept.destination}/repository")
    (kept.destination / "repository").mkdir(mode=0o700)
    kept.backup()


def test_snapshots_that_are_gone_are_told_once(kept: Asker) -> None:
    for snapshot in (kept.destination / "repository" / "snapshots").iterdir():
        snapshot.unlink()
    (warning,) = kept.backup().result["warnings"]
    assert warning.endswith("repository any more: the history begins anew")
    assert kept.backup().result["warnings"] == []


def test_nothing_is_removed_while_there_is_a_snapshot_of_the_future(kept: Asker) -> None:
    """By `last = 1` it would be the only one to stay, and each new one would go as soon as it is made."""
    (future,) = (kept.destination / "repository" / "snapshots").iterdir()
    os.utime(future, (time.time() + 86400,) * 2)
    outcome = kept.backup()
    (warning,) = outcome.result["warnings"]
    assert warning.startswith("old snapshots were not removed: there is a snapshot of 2")
    assert {snapshot["id"] for snapshot in kept.snapshots()} == {future.name, outcome.result["snapshot"]}
    pruned = kept.ask("prune")
    assert (pruned.status, pruned.hint.startswith("put it right")) == (1, True), pruned


def test_a_job_that_was_removed_with_its_backups_can_come_back(small_tree: Path, tmp_path: Path) -> None:
    profile, backups = tmp_path / "root" / "Config" / "profile.toml", tmp_path / "backups"
    profile.parent.mkdir(parents=True)
    job = f'[[job]]\nid = "etc"\ntype = "RSYNC"\nschedule = "@daily"\nsource = "{small_tree}"\n'
    cncop = Cncop(tmp_path / "root", small_tree)
    for text in (job, "", job):
        profile.write_text(f'schema = 1\n{text}destination = "{backups}"\n' if text else "schema = 1\n")
        cncop.run("sync-profile")
        if text:
            cncop.back_up()
            assert [path.name for path in (cncop.root / "State/cache/places").iterdir()] == ["etc"]
        else:
            shutil.rmtree(backups)
