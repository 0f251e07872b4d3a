"""How an agent takes a request, and what it leaves whatever comes of it."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import pytest
from contract_trees import contents, described

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Asker


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"action": "explode"}, "there is no action 'explode'"),
        ({"contract": 2}, "contract 2"),
        ({"job": None}, "job is missing"),
        ({"job": {"id": "x", "direction": "SIDEWAYS"}}, "SIDEWAYS"),
        ({"job": {"id": "x", "direction": "PULL", "source": 3}}, "source has an unfit value"),
        ({"action": "restore"}, "restore is missing"),
        ({"action": "restore", "restore": {"to": "relative"}}, "not an absolute path"),
        ({"action": "restore", "restore": {"to": "/x", "paths": ["../y"]}}, "not a path in a backup"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_64(
    asker: Asker, change: dict[str, object], said: str
) -> None:
    request = json.loads(asker.request("backup")) | change
    outcome = asker.ask_raw(json.dumps(request).encode())
    assert (outcome.status, said in outcome.phrase) == (64, True), outcome


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_json_object_is_refused_with_64(asker: Asker, text: bytes) -> None:
    outcome = asker.ask_raw(text)
    assert (outcome.status, "JSON" in outcome.phrase) == (64, True), outcome


def test_a_missing_destination_is_an_error_and_is_not_created(
    asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "not mounted"
    outcome = asker.ask("backup", job={"source": asker.at(small_tree), "destination": str(missing)})
    assert (outcome.status, outcome.phrase) == (1, f"{missing} does not exist")
    assert "is its disk mounted?" in outcome.hint
    assert not missing.exists()


def test_a_missing_password_is_an_error_before_anything_is_copied(asker: Asker, small_tree: Path) -> None:
    (asker.credentials / "repository-password").unlink()
    outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    assert (outcome.status, outcome.phrase) == (1, "the credential repository-password is missing")
    assert not asker.mirror.exists()


def test_a_wrong_password_is_an_error_that_says_so(asker: Asker, small_tree: Path) -> None:
    (asker.credentials / "repository-password").unlink()
    asker.give("repository-password", "another")
    outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    assert (outcome.status, "password" in outcome.phrase) == (1, True), outcome


def test_progress_is_told_in_lines_of_json_and_stdout_is_not_used(asker: Asker, tree: Path) -> None:
    outcome = asker.backup(job={"source": asker.at(tree)})
    phases = [line["phase"] for line in outcome.progress]
    assert phases[0] == "mirror"
    assert "snapshot" in phases
    assert all(isinstance(line["phrase"], str) for line in outcome.progress)
    assert outcome.stdout == b""


@pytest.mark.parametrize("descriptor", ["closed", "broken", "nonsense", "full"])
def test_progress_that_nobody_takes_never_fails_a_run(
    asker: Asker, small_tree: Path, descriptor: str
) -> None:
    reader, writer = os.pipe()
    if descriptor == "broken":
        os.close(reader)
    if descriptor == "full":
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writer, b"x" * 4096):
                pass
        os.set_blocking(writer, True)
    number = {"closed": "97", "nonsense": "pipe"}.get(descriptor, str(writer))
    request = asker.request("backup", dry_run=True, job={"source": asker.at(small_tree)})
    outcome = asker.ask_raw(request, pass_fds=[writer], env={"CNCOP_PROGRESS_FD": number})
    os.close(writer)
    assert outcome.status == 0, outcome


def test_a_run_without_result_path_or_progress_still_runs(asker: Asker, small_tree: Path) -> None:
    request = asker.request("backup", dry_run=True, job={"source": asker.at(small_tree)})
    outcome = asker.ask_raw(request, env={"CNCOP_RESULT": ""})
    assert (outcome.status, outcome.result) == (0, {})
    assert "would copy 3 of 3 files" in outcome.stderr


def test_the_repository_is_created_by_the_first_backup(asker: Asker, small_tree: Path) -> None:
    (asker.destination / "repository").rename(asker.directory / "elsewhere")
    asker.backup(job={"source": asker.at(small_tree)})
    assert len(asker.snapshots()) == 1
    assert sorted(path.name for path in asker.destination.iterdir()) == ["mirror", "proof", "repository"]


def test_a_dry_run_changes_nothing(asker: Asker, small_tree: Path) -> None:
    before = described(asker.destination)
    outcome = asker.ask("backup", dry_run=True, job={"source": asker.at(small_tree)})
    assert (outcome.status, outcome.phrase) == (0, "would copy 3 of 3 files")
    assert described(asker.destination) == before


def test_check_says_that_all_is_reachable_and_changes_nothing(asker: Asker, small_tree: Path) -> None:
    before = described(asker.destination)
    outcome = asker.ask("check", job={"source": asker.at(small_tree)})
    assert outcome.status == 0, outcome
    assert described(asker.destination) == before


def test_check_says_what_is_missing(asker: Asker, tmp_path: Path) -> None:
    outcome = asker.ask("check", job={"source": asker.at(tmp_path / "nothing")})
    assert (outcome.status, f"{tmp_path}/nothing does not exist" in outcome.phrase) == (1, True), outcome


def test_retention_removes_what_no_rule_keeps(asker: Asker, small_tree: Path) -> None:
    job = {"source": asker.at(small_tree)}
    asker.backup(job=job)
    asker.backup(job=job)
    pruned = asker.backup(job=job | {"keep": {"last": 2}})
    assert pruned.phrase.endswith("; 1 old snapshot removed")
    outcome = asker.ask("prune", job=job | {"keep": {"last": 1}})
    assert (outcome.status, outcome.phrase) == (0, "1 snapshot removed, 1 kept")
    assert [snapshot["id"] for snapshot in asker.snapshots()] == [pruned.result["snapshot"]]


def test_nothing_is_pruned_where_nothing_is_said(asker: Asker, small_tree: Path) -> None:
    outcome = asker.ask("prune", job={"source": asker.at(small_tree)})
    assert outcome.phrase == "nothing to remove: the job keeps every snapshot"


def test_verify_reads_the_repository_and_lists_its_snapshots(asker: Asker, small_tree: Path) -> None:
    backup = asker.backup(job={"source": asker.at(small_tree)})
    outcome = asker.ask("verify")
    assert outcome.status == 0, outcome
    assert outcome.phrase.startswith("repository sound, all data read; 3 files (18 bytes) restored in ")
    assert "and compared; 1 snapshot, the latest " in outcome.phrase
    assert [snapshot["id"] for snapshot in outcome.result["snapshots"]] == [backup.result["snapshot"]]


def test_verify_fails_where_there_is_no_snapshot(asker: Asker) -> None:
    outcome = asker.ask("verify")
    assert (outcome.status, "has no snapshot of this job" in outcome.phrase) == (1, True), outcome


def test_verify_fails_where_data_has_rotted(asker: Asker, small_tree: Path) -> None:
    asker.backup(job={"source": asker.at(small_tree)})
    for pack in (asker.destination / "repository" / "data").glob("*/*"):
        content = bytearray(pack.read_bytes())
        content[10] ^= 0xFF
        pack.chmod(0o600)
        pack.write_bytes(content)
    outcome = asker.ask("verify")
    assert (outcome.status, "is damaged" in outcome.phrase) == (1, True), outcome


def test_a_restore_of_paths_brings_those_alone(asker: Asker, small_tree: Path, tmp_path: Path) -> None:
    (small_tree / "etc" / "[p]asswd{,}").write_text("odd")
    asker.backup(job={"source": asker.at(small_tree)})
    outcome = asker.restore(tmp_path / "some", paths=["etc/[p]asswd{,}", "/etc/ssh/"])
    assert outcome.status == 0, outcome
    assert contents(tmp_path / "some") == {"etc/[p]asswd{,}": b"odd", "etc/ssh/config": b"Host *\n"}
    missing = asker.restore(tmp_path / "none", paths=["readme", "etc/shadow"])
    assert missing.status == 1
    assert "has no etc/shadow" in missing.phrase
    assert not (tmp_path / "none").exists()


def test_a_restore_overwrites_only_when_told_and_never_deletes(
    asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    asker.backup(job={"source": asker.at(small_tree)})
    to = tmp_path / "to"
    to.mkdir()
    (to / "readme").write_text("mine")
    (to / "other").write_text("also mine")
    refused = asker.restore(to)
    assert (refused.status, refused.phrase) == (1, f"{to} is not empty")
    assert contents(to) == {"readme": b"mine", "other": b"also mine"}
    assert asker.restore(to, force=True).status == 0
    assert contents(to) == contents(small_tree) | {"other": b"also mine"}


def test_a_snapshot_that_is_not_there_is_an_error_that_names_those_that_are(
    asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    nothing = asker.restore(tmp_path / "to")
    assert nothing.phrase == "there is no snapshot of this job yet"
    backup = asker.backup(job={"source": asker.at(small_tree)})
    outcome = asker.restore(tmp_path / "to", snapshot="ffffffff")
    assert (outcome.status, outcome.phrase) == (1, "this job has no snapshot ffffffff")
    assert backup.result["snapshot"][:8] in outcome.hint
