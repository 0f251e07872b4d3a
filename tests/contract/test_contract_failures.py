"""Real servers and disks made to fail, for every agent: what the user is told, and that no snapshot lies."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Asker, let_in_by_ftp, let_in_by_ssh, ssh_url
from contract_servers import (
    SshServer,
    ftp_daemon,
    ssh_daemon,
)
from contract_trees import contents
from test_contract_interruption import Slow

OK, ERROR = 0, 1


def test_a_refused_login_is_an_error(asker: Asker, sshd: SshServer, small_tree: Path) -> None:
    if asker.agent.name == "backupagentrsync":
        let_in_by_ssh(asker, sshd)
    name = asker.job["credential"]
    wrong: bytes | str = "not the password"
    if name == "key":
        wrong = (sshd.private_key.parent / "host").read_bytes()
    (asker.credentials / name).unlink()
    asker.give(name, wrong)
    source = ssh_url(sshd, small_tree) if asker.agent.name == "backupagentrsync" else asker.at(small_tree)
    outcome = asker.ask("backup", job={"source": source})
    assert outcome.status == ERROR, outcome
    assert outcome.phrase.endswith(" refuses the login")
    assert "cncopctl credential set" in outcome.hint


def test_a_full_disk_is_an_error_and_gives_no_snapshot(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(os.urandom(3 << 20))
    job = {"source": asker.at(tmp_path / "source")}
    mount = f"mount -t tmpfs -o size=2m none {asker.destination} && exec {asker.agent}"
    user = ["--map-root-user"] if os.geteuid() else []
    done = subprocess.run(
        ["unshare", "--mount", *user, "sh", "-c", mount],
        input=asker.request("backup", job=job),
        env=asker.environment(tmp_path / "result.json"),
        cwd="/",
        capture_output=True,
    )
    assert (done.returncode, b"the disk is full" in done.stderr) == (ERROR, True), done


@contextmanager
def read_only(where: Path) -> Iterator[None]:
    """A directory on a file system that takes nothing any more, as after an I/O error."""
    subprocess.run(["mount", "--bind", str(where), str(where)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(where)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)


def test_a_destination_that_became_read_only_is_told_and_can_still_be_restored_from(
    asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    job = {"source": asker.at(small_tree)}
    asker.backup(job=job)
    (small_tree / "readme").write_text("changed")
    with read_only(asker.destination):
        outcome = asker.ask("backup", job=job)
        restored = asker.restore(tmp_path / "restored")
    assert (outcome.status, "read-only" in outcome.phrase.lower()) == (ERROR, True), outcome
    assert restored.status == 0, restored
    assert (tmp_path / "restored" / "readme").read_text() == "hello\n"
    asker.backup(job=job)
    assert len(asker.snapshots()) == 2


@contextmanager
def small_disk(where: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(where)], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def test_a_server_whose_disk_is_full_is_an_error(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(os.urandom(3 << 20))
    with small_disk(tmp_path / "away") as away:
        job = {"source": str(tmp_path / "source"), "direction": "PUSH", "destination": asker.at(away)}
        (away / "there already").write_bytes(bytes(1 << 20))
        outcome = asker.ask("backup", job=job)
    where = asker.place.rpartition("@")[2].removesuffix("/files") or str(away)
    words = f"the disk of {where} is full"
    if asker.agent.name == "backupagentftp":  # which has no word for it
        words = f"{where} cannot write to its disk"
    assert (outcome.status, outcome.phrase) == (ERROR, words), outcome
    assert "make room there" in outcome.hint


def test_files_that_vanish_while_they_are_read_are_no_failure(asker: Asker, slow_tree: Path) -> None:
    slow = Slow(asker, slow_tree)
    for number in range(8, 16):
        (slow_tree / f"{number:02}").unlink()
    outcome = asker.finish(slow.process)
    assert outcome.status == OK, outcome
    assert contents(asker.mirror).items() >= contents(slow_tree).items()


def test_a_file_that_grows_all_the_time_is_taken_as_it_is(asker: Asker, small_tree: Path) -> None:
    done = threading.Event()
    growing = small_tree / "growing"
    growing.write_bytes(b"x" * 100_000)

    def grow() -> None:
        with growing.open("ab") as file:
            while not done.wait(0.002):
                file.write(b"x")
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    finally:
        done.set()
        thread.join()
    assert outcome.status == OK, outcome
    got = contents(asker.mirror)
    assert len(got.pop("growing")) >= 100_000
    assert got.items() == {**contents(small_tree), "growing": b""}.items() - {("growing", b"")}


UNPRIVILEGED = ["setpriv", "--reuid=sync", "--regid=nogroup", "--clear-groups", "--"]


@pytest.mark.parametrize("agent", ["backupagentftp", "backupagentsftp"])
@pytest.mark.parametrize("name", ["secret file", "secret directory"])
def test_what_the_server_may_not_read_is_an_error_and_gives_no_snapshot(
    asker_of: Callable[[str], Asker], agent: str, small_tree: Path, tmp_path: Path, name: str
) -> None:
    """An FTP server that may not read a directory shows it as an empty one."""
    if "file" in name:
        (small_tree / name).write_text("x")
    else:
        (small_tree / name).mkdir()
        (small_tree / name / "x").write_text("x")
    (small_tree / name).chmod(0o711 if "directory" in name else 0)
    for directory in (small_tree, *small_tree.parents):
        if directory.is_relative_to("/tmp") and directory != Path("/tmp"):
            directory.chmod(directory.stat().st_mode | 0o055)
    asker = asker_of(agent)
    with (
        ssh_daemon(tmp_path / "sshd", UNPRIVILEGED) as sshd,
        ftp_daemon(tmp_path / "ftpd", through=UNPRIVILEGED) as ftpd,
    ):
        if agent == "backupagentftp":
            let_in_by_ftp(asker, ftpd)
        else:
            let_in_by_ssh(asker, sshd)
            asker.place = f"sftp://sync@127.0.0.1:{sshd.port}"
        outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    assert outcome.status == ERROR, outcome
    assert "cannot be read" in outcome.phrase
    assert name in outcome.phrase
    assert asker.snapshots() == []


@pytest.fixture(params=["backupagentrsync", "backupagentsftp"])
def ssh_agent(request: pytest.FixtureRequest, asker_of: Callable[[str], Asker], sshd: SshServer) -> Asker:
    """An agent that goes over ssh."""
    asker = asker_of(str(request.param))
    let_in_by_ssh(asker, sshd)
    if request.param == "backupagentrsync":
        asker.place = ssh_url(sshd, "")
    return asker


def test_an_unknown_host_key_is_an_error_that_shows_how_to_accept_it(
    ssh_agent: Asker, sshd: SshServer, small_tree: Path
) -> None:
    (ssh_agent.credentials / "ssh-known-hosts").unlink()
    outcome = ssh_agent.ask("backup", job={"source": ssh_agent.at(small_tree)})
    assert (outcome.status, outcome.phrase) == (ERROR, f"the host key of 127.0.0.1:{sshd.port} is unknown")
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1" in outcome.hint


def test_a_changed_host_key_is_an_error(ssh_agent: Asker, sshd: SshServer, small_tree: Path) -> None:
    other = sshd.private_key.with_suffix(".pub").read_text()
    (ssh_agent.credentials / "ssh-known-hosts").unlink()
    ssh_agent.give("ssh-known-hosts", f"[127.0.0.1]:{sshd.port} {other}")
    outcome = ssh_agent.ask("backup", job={"source": ssh_agent.at(small_tree)})
    assert (outcome.status, "has changed" in outcome.phrase) == (ERROR, True), outcome


@pytest.mark.parametrize("key", ["not a key", "-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n"])
def test_a_key_that_is_none_is_an_error(ssh_agent: Asker, small_tree: Path, key: str) -> None:
    (ssh_agent.credentials / "key").unlink()
    ssh_agent.give("key", key)
    outcome = ssh_agent.ask("backup", job={"source": ssh_agent.at(small_tree)})
    assert outcome.status == ERROR, outcome
    assert "the private key cannot be used" in outcome.phrase or "refuses the login" in outcome.phrase
