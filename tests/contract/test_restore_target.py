"""Restores to where others can write: nothing is led elsewhere, and nothing where backups are kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Asker, let_in_by_ssh
from contract_trees import contents, described

SOMEBODY = 12345
"""The user who can write to the target, while root restores."""

KINDS = ("backupagentrsync PULL", "backupagentrsync PUSH", "backupagentsftp PUSH")
"""Restores are made by restic, rsync and rclone."""


@pytest.fixture(params=KINDS)
def backed_up(
    request: pytest.FixtureRequest, asker_of: Callable[[str], Asker], small_tree: Path, tmp_path: Path
) -> Asker:
    """A job with a backup of three files, which each of the engines restores."""
    name, _, direction = str(request.param).partition(" ")
    asker = asker_of(name)
    if name == "backupagentsftp":
        let_in_by_ssh(asker, request.getfixturevalue("sshd"))
    (tmp_path / "away").mkdir()
    away = {"direction": "PUSH", "destination": asker.at(tmp_path / "away")}
    asker.job |= {"source": str(small_tree)} | (away if direction == "PUSH" else {})
    asker.backup()
    return asker


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A directory of root's, as /etc is."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "shadow").write_text("secret")
    return tmp_path / "precious"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A directory of somebody else's."""
    directory = tmp_path / "home" / "somebody"
    directory.mkdir(parents=True)
    os.chown(directory, SOMEBODY, SOMEBODY)
    return directory


def planted(link: Path, to: Path) -> None:
    link.symlink_to(to)
    os.lchown(link, SOMEBODY, SOMEBODY)


@pytest.mark.parametrize("force", [False, True])
def test_a_link_that_somebody_planted_is_not_followed(
    backed_up: Asker, target: Path, precious: Path, force: bool
) -> None:
    planted(target / "etc", precious)
    before = described(precious)
    outcome = backed_up.restore(target, paths=["etc/passwd"], force=force)
    assert (outcome.status, f"{target}/etc is in the way" in outcome.phrase) == (1, True), outcome
    assert described(precious) == before
    assert os.listdir(target) == ["etc"]


def test_a_link_deep_in_what_is_overwritten_is_not_followed(
    backed_up: Asker, target: Path, precious: Path
) -> None:
    (target / "etc").mkdir()
    os.chown(target / "etc", SOMEBODY, SOMEBODY)
    planted(target / "etc" / "ssh", precious)
    before = described(precious)
    for paths in (["etc"], []):
        outcome = backed_up.restore(target, paths=paths, force=True)
        assert (outcome.status, f"{target}/etc/ssh is in the way" in outcome.phrase) == (1, True), outcome
    assert described(precious) == before


def test_a_link_in_place_of_a_file_is_replaced_and_not_written_through(
    backed_up: Asker, target: Path, precious: Path
) -> None:
    planted(target / "readme", precious / "shadow")
    assert backed_up.restore(target, paths=["readme"], force=True).status == 0
    assert (precious / "shadow").read_text() == "secret"
    assert (target / "readme").read_text() == "hello\n"
    assert not (target / "readme").is_symlink()


def test_a_target_that_is_somebody_elses_link_is_refused(
    backed_up: Asker, target: Path, precious: Path
) -> None:
    (precious / "shadow").unlink()
    planted(target / "restored", precious)
    for to in (target / "restored", target / "restored" / "new"):
        outcome = backed_up.restore(to)
        assert (outcome.status, "restored is a symbolic link of somebody else" in outcome.phrase) == (1, True)
    assert contents(precious) == {}


def test_ones_own_links_are_followed(backed_up: Asker, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    assert backed_up.restore(tmp_path / "link" / "restored").status == 0
    assert (tmp_path / "disk" / "restored" / "readme").exists()


def test_what_somebody_else_has_stays_beside_what_comes_back(backed_up: Asker, target: Path) -> None:
    (target / "etc").mkdir(mode=0o750)
    (target / "etc" / "mine").write_text("mine")
    os.chown(target / "etc", SOMEBODY, SOMEBODY)
    before = described(target)
    assert backed_up.restore(target, paths=["etc/ssh", "readme"]).status == 0
    assert contents(target) == {
        "etc/mine": b"mine",
        "etc/ssh/config": b"Host *\n",
        "readme": b"hello\n",
    }
    again = described(target)
    assert [again["b'etc'"][:3], again["b'etc/mine'"]] == [before["b'etc'"][:3], before["b'etc/mine'"]]
    assert backed_up.restore(target, force=True).status == 0
    assert contents(target)["etc/passwd"] == b"root\n"


def test_the_whole_comes_back_into_somebody_elses_empty_directory_as_it_was(
    backed_up: Asker, small_tree: Path, target: Path
) -> None:
    (target / ".cncop-restore-killed").mkdir(mode=0o700)
    (target / ".cncop-restore-killed" / "half").write_text("left by a restore that was killed")
    assert backed_up.restore(target).status == 0
    assert contents(target) == contents(small_tree)
    if backed_up.job["direction"] == "PULL":
        assert described(target) == described(small_tree)


def test_a_directory_of_roots_in_somebody_elses_is_written_to_whoever_moves_it(
    backed_up: Asker, small_tree: Path, target: Path
) -> None:
    assert backed_up.restore(target / "new").status == 0
    assert contents(target / "new") == contents(small_tree)


def test_another_disk_below_somebody_elses_directory_is_told(backed_up: Asker, target: Path) -> None:
    (target / "etc").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(target / "etc")], check=True)
    try:
        (target / "etc" / "there").touch()
        outcome = backed_up.restore(target, force=True)
        within = backed_up.restore(target, paths=["etc/passwd"])
    finally:
        subprocess.run(["umount", str(target / "etc")], check=True)
    assert outcome.status == 1
    assert "is on another disk than what is above it" in outcome.phrase
    assert within.status == 0, within


@pytest.mark.parametrize("below", ["readme", "readme/new"])
def test_a_file_in_the_way_to_the_target_is_told(backed_up: Asker, target: Path, below: str) -> None:
    (target / "readme").touch()
    outcome = backed_up.restore(target / below)
    assert (outcome.status, "is not a directory" in outcome.phrase) == (1, True), outcome


@pytest.mark.parametrize("backed_up", KINDS[:2], indirect=True)
def test_another_user_restores_below_a_directory_that_may_not_be_listed(
    backed_up: Asker, target: Path, small_tree: Path
) -> None:
    """As a user does below /home, where only names that are known may be looked up."""
    for path in (backed_up.directory, *backed_up.directory.rglob("*"), *small_tree.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    os.chown(target.parent, 0, 0)
    for directory in target.parents:
        if directory.is_relative_to("/tmp") and directory != Path("/tmp"):
            directory.chmod(0o711)
    as_somebody = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--"]
    wanted = {"snapshot": "latest", "to": str(target / "new"), "paths": []}
    outcome = backed_up.ask_raw(backed_up.request("restore", restore=wanted), through=as_somebody)
    assert outcome.status == 0, outcome
    assert contents(target / "new") == contents(small_tree)


@pytest.mark.parametrize("below", ["", "mirror", "mirror/new", "repository/data", "new"])
def test_nothing_is_restored_to_where_backups_are_kept(backed_up: Asker, tmp_path: Path, below: str) -> None:
    """Of this job or of any other."""
    other = tmp_path / "another job"
    (other / "mirror").mkdir(parents=True)
    (other / "repository").mkdir()
    (other / "repository" / "config").touch()
    before = described(other)
    for dry_run in (True, False):
        outcome = backed_up.ask(
            "restore",
            dry_run=dry_run,
            restore={"to": str(other / below), "paths": ["readme"], "force": True},
        )
        assert (outcome.status, "is where backups are kept" in outcome.phrase) == (1, True), outcome
    assert described(other) == before
