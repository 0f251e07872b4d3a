"""The guard before pruning, what becomes of what it suspects, and retention with its reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import AGENTS, Asker


@pytest.fixture
def agent() -> Path:
    """One agent stands for all: what is tested here is the same for every one that pulls."""
    return AGENTS / "backupagentrsync"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source of twenty files."""
    fill(tmp_path / "source", 20)
    return tmp_path / "source"


def fill(directory: Path, count: int) -> None:
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    for number in range(count):
        (directory / str(number)).write_text(f"content of {number}")


def backups(asker: Asker, source: Path, count: int, **job: object) -> list[str]:
    """So many backups of a sound source, as an earlier run would have left them; their snapshots."""
    return [asker.backup(job={"source": str(source), **job}).result["snapshot"] for _ in range(count)]


def test_a_source_that_shrank_is_backed_up_with_a_warning_and_nothing_old_is_pruned(
    asker: Asker, source: Path
) -> None:
    keep = {"guard": {"after": 1}, "keep": {"last": 1}}
    (sound,) = backups(asker, source, 1, **keep)
    fill(source, 9)
    odd = asker.backup(job={"source": str(source), **keep})
    (warning,) = odd.result["warnings"]
    assert warning.startswith("9 files, 108 B: far fewer files than ever")
    assert warning.endswith("cncopctl accept web-01")
    fill(source, 20)
    again = asker.backup(job={"source": str(source), **keep})
    # One is kept of those that are sound, and one of those that are suspect: none pushes the other out.
    assert "1 old snapshot removed" in again.phrase
    listed = {snapshot["id"]: snapshot for snapshot in asker.snapshots()}
    assert set(listed) == {odd.result["snapshot"], again.result["snapshot"]}
    assert "suspect" in listed[odd.result["snapshot"]]["tags"]
    assert sound not in listed


@pytest.mark.parametrize("guard", [{}, {"guard": "error"}])
def test_an_empty_source_is_an_error_until_it_is_accepted(
    asker: Asker, source: Path, guard: dict[str, str]
) -> None:
    job = {"source": str(source), "keep": {"last": 1}, **guard}
    (sound,) = backups(asker, source, 1, **guard)
    fill(source, 0)
    for _ in range(2):
        refused = asker.ask("backup", job=job)
        assert refused.status == 1
        assert refused.phrase == (
            "the source is empty; the last backup had 20 files, 250 B: no snapshot was taken, and old ones are kept"
        )
        assert refused.hint == "is the source as it should be? if so: cncopctl accept web-01"
    assert [snapshot["id"] for snapshot in asker.snapshots()] == [sound]
    assert asker.ask("accept", dry_run=True, job=job).phrase == "would accept 0 files, 0 bytes"
    accepted = asker.ask("accept", job=job)
    assert (accepted.status, accepted.phrase) == (0, "accepted: 0 files, 0 bytes are usual from now on")
    empty = asker.backup(job=job)
    assert empty.result["warnings"] == ["the source is empty, so there is nothing to take a snapshot of"]
    assert asker.ask("accept", job=job).phrase.startswith("nothing to accept")


def test_a_guard_that_is_off_lets_everything_pass(asker: Asker, source: Path) -> None:
    job = {"source": str(source), "guard": "off", "keep": {"last": 1}}
    backups(asker, source, 1)
    fill(source, 1)
    assert asker.backup(job=job).result["warnings"] == []
    assert len(asker.snapshots()) == 1


@pytest.mark.parametrize(
    "written",
    [
        b"{",
        b"\xff\x00",
        b"[]",
        b'{"backups": 7}',
        b'{"backups": [{"files": "20", "bytes": null}]}',
        b'{"backups": [{"files": -1, "bytes": 0}]}',
        b'{"backups": [{"files": 20, "bytes": 250, "snapshot": 3}]}',
        b'{"backups": [{"files": 20, "bytes": 250, "is_suspect": "no"}]}',
        b"[" * 200_000,
    ],
)
def test_a_past_that_was_damaged_is_told_read_from_the_repository_and_mended(
    asker: Asker, source: Path, written: bytes
) -> None:
    backups(asker, source, 1)
    past = asker.destination / "proof" / "past.json"
    counted = json.loads(past.read_text())
    past.write_bytes(written)
    fill(source, 0)
    outcome = asker.ask("backup", job={"source": str(source)})
    assert "the last backup had 20 files" in outcome.phrase
    assert outcome.result["warnings"] == [
        f"{past} was damaged: what earlier backups held was read from the repository instead"
    ]
    assert json.loads(past.read_text())["backups"][0] == counted["backups"][0]


def test_a_past_that_was_lost_is_read_from_the_repository(asker: Asker, source: Path) -> None:
    backups(asker, source, 1)
    (asker.destination / "proof" / "past.json").unlink()
    fill(source, 0)
    outcome = asker.ask("backup", job={"source": str(source)})
    assert "the last backup had 20 files" in outcome.phrase
    assert outcome.result["warnings"] == []


def test_a_guard_that_makes_no_sense_is_refused_with_64(asker: Asker, source: Path) -> None:
    for guard in ("loud", {"then": "never"}, {"shrinks": 3}, 7):
        outcome = asker.ask("backup", job={"source": str(source), "guard": guard})
        assert (outcome.status, outcome.phrase[:26]) == (64, "guard has an unfit value: "), outcome


def test_the_log_and_the_result_say_who_is_kept_and_why(asker: Asker, source: Path) -> None:
    gone, stays = backups(asker, source, 2)
    last = asker.backup(job={"source": str(source), "keep": {"last": 1, "within": "1y2m"}})
    assert [sorted(kept["reasons"]) for kept in last.result["retention"]["kept"]] == [["within 1y2m"]] * 2 + [
        ["last snapshot", "within 1y2m"]
    ]
    would = asker.ask("prune", dry_run=True, job={"keep": {"last": 2}})
    assert would.phrase == "1 snapshot would be removed, 2 kept"
    assert [removed["id"] for removed in would.result["retention"]["removed"]] == [gone]
    assert len(asker.snapshots()) == 3
    done = asker.ask("prune", job={"keep": {"last": 2}})
    assert f"removed {gone[:8]} of " in done.stderr
    assert f"kept {stays[:8]} of " in done.stderr
    assert "last snapshot" in done.stderr
    samples = {path.stem for path in (asker.destination / "proof" / "samples").iterdir()}
    assert samples == {stays, last.result["snapshot"]}
