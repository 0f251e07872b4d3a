"""What is backed up comes back: all that the protocol carries, which for rsync is everything."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Asker, let_in_by_ftp
from contract_servers import FtpServer
from contract_trees import contents


def test_a_tree_comes_back_as_it_was(asker: Asker, tree: Path, tmp_path: Path) -> None:
    asker.backup(job={"source": asker.at(tree)})
    assert asker.carried(asker.mirror) == asker.carried(tree)
    assert asker.restore(tmp_path / "restored").status == 0
    assert asker.carried(tmp_path / "restored") == asker.carried(tree)
    second = asker.backup(job={"source": asker.at(tree)})
    assert (second.result["files_changed"], second.result["bytes_transferred"]) == (0, 0)
    assert len(asker.snapshots()) == 2


@pytest.mark.parametrize("name", ["[f]ile{}", "-e sh"])
def test_a_single_file_is_a_source_too(asker: Asker, tmp_path: Path, name: str) -> None:
    for other in ("other", "file", name):
        (tmp_path / "single").mkdir(exist_ok=True)
        (tmp_path / "single" / other).write_text(other)
    (tmp_path / "single" / "directory" / "below").mkdir(parents=True)
    asker.backup(job={"source": asker.at(tmp_path / "single" / name)})
    assert [path.name for path in asker.mirror.rglob("*")] == [name]
    assert asker.restore(tmp_path / "restored").status == 0
    assert contents(tmp_path / "restored") == {name: name.encode()}


def test_deleted_and_excluded_files_leave_the_mirror_and_stay_in_the_history(
    asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    first = asker.backup(job={"source": asker.at(small_tree)})
    (small_tree / "readme").unlink()
    second = asker.backup(job={"source": asker.at(small_tree), "exclude": ["/etc/ssh", "!"]})
    assert contents(asker.mirror) == {"etc/passwd": b"root\n"}
    assert not (asker.mirror / "etc" / "ssh").exists()
    assert "deleted" in second.phrase
    assert asker.restore(tmp_path / "old", snapshot=first.result["snapshot"]).status == 0
    assert sorted(contents(tmp_path / "old")) == ["etc/passwd", "etc/ssh/config", "readme"]


def test_what_becomes_a_directory_or_a_file_is_followed(asker: Asker, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "was a directory").mkdir(parents=True)
    (source / "was a directory" / "file").write_text("1")
    (source / "was a file").write_text("2")
    asker.backup(job={"source": asker.at(source)})
    (source / "was a directory" / "file").unlink()
    (source / "was a directory").rmdir()
    (source / "was a directory").write_text("3")
    (source / "was a file").unlink()
    (source / "was a file").mkdir()
    (source / "was a file" / "file").write_text("4")
    asker.backup(job={"source": asker.at(source)})
    assert contents(asker.mirror) == {"was a directory": b"3", "was a file/file": b"4"}


def test_nothing_is_written_through_a_link_that_the_source_once_had(asker: Asker, tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("mine")
    source.mkdir()
    (source / "file").write_text("")
    if asker.agent.name != "backupagentcifs":  # Samba follows links itself
        (source / "directory").symlink_to(elsewhere)
        (source / "link").symlink_to(elsewhere / "mine")
    asker.backup(job={"source": asker.at(source)})
    for name in ("directory", "link"):
        (source / name).unlink(missing_ok=True)
    (source / "directory").mkdir()
    (source / "directory" / "mine").write_text("theirs")
    (source / "link").write_text("theirs")
    asker.backup(job={"source": asker.at(source)})
    assert contents(elsewhere) == {"mine": b"mine"}
    assert contents(asker.mirror) == {"directory/mine": b"theirs", "link": b"theirs", "file": b""}


def test_a_result_counts_what_was_done(asker: Asker, small_tree: Path) -> None:
    outcome = asker.backup(job={"source": asker.at(small_tree)})
    expected = {"files": 3, "bytes": 18, "files_changed": 3, "bytes_transferred": 18, "warnings": []}
    assert {key: outcome.result[key] for key in expected} == expected
    assert outcome.phrase == "3 files, 18 bytes; 3 changed"
    [snapshot] = asker.snapshots()
    assert snapshot["id"] == outcome.result["snapshot"]
    assert {"cncop", "job=web-01", "run=0123abcd4567"} <= set(snapshot["tags"])


def test_a_vanished_root_is_an_error_and_leaves_the_mirror_alone(asker: Asker, small_tree: Path) -> None:
    asker.backup(job={"source": asker.at(small_tree)})
    os.rename(small_tree, small_tree.with_name("moved"))
    outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    assert (outcome.status, f"{small_tree} does not exist" in outcome.phrase) == (1, True), outcome
    assert contents(asker.mirror) == contents(small_tree.with_name("moved"))


def test_a_change_within_a_second_is_told_by_size(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for content, nanosecond in (("one", 1), ("three", 2)):
        (tmp_path / "source" / "file").write_text(content)
        os.utime(tmp_path / "source" / "file", ns=(0, 1_234_567_890_000_000_000 + nanosecond))
        asker.backup(job={"source": asker.at(tmp_path / "source")})
        assert contents(asker.mirror) == {"file": content.encode()}


def test_a_push_keeps_what_it_replaces_and_comes_back(asker: Asker, small_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (small_tree / "link").symlink_to("readme")
    (small_tree / "étc [x] {y}").write_text("odd")
    job = {"source": str(small_tree), "direction": "PUSH", "destination": asker.at(tmp_path / "away")}
    first = asker.backup(job=job)
    assert first.phrase.endswith(" changed")
    before = contents(small_tree)
    (small_tree / "readme").write_text("changed")
    (small_tree / "etc" / "passwd").unlink()
    asker.backup(job=job)
    asker.backup(job=job)
    kept = contents(tmp_path / "away" / ".cncop-replaced")
    assert {Path(*Path(path).parts[1:]): content for path, content in kept.items()} == {
        Path("readme"): before["readme"],
        Path("etc/passwd"): before["etc/passwd"],
    }
    restore = {"snapshot": "latest", "to": str(tmp_path / "back"), "paths": []}
    outcome = asker.ask("restore", job=job, restore=restore)
    assert outcome.status == 0, outcome
    assert contents(tmp_path / "back") == contents(small_tree)
    assert os.readlink(tmp_path / "back" / "link") == "readme"
    some = restore | {"to": str(tmp_path / "some"), "paths": ["etc/ssh"]}
    assert asker.ask("restore", job=job, restore=some).status == 0
    assert contents(tmp_path / "some") == {"etc/ssh/config": b"Host *\n"}


def test_check_of_a_push_writes_and_removes_and_says_what_cannot_be_written(
    asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "there").write_text("before")
    job = {"source": str(small_tree), "direction": "PUSH", "destination": asker.at(tmp_path / "away")}
    outcome = asker.ask("check", job=job)
    assert (outcome.status, f"{tmp_path}/away" in outcome.phrase) == (0, True), outcome
    assert "can be written" in outcome.phrase
    assert contents(tmp_path / "away") == {"there": b"before"}
    job["destination"] = asker.at("/proc/self")
    assert asker.ask("check", job=job).status == 1


def test_a_large_file_comes_in_one_piece(
    asker_of: Callable[[str], Asker], ftpd: FtpServer, tmp_path: Path
) -> None:
    """From 250 MiB on rclone reads a file in parts, which vsftpd calls a failure."""
    asker = asker_of("backupagentftp")
    let_in_by_ftp(asker, ftpd)
    (tmp_path / "source").mkdir()
    with (tmp_path / "source" / "large").open("wb") as file:
        file.truncate(251 << 20)
        file.write(b"in front")
    asker.backup(job={"source": asker.at(tmp_path / "source")})
    assert filecmp.cmp(tmp_path / "source" / "large", asker.mirror / "large", shallow=False)
