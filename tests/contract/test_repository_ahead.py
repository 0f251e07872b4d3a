"""restic begun ahead: it looks at nothing before it may, and what was foreseen wrongly leaves nothing behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from conftest import AGENTS, Asker, run_restic
from contract_trees import contents

from cncopctl.agentkit.ahead import Ahead
from cncopctl.edges.inotify import Watch
from cncopctl.edges.restic import Repository, environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def agent() -> Path:
    """One agent stands for all: what is tested here is the same for every one that pulls."""
    return AGENTS / "backupagentrsync"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    (root / "early").write_text("was there when restic was begun")
    return root


@pytest.fixture
def repository(asker: Asker) -> Repository:
    return Repository(asker.destination / "repository", asker.credentials / "repository-password")


def begin(ahead: Ahead, repository: Repository, source: Path) -> list[str]:
    """Begin a backup and wait until it has its lock, which is the last thing before it waits."""
    words = repository.backup_words("cncop", ["cncop"], "")
    with Watch() as watch:
        watch.add(repository.directory / "locks")
        ahead.begin_backup(repository.command(*words), env=environment(), cwd=source)
        while not repository.is_locked():
            assert watch.wait(30)
    return repository.command(*words)


def test_what_comes_while_restic_waits_is_in_the_snapshot(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    with Ahead() as ahead:
        command = begin(ahead, repository, source)
        (source / "late").write_text("came while it waited")
        ended = ahead(command, on_line=lambda _line: None, cwd=source, env=environment())
    assert ended.status == 0, ended
    run_restic(
        repository.directory, repository.password_file, "restore", "latest", "--target", str(tmp_path / "to")
    )
    assert contents(tmp_path / "to") == contents(source)


def test_what_is_dropped_takes_no_snapshot_and_leaves_no_lock(
    asker: Asker, repository: Repository, source: Path
) -> None:
    with Ahead() as ahead:
        begin(ahead, repository, source)
        assert ahead.is_begun()
    assert asker.snapshots() == []
    assert not repository.is_locked()


def test_another_command_is_not_answered_by_what_was_begun(
    asker: Asker, repository: Repository, source: Path
) -> None:
    said: list[bytes] = []
    with Ahead() as ahead:
        begin(ahead, repository, source)
        asked = repository.command("snapshots", "--json", "--no-lock")
        ended = ahead(asked, on_line=said.append, cwd=None, env=environment())
    assert (ended.status, b"".join(said)) == (0, b"[]")
    assert asker.snapshots() == []
    assert not repository.is_locked()


def test_changed_and_unchanged_sources_alike_come_back_and_nothing_is_locked(
    asker: Asker, source: Path, tmp_path: Path
) -> None:
    """Foreseen are the second and the third backup; the third wrongly, and so the fourth is not."""
    (source / "grows").write_text("")
    for number, grown in enumerate(("", "", "more", "more and more", "more and more")):
        (source / "grows").write_text(grown)
        os.utime(source)
        outcome = asker.backup(job={"source": str(source), "keep": {"last": 9}})
        assert outcome.result["warnings"] == []
        assert asker.restore(tmp_path / str(number)).status == 0
        assert contents(tmp_path / str(number)) == contents(source)
        assert list((asker.destination / "repository" / "locks").iterdir()) == []
    tags = [snapshot["tags"] for snapshot in asker.snapshots()]
    assert [[tag for tag in each if tag.startswith("bytes=")] for each in tags] == [
        [f"bytes={31 + more}"] for more in (0, 0, 4, 13, 13)
    ]


def test_a_failed_first_backup_leaves_no_repository_and_a_wrong_password_is_told(
    asker: Asker, source: Path
) -> None:
    asker.backup(job={"source": str(source)})
    asker.credentials.joinpath("repository-password").unlink()
    asker.give("repository-password", "another one")
    wrong = asker.ask("backup", job={"source": str(source)})
    assert (wrong.status, "is not the one" in wrong.phrase) == (1, True), wrong
    (asker.destination / "repository").rename(asker.destination / "away")
    gone = asker.ask("backup", job={"source": f"{source}/gone"})
    assert (gone.status, "does not exist" in gone.phrase) == (1, True), gone
    names = {path.name for path in asker.destination.iterdir()}
    assert names == {"away", "mirror", "proof"}
