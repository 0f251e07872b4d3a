"""Restores that cannot be: what is in the way stays what it was, and what came back is told from what did not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Asker
from contract_trees import contents

CNCOPCTL = Path(sys.executable).with_name("cncopctl")
PROFILE = """
schema = 1
[[job]]
id = "etc"
type = "RSYNC"
schedule = "30 2 * * *"
source = "{source}"
destination = "{destination}"
"""
# A restic that is in the middle of a restore, says so, and stays there.
STUCK = """#!/bin/sh
before=
for word; do
    [ "$before" = --target ] && target=$word
    [ "$word" = restore ] && is_restore=yes
    before=$word
done
[ "$is_restore" ] || exec {restic} "$@"
echo half > "$target/half"
echo > {fifo}
exec cat {fifo}
"""


@pytest.fixture
def backed_up(asker_of: Callable[[str], Asker], small_tree: Path) -> Asker:
    """A job with a backup of three files."""
    asker = asker_of("backupagentrsync")
    asker.job["source"] = str(small_tree)
    asker.backup()
    return asker


@pytest.fixture(params=["PULL", "PUSH"])
def either_way(
    request: pytest.FixtureRequest, asker_of: Callable[[str], Asker], small_tree: Path, tmp_path: Path
) -> Asker:
    """A job with a backup of three files, which restic restores, or rsync."""
    asker = asker_of("backupagentrsync")
    asker.job["source"] = str(small_tree)
    if request.param == "PUSH":
        (tmp_path / "away").mkdir()
        asker.job |= {"direction": "PUSH", "destination": str(tmp_path / "away")}
    asker.backup()
    return asker


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_in_the_place_of_a_directory_stays(
    either_way: Asker, tmp_path: Path, kind: str, force: bool
) -> None:
    target = tmp_path / "target"
    (target / "elsewhere").mkdir(parents=True)
    if kind == "file":
        (target / "etc").write_text("mine")
    else:
        (target / "etc").symlink_to("elsewhere")
    outcome = either_way.restore(target, paths=["etc/passwd"], force=force)
    assert (outcome.status, f"{target}/etc is in the way" in outcome.phrase) == (1, True), outcome
    assert (target / "etc").read_text() == "mine" if kind == "file" else (target / "etc").is_symlink()
    assert os.listdir(target / "elsewhere") == []


@pytest.mark.parametrize("paths", [[], ["etc"]])
def test_not_even_force_puts_a_directory_in_the_place_of_a_file_or_a_file_in_that_of_a_directory(
    backed_up: Asker, tmp_path: Path, paths: list[str]
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "etc").write_text("mine")
    outcome = backed_up.restore(target, paths=paths, force=True)
    assert (outcome.status, f"{target}/etc is in the way" in outcome.phrase) == (1, True), outcome
    assert contents(target) == {"etc": b"mine"}
    (target / "etc").unlink()
    (target / "etc" / "passwd").mkdir(parents=True)
    outcome = backed_up.restore(target, paths=paths, force=True)
    assert (outcome.status, f"{target}/etc/passwd is in the way" in outcome.phrase) == (1, True), outcome
    assert (target / "etc" / "passwd").is_dir()


def test_a_full_disk_is_told_as_that_of_the_target_and_what_came_back_as_incomplete(
    backed_up: Asker, small_tree: Path, tmp_path: Path
) -> None:
    (small_tree / "large").write_bytes(os.urandom(2 << 20))
    backed_up.backup()
    target = tmp_path / "small"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", str(target)], check=True)
    try:
        outcome = backed_up.restore(target / "to")
    finally:
        subprocess.run(["umount", str(target)], check=True)
        (small_tree / "large").unlink()
    assert outcome.status == 1
    assert outcome.phrase.startswith(f"the disk of {target}/to is full"), outcome
    assert outcome.phrase.endswith(f"what came back to {target}/to is incomplete"), outcome


def test_files_that_a_damaged_repository_cannot_give_back_are_named(
    backed_up: Asker, tmp_path: Path, small_tree: Path
) -> None:
    before = set((backed_up.destination / "repository" / "data").glob("*/*"))
    (small_tree / "lost").write_bytes(os.urandom(1 << 20))
    backed_up.backup()
    (small_tree / "lost").unlink()
    made = set((backed_up.destination / "repository" / "data").glob("*/*")) - before
    spoil(max(made, key=lambda pack: pack.stat().st_size))
    outcome = backed_up.restore(tmp_path / "to")
    assert outcome.status == 1
    assert outcome.phrase.startswith(f"the repository at {backed_up.destination}/repository is damaged"), (
        outcome
    )
    assert "; not restored: lost; what came back to " in outcome.phrase, outcome
    assert "restic check" in outcome.hint
    came = contents(tmp_path / "to")
    assert {name: came[name] for name in contents(small_tree)} == contents(small_tree)


def spoil(pack: Path) -> None:
    content = pack.read_bytes()
    pack.unlink()
    pack.write_bytes(content[:500] + b"\0" * 8 + content[508:])


def test_a_repository_that_is_gone_is_not_replaced_in_silence(backed_up: Asker) -> None:
    shutil.rmtree(backed_up.destination / "repository")
    outcome = backed_up.ask("backup")
    assert outcome.status == 0
    gone = f"{backed_up.destination}/repository was gone with all its snapshots: a new one is begun"
    assert gone in outcome.result["warnings"], outcome


def test_a_repository_without_its_config_is_not_called_none(backed_up: Asker) -> None:
    (backed_up.destination / "repository" / "config").unlink()
    outcome = backed_up.ask("backup")
    damaged = f"the repository at {backed_up.destination}/repository is damaged: without its file config"
    assert (outcome.status, outcome.phrase.startswith(damaged)) == (1, True), outcome


def test_a_push_job_has_no_state_of_the_past(either_way: Asker, tmp_path: Path) -> None:
    wanted = {"at": "2001-01-01T00:00:00+00:00", "to": str(tmp_path / "to")}
    outcome = either_way.ask("restore", restore=wanted)
    assert (outcome.status, "this job has no snapshot " in outcome.phrase) == (1, True), outcome
    assert not (tmp_path / "to").exists()


def test_who_interrupts_a_restore_is_told_what_it_has_left(tmp_path: Path, small_tree: Path) -> None:
    config, destination, fifo = tmp_path / "root" / "Config", tmp_path / "backup", tmp_path / "fifo"
    config.mkdir(parents=True)
    (config / "profile.toml").write_text(PROFILE.format(source=small_tree, destination=destination))
    destination.mkdir()
    root = f"--root={tmp_path / 'root'}"
    subprocess.run([CNCOPCTL, "sync-profile", root], check=True)
    with_credentials = os.environ | {"CREDENTIALS_DIRECTORY": str(config / "credentials")}
    dispatcher = [sys.executable, "-m", "cncopctl.dispatcher", root, "run", "etc"]
    subprocess.run(dispatcher, env=with_credentials, check=True)
    os.mkfifo(fifo)
    stuck = tmp_path / "bin" / "restic"
    stuck.parent.mkdir()
    stuck.write_text(STUCK.format(restic=shutil.which("restic"), fifo=fifo))
    stuck.chmod(0o755)
    # SIGINT may be ignored here, as in the background of a shell.
    restoring = subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            CNCOPCTL,
            "restore",
            "etc",
            "--to",
            tmp_path / "to",
            root,
        ],  # nohup ignores it
        env=os.environ | {"PATH": f"{stuck.parent}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    fifo.read_text()
    os.killpg(restoring.pid, signal.SIGINT)
    _, told = restoring.communicate(timeout=60)
    assert restoring.returncode == 130
    left = f"stopped before it was done; what came back to {tmp_path}/to is incomplete"
    assert told.splitlines()[0] == f"cncopctl: etc: {left}"
    assert told.splitlines()[1].startswith("hint: to complete it: ")
