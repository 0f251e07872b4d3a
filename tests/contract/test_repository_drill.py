"""Drills: what was backed up is restored and compared with what was hashed; whatever is wrong is told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import AGENTS, Asker, run_restic
from contract_trees import described

HEAD = 16 << 20


@pytest.fixture
def agent() -> Path:
    """One agent stands for all: what is tested here is the same for every one that pulls."""
    return AGENTS / "backupagentrsync"


@pytest.fixture
def backed_up(asker: Asker, small_tree: Path) -> Asker:
    """An agent with one backup of three files."""
    asker.backup(job={"source": str(small_tree)})
    return asker


def samples_of(asker: Asker) -> Path:
    (path,) = (asker.destination / "proof" / "samples").iterdir()
    return path


def drills(asker: Asker) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((asker.destination / "proof" / "drills.json").read_text())[
        "drills"
    ]
    return found


def test_every_odd_file_that_was_hashed_comes_back_and_is_compared(asker: Asker, odd_tree: Path) -> None:
    asker.backup(job={"source": str(odd_tree)})
    hashed = json.loads(samples_of(asker).read_text())["files"]
    outcome = asker.ask("verify", job={"sample": 1000})
    assert outcome.status == 0, outcome
    drill = outcome.result["drill"]
    assert (drill["files"], drill["ok"], drill["faults"]) == (len(hashed), True, [])
    # Drawn at random; of some forty files few can have been missed by two hundred draws.
    assert drill["files"] > 15
    assert any("\udcff" in sample["path"] or "\\udcff" in repr(sample["path"]) for sample in hashed)
    assert drill["seconds"] > 0
    assert {path.name for path in (asker.directory / "cache").iterdir()} <= {"restic", "places"}


def test_a_drill_changes_nothing_but_its_own_notes(backed_up: Asker) -> None:
    before = {name: described(backed_up.destination / name) for name in ("mirror", "repository")}
    assert backed_up.ask("verify").status == 0
    assert {name: described(backed_up.destination / name) for name in ("mirror", "repository")} == before
    assert [drill["ok"] for drill in drills(backed_up)] == [True]


def test_a_file_that_comes_back_otherwise_than_it_was_hashed_fails_the_drill(backed_up: Asker) -> None:
    path = samples_of(backed_up)
    document = json.loads(path.read_text())
    by_path = {sample["path"]: sample for sample in document["files"]}
    by_path["readme"]["sha256"] = "0" * 64
    by_path["etc/passwd"]["size"] = by_path["etc/passwd"]["hashed"] = 4
    document["files"].append(by_path["readme"] | {"path": "gone"})
    path.write_text(json.dumps(document))
    outcome = backed_up.ask("verify")
    assert outcome.status == 1
    assert outcome.phrase.startswith("the drill failed: ")
    assert "the content of readme is not what was backed up" in outcome.phrase
    assert "etc/passwd came back with 5 bytes instead of 4" in outcome.phrase
    assert "gone was not restored" in outcome.phrase
    assert (drills(backed_up)[0]["ok"], outcome.result["drill"]["ok"]) == (False, False)


def test_age_and_number_of_files_are_asserted_and_all_that_is_wrong_is_told(backed_up: Asker) -> None:
    good = backed_up.ask("verify", job={"max_age": 3600, "min_files": 3, "sample": 0})
    assert good.status == 0, good
    # A snapshot of long ago, as restic writes it when told the time.
    password = backed_up.credentials / "repository-password"
    tags = [word for tag in ("cncop", "job=old", "run=1", "files=3", "bytes=18") for word in ("--tag", tag)]
    old = ["backup", "--quiet", "--time", "2020-01-01 00:00:00", *tags, str(backed_up.mirror)]
    run_restic(backed_up.destination / "repository", password, *old)
    bad = backed_up.ask("verify", job={"id": "old", "max_age": 3600, "min_files": 4, "sample": 0})
    assert bad.status == 1
    assert " days old; the latest snapshot has 3 files, and should have 4" in bad.phrase


def test_data_that_rotted_fails_the_drill_and_the_same_part_is_read_again(
    backed_up: Asker, tmp_path: Path
) -> None:
    assert backed_up.ask("verify").status == 0
    packs = list((backed_up.destination / "repository" / "data").glob("*/*"))
    shutil.copytree(backed_up.destination / "repository", tmp_path / "sound")
    for pack in packs:
        content = bytearray(pack.read_bytes())
        content[10] ^= 0xFF
        pack.chmod(0o600)
        pack.write_bytes(content)
    noted = json.loads((backed_up.destination / "proof" / "drills.json").read_text())
    outcome = backed_up.ask("verify")
    assert (outcome.status, "is damaged" in outcome.phrase) == (1, True), outcome
    again = json.loads((backed_up.destination / "proof" / "drills.json").read_text())
    assert (again["part"], again["of"]) == (noted["part"], noted["of"])


def test_of_a_large_file_the_beginning_is_compared(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with (tmp_path / "source" / "large").open("wb") as file:
        file.write(os.urandom(HEAD + 5))
    asker.backup(job={"source": str(tmp_path / "source")})
    (sample,) = json.loads(samples_of(asker).read_text())["files"]
    assert (sample["size"], sample["hashed"]) == (HEAD + 5, HEAD)
    outcome = asker.ask("verify")
    assert outcome.status == 0, outcome
    assert (outcome.result["drill"]["files"], outcome.result["drill"]["bytes"]) == (1, HEAD)
    document = {"files": [sample | {"sha256": "0" * 64}]}
    samples_of(asker).write_text(json.dumps(document))
    assert "the content of large is not what was backed up" in asker.ask("verify").phrase


def test_without_hashes_sizes_are_compared_and_that_is_said(backed_up: Asker) -> None:
    shutil.rmtree(backed_up.destination / "proof")
    outcome = backed_up.ask("verify")
    assert outcome.status == 0, outcome
    assert outcome.result["drill"]["files"] == 3
    assert outcome.result["warnings"] == [
        "nothing was hashed at this backup, so that sizes alone were compared"
    ]


DAMAGED = {
    "cut off": b'{"files": [{"path": "readme", "si',
    "empty": b"",
    "zeros": bytes(4096),
    "another kind": b'["files"]',
    "another member": b'{"files": [{"path": "readme", "length": 6}]}',
    "text for numbers": b'{"files": [{"path": "readme", "size": "6", "hashed": 6, "sha256": ""}]}',
    "a path to elsewhere": b'{"files": [{"path": "../../x", "size": 6, "hashed": 6, "sha256": ""}]}',
    "without an end": b"[" * 200_000,
}


@pytest.mark.parametrize("written", DAMAGED.values(), ids=DAMAGED)
def test_hashes_and_notes_that_are_damaged_are_told_and_mended_by_the_next_run(
    backed_up: Asker, small_tree: Path, written: bytes
) -> None:
    notes = backed_up.destination / "proof" / "drills.json"
    samples_of(backed_up).write_bytes(written)
    notes.write_bytes(written)
    outcome = backed_up.ask("verify")
    assert (outcome.status, outcome.result["drill"]["files"]) == (0, 3), outcome
    assert outcome.result["warnings"] == [
        f"{notes} was damaged: what was noted of earlier drills is lost",
        f"{samples_of(backed_up)} was damaged, so that sizes alone were compared",
    ]
    backed_up.backup(job={"source": str(small_tree)})
    assert backed_up.ask("verify").result["warnings"] == []
    assert [drill["ok"] for drill in drills(backed_up)] == [True, True]
