"""What rsync brings back: every byte, name, mode, time and link, from wherever it reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from conftest import AGENTS, DAEMON_PASSWORD, Asker, ssh_url
from contract_servers import Server, SshServer
from contract_trees import contents, described


@pytest.fixture
def agent() -> Path:
    return AGENTS / "backupagentrsync"


def test_a_local_tree_comes_back_as_it_was(asker: Asker, odd_tree: Path, tmp_path: Path) -> None:
    asker.backup(job={"source": str(odd_tree)})
    assert described(asker.mirror) == described(odd_tree)
    restored = asker.restore(tmp_path / "restored")
    assert restored.status == 0, restored
    assert described(tmp_path / "restored") == described(odd_tree)


def test_a_tree_comes_back_over_ssh(
    ssh_asker: Asker, sshd: SshServer, odd_tree: Path, tmp_path: Path
) -> None:
    ssh_asker.backup(job={"source": ssh_url(sshd, odd_tree)})
    assert ssh_asker.restore(tmp_path / "restored").status == 0
    assert described(tmp_path / "restored") == described(odd_tree)


def test_a_tree_comes_back_from_a_daemon(
    asker: Asker, rsyncd: Server, odd_tree: Path, tmp_path: Path
) -> None:
    asker.give("module", DAEMON_PASSWORD + "\n")
    source = f"rsync://backup@127.0.0.1:{rsyncd.port}/locked"
    asker.backup(job={"source": source, "credential": "module"})
    assert asker.restore(tmp_path / "restored").status == 0
    assert described(tmp_path / "restored") == described(odd_tree)


def test_a_sparse_file_takes_no_room_in_the_mirror(asker: Asker, odd_tree: Path) -> None:
    asker.backup(job={"source": str(odd_tree)})
    assert (asker.mirror / "sparse").stat().st_blocks * 512 < 1 << 20


@pytest.mark.parametrize("suffix", ["/."])
def test_a_source_is_what_is_in_it_however_it_is_written(asker: Asker, small_tree: Path, suffix: str) -> None:
    asker.backup(job={"source": f"{small_tree}{suffix}"})
    assert contents(asker.mirror) == contents(small_tree)


def test_a_single_file_comes_over_ssh(ssh_asker: Asker, sshd: SshServer, small_tree: Path) -> None:
    ssh_asker.backup(job={"source": ssh_url(sshd, small_tree / "etc/passwd")})
    assert contents(ssh_asker.mirror) == {"passwd": b"root\n"}


@pytest.mark.parametrize("name", ["a*", "$(touch pwned) quo'te\""])
def test_an_odd_directory_over_ssh_is_that_directory_alone(
    ssh_asker: Asker, sshd: SshServer, tmp_path: Path, name: str
) -> None:
    for directory in (name, "ab", "a"):
        (tmp_path / "odd" / directory).mkdir(parents=True)
        (tmp_path / "odd" / directory / directory).write_text("")
    ssh_asker.backup(job={"source": ssh_url(sshd, tmp_path / "odd" / name)})
    assert list(contents(ssh_asker.mirror)) == [name]


def test_a_backup_of_a_tree_that_holds_its_destination_leaves_the_destination_out(
    asker: Asker, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("x")
    asker.backup(job={"source": str(tmp_path)})
    assert (asker.mirror / "a file").exists()
    assert not (asker.mirror / "destination").exists()


@pytest.mark.parametrize("drop", [[], ["setpriv", "--bounding-set", "-mknod", "--inh-caps", "-mknod", "--"]])
def test_device_nodes_are_kept_by_whoever_may_make_them_and_fail_nobody(
    asker: Asker, tmp_path: Path, drop: list[str]
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x")
    if os.geteuid() == 0:
        os.mknod(tmp_path / "source" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    if os.geteuid() != 0 and drop:
        drop = ["setpriv", "--"]
    outcome = asker.ask_raw(asker.request("backup", job={"source": str(tmp_path / "source")}), through=drop)
    assert outcome.status == 0, outcome
    assert (asker.mirror / "null").exists() == (os.geteuid() == 0 and not drop)


def test_a_change_within_the_same_second_is_not_missed(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for content, nanosecond in (("one", 1), ("two", 2)):
        (tmp_path / "source" / "file").write_text(content)
        os.utime(tmp_path / "source" / "file", ns=(0, 1_234_567_890_000_000_000 + nanosecond))
        asker.backup(job={"source": str(tmp_path / "source")})
        assert contents(asker.mirror) == {"file": content.encode()}
