"""Locks: what is dead is not in the way, what lives is left alone, and nobody prunes under anybody's feet."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from conftest import AGENTS, Asker
from test_contract_interruption import holding_a_lock


@pytest.fixture
def agent() -> Path:
    """One agent stands for all: what is tested here is the same for every one that pulls."""
    return AGENTS / "backupagentrsync"


def locks(asker: Asker) -> list[Path]:
    return list((asker.destination / "repository" / "locks").iterdir())


def test_a_dead_lock_whose_process_number_another_program_has_is_removed(
    asker: Asker, small_tree: Path
) -> None:
    # In a process namespace of its own restic is process 1, as the init of this machine is outside.
    alone = ["unshare", "--pid", "--fork", "--kill-child", *([] if os.geteuid() == 0 else ["-r"])]
    holder = holding_a_lock(asker, alone)
    holder.kill()
    holder.communicate()
    assert len(locks(asker)) == 1
    outcome = asker.backup(job={"source": str(small_tree), "keep": {"last": 1}})
    assert outcome.result["warnings"] == []
    assert locks(asker) == []


def test_the_lock_of_a_dead_process_that_nobody_reaped_is_removed(asker: Asker, small_tree: Path) -> None:
    holder = holding_a_lock(asker)
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    outcome = asker.backup(job={"source": str(small_tree), "keep": {"last": 1}})
    holder.communicate()
    assert outcome.result["warnings"] == []
    assert locks(asker) == []


def test_a_lock_that_a_killed_restic_had_half_written_is_in_nobodys_way(
    asker: Asker, small_tree: Path
) -> None:
    """It writes each file under a name of its own, `<id>-tmp-<number>`, and renames it."""
    half = asker.destination / "repository" / "locks" / f"{'0' * 64}-tmp-123456789"
    half.write_bytes(b"half")
    job = {"source": str(small_tree), "keep": {"last": 1}}
    assert asker.backup(job=job).result["warnings"] == []
    holder = holding_a_lock(asker)
    assert asker.ask("prune", job=job).status == 75
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert asker.ask("prune", job=job).status == 0
    holder.communicate()


def test_a_living_lock_stays_and_the_backup_is_made_all_the_same(asker: Asker, small_tree: Path) -> None:
    holder = holding_a_lock(asker)
    outcome = asker.ask("backup", job={"source": str(small_tree), "keep": {"last": 1}})
    left = len(locks(asker))
    holder.kill()
    holder.communicate()
    assert (outcome.status, left) == (0, 1), outcome
    (warning,) = outcome.result["warnings"]
    assert warning.startswith("old snapshots were not removed: the repository at ")


@pytest.mark.parametrize("keep", [{"last": 1}])
def test_nothing_is_pruned_while_somebody_reads(asker: Asker, small_tree: Path, keep: dict[str, int]) -> None:
    job = {"source": str(small_tree), "keep": keep}
    asker.backup(job=job)
    with (asker.destination / "proof" / "lock").open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        backup = asker.backup(job=job)
        prune = asker.ask("prune", job=job)
        verify = asker.ask("verify", job=job)
    said = "the repository is in use: a restore, a drill or another run is reading it"
    assert backup.result["warnings"] == [f"old snapshots were not removed: {said}"]
    assert (prune.status, prune.phrase) == (75, said)
    assert verify.status == 0, verify
    assert len(asker.snapshots()) == 2
    assert asker.ask("prune", job=job).phrase == "1 snapshot removed, 1 kept"


def test_nobody_reads_while_something_is_pruned(asker: Asker, small_tree: Path, tmp_path: Path) -> None:
    job = {"source": str(small_tree)}
    asker.backup(job=job)
    with (asker.destination / "proof" / "lock").open() as pruner:
        fcntl.flock(pruner, fcntl.LOCK_EX)
        outcomes = [
            asker.ask("backup", job=job),
            asker.ask("verify", job=job),
            asker.restore(tmp_path / "to"),
        ]
    assert [outcome.status for outcome in outcomes] == [75, 75, 75]
    assert "old snapshots are being removed" in outcomes[0].phrase


def test_what_an_agent_starts_holds_its_lock(asker: Asker, small_tree: Path) -> None:
    """So nobody prunes below an engine that outlives its agent; shown by the engine's own open files."""
    asker.backup(job={"source": str(small_tree)})
    recorder = asker.directory / "bin" / "restic"
    recorder.parent.mkdir()
    recorder.write_text(f'#!/bin/sh\nls -l /proc/$$/fd >>{asker.directory}/seen\nexec /usr/bin/restic "$@"\n')
    recorder.chmod(0o755)
    path = f"{recorder.parent}:{os.environ['PATH']}"
    child = asker.start(asker.request("verify"), env={"PATH": path})
    assert asker.finish(child).status == 0
    assert str(asker.destination / "proof" / "lock") in (asker.directory / "seen").read_text()
    assert (
        subprocess.run(["pgrep", "-f", str(asker.destination)], check=False, capture_output=True).stdout
        == b""
    )
