"""Real servers made to fail, for every agent: whether trying again helps, and what the user is told."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import FOUND, Asker, Outcome, let_in_by_ftp, let_in_by_smb, let_in_by_ssh, ssh_url
from contract_servers import (
    FtpServer,
    Server,
    SmbServer,
    SshServer,
    ftp_daemon,
    ftp_listener,
    serving,
    ssh_daemon,
)
from contract_trees import contents
from test_contract_interruption import Slow

OK, ERROR, RERUN = 0, 1, 75

URLS = {
    "backupagentrsync": "ssh://backup@{host}/files",
    "backupagentsftp": "sftp://backup@{host}/files",
    "backupagentftp": "ftp://anonymous@{host}/files",
    "backupagentcifs": "smb://backup@{host}/files",
}


def at_host(asker: Asker, host: str) -> dict[str, str]:
    return {"source": URLS[asker.agent.name].format(host=host)}


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_refused_connection_is_worth_another_try(asker: Asker, closed_port: int) -> None:
    outcome = asker.ask("backup", job=at_host(asker, f"127.0.0.1:{closed_port}"))
    expected = f"127.0.0.1:{closed_port} refuses the connection"
    assert (outcome.status, outcome.phrase) == (RERUN, expected), outcome


def test_a_connection_that_breaks_off_is_worth_another_try(asker: Asker) -> None:
    with serving(["true"]) as server:
        outcome = asker.ask("backup", job=at_host(asker, f"127.0.0.1:{server.port}"))
    expected = f"the connection to 127.0.0.1:{server.port} broke off"
    assert (outcome.status, outcome.phrase) == (RERUN, expected), outcome


def test_a_machine_that_is_not_there_is_an_error(asker: Asker) -> None:
    outcome = asker.ask("backup", job=at_host(asker, "no-such-machine.invalid"))
    answers = {
        "there is no machine of the name no-such-machine.invalid": ERROR,
        "the name of no-such-machine.invalid cannot be resolved at the moment": RERUN,
    }
    assert outcome.status == answers.get(outcome.phrase), outcome


def test_a_server_that_says_nothing_is_worth_another_try(
    tmp_path: Path, empty_repository: Path, sshd: SshServer, ftpd: FtpServer
) -> None:
    """All agents wait side by side, for half a minute: so long may a server think."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        waiting = []
        for path in FOUND:
            (tmp_path / path.name).mkdir()
            asker = Asker(path, tmp_path / path.name, empty_repository)
            if path.name == "backupagentsftp":
                let_in_by_ssh(asker, sshd)
            if path.name == "backupagentftp":
                let_in_by_ftp(asker, ftpd)
            waiting.append((asker, asker.start(asker.request("backup", job=at_host(asker, host)))))
        outcomes = {asker.agent.name: asker.finish(child) for asker, child in waiting}
    assert {name: (outcome.status, outcome.phrase) for name, outcome in outcomes.items()} == dict.fromkeys(
        outcomes, (RERUN, f"{host} does not answer")
    )


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


def connected_by_ftp(server: FtpServer) -> socket.socket:
    """A connection that is let in: as soon as vsftpd has reaped what served the one before."""
    while True:
        connection = socket.create_connection(("127.0.0.1", server.port))
        if connection.recv(1024).startswith(b"220"):
            return connection
        connection.close()


def test_an_ftp_server_without_a_connection_left_is_worth_another_try(
    asker_of: Callable[[str], Asker], small_tree: Path, tmp_path: Path
) -> None:
    asker = asker_of("backupagentftp")
    with ftp_listener(tmp_path / "ftpd", "max_clients=1") as ftpd:
        let_in_by_ftp(asker, ftpd)
        with connected_by_ftp(ftpd):
            outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    expected = f"127.0.0.1:{ftpd.port} has no connection left"
    assert (outcome.status, outcome.phrase) == (RERUN, expected), outcome
    assert asker.snapshots() == []


@contextmanager
def connected_by_smb(server: SmbServer, file: Path) -> Iterator[None]:
    """Somebody reads a file of the share that allows one connection, and does not come to its end."""
    command = ["rclone", "obscure", "-"]
    password = subprocess.run(
        command, input=server.password, text=True, capture_output=True, check=True
    ).stdout
    share = f":smb,host=127.0.0.1,port={server.port},user=backup,pass={password.strip()}:single"
    command = ["rclone", "--config=", "cat", f"{share}{file}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        assert reader.stdout.read(1)
        yield
        reader.kill()


def test_a_share_without_a_connection_left_is_worth_another_try(
    asker_of: Callable[[str], Asker], smbd: SmbServer, small_tree: Path, tmp_path: Path
) -> None:
    asker = asker_of("backupagentcifs")
    let_in_by_smb(asker, smbd)
    (tmp_path / "large").write_bytes(bytes(64 << 20))
    source = f"smb://backup@127.0.0.1:{smbd.port}/single{small_tree}"
    with connected_by_smb(smbd, tmp_path / "large"):
        outcome = asker.ask("backup", job={"source": source})
    expected = f"127.0.0.1:{smbd.port} has no connection or no memory left at the moment"
    assert (outcome.status, outcome.phrase) == (RERUN, expected), outcome
    assert asker.snapshots() == []


@pytest.mark.parametrize("most", [1, 2])
def test_another_try_does_with_one_connection_of_an_ftp_server(
    asker_of: Callable[[str], Asker], slow_tree: Path, tmp_path: Path, most: int
) -> None:
    """More are not allowed by many a cheap web space."""
    asker = asker_of("backupagentftp")
    with ftp_listener(tmp_path / "ftpd", f"max_per_ip={most}") as ftpd:
        let_in_by_ftp(asker, ftpd)
        # A connection counts until vsftpd has reaped the process that served it: perhaps for longer than it lasts.
        tries = (asker.ask("backup", attempt=n, job={"source": asker.at(slow_tree)}) for n in (2, 3, 4))
        outcome = next((each for each in tries if each.status != RERUN), None)
    assert outcome
    assert outcome.status == OK, outcome
    assert contents(asker.mirror) == contents(slow_tree)


@pytest.fixture
def slow_tree(tmp_path: Path) -> Path:
    """A tree that takes four seconds at the speed of `Slow`."""
    root = tmp_path / "slow"
    root.mkdir()
    for number in range(16):
        (root / f"{number:02}").write_bytes(os.urandom(1 << 18))
    return root


def serving_one(asker: Asker, request: pytest.FixtureRequest) -> Server | None:
    """What serves this agent; None where it reads this machine itself."""
    name = {"backupagentsftp": "sshd", "backupagentftp": "ftpd", "backupagentcifs": "smbd"}.get(
        asker.agent.name
    )
    server: Server | None = request.getfixturevalue(name).server if name else None
    return server


def test_connections_lost_on_the_way_leave_no_lie(
    asker: Asker, slow_tree: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    slow = Slow(asker, slow_tree)
    if server := serving_one(asker, request):
        server.drop_connections()
    outcome = asker.finish(slow.process)
    assert outcome.status in (OK, RERUN), outcome
    assert len(asker.snapshots()) == (outcome.status == OK)
    if outcome.status == OK:
        assert contents(asker.mirror) == contents(slow_tree)
    asker.backup(job={"source": asker.at(slow_tree)})
    assert contents(asker.mirror) == contents(slow_tree)


@pytest.fixture
def served(asker: Asker, request: pytest.FixtureRequest) -> Iterator[Server]:
    """What serves this agent, rsync over ssh; at the end it answers again."""
    server = serving_one(asker, request)
    if server is None:
        sshd = request.getfixturevalue("sshd")
        let_in_by_ssh(asker, sshd)
        asker.place, server = ssh_url(sshd, ""), sshd.server
    yield server
    server.recover()


def test_a_server_that_falls_silent_while_it_transfers_is_worth_another_try(
    asker: Asker, served: Server, slow_tree: Path
) -> None:
    slow = Slow(asker, slow_tree, silence=3)
    served.fall_silent(for_good=False)
    outcome = asker.finish(slow.process)
    if outcome.status != OK:  # rclone tries again on a new connection, which this server answers
        assert_silent(outcome, served)
    assert len(asker.snapshots()) == (outcome.status == OK)
    # Who is stopped may hold what those who come after wait for.
    served.recover()
    asker.backup(job={"source": asker.at(slow_tree)})
    assert contents(asker.mirror) == contents(slow_tree)


def test_a_server_that_hangs_for_good_is_not_tried_for_ever(
    asker: Asker, served: Server, slow_tree: Path
) -> None:
    slow = Slow(asker, slow_tree, silence=3)
    served.fall_silent(for_good=True)
    assert_silent(asker.finish(slow.process), served)
    assert asker.snapshots() == []


def assert_silent(outcome: Outcome, server: Server) -> None:
    host = f"127.0.0.1:{server.port}"
    assert outcome.status == RERUN, outcome
    assert outcome.phrase in (f"{host} does not answer", f"the connection to {host} broke off"), outcome


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
