"""Connections that are refused, break off or fall silent, for every agent: what is worth another try."""

from __future__ import annotations

import socket
import subprocess
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
    ftp_listener,
    serving,
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


def connected_by_ftp(server: FtpServer) -> socket.socket:
    """A connection that is let in: as soon as vsftpd has reaped what served the one before."""
    while True:
        connection = socket.create_connection(("127.0.0.1", server.port))
        if connection.recv(1024).startswith(b"220"):
            return connection
        while connection.recv(1024):  # the one that is turned away counts as well, until it is gone
            pass
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


@pytest.mark.parametrize("most", [1, 4, 8])
def test_an_ftp_server_that_allows_few_connections_is_asked_for_one(
    asker_of: Callable[[str], Asker], small_files: Path, tmp_path: Path, most: int
) -> None:
    """More are not allowed by many a cheap web space."""
    asker = asker_of("backupagentftp")
    with ftp_listener(tmp_path / "ftpd", f"max_per_ip={most}") as ftpd:
        let_in_by_ftp(asker, ftpd)
        outcome = asker.ask("backup", job={"source": asker.at(small_files)})
    assert outcome.status == OK, outcome
    assert contents(asker.mirror) == contents(small_files)


@pytest.fixture
def small_files(tmp_path: Path) -> Path:
    """Enough directories of enough files for all the connections that rclone could make use of."""
    for number in range(400):
        directory = tmp_path / "files" / f"{number % 20}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{number}").write_text(f"{number}")
    return tmp_path / "files"


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
