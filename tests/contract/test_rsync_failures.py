"""Real servers made to fail: whether trying again helps, and what the user is told."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from conftest import AGENTS, DAEMON_PASSWORD, Asker, ssh_url
from contract_servers import Server, SshServer, serving
from contract_trees import contents

ERROR, RERUN = 1, 75


@pytest.fixture
def agent() -> Path:
    return AGENTS / "backupagentrsync"


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("scheme", ["rsync"])
def test_a_refused_connection_is_worth_another_try(asker: Asker, scheme: str, closed_port: int) -> None:
    outcome = asker.ask("backup", job={"source": f"{scheme}://127.0.0.1:{closed_port}/files"})
    expected = f"127.0.0.1:{closed_port} refuses the connection"
    assert (outcome.status, outcome.phrase) == (RERUN, expected)


@pytest.mark.parametrize("scheme", ["rsync"])
def test_a_connection_that_breaks_off_is_worth_another_try(asker: Asker, scheme: str) -> None:
    with serving(["true"]) as server:
        outcome = asker.ask("backup", job={"source": f"{scheme}://127.0.0.1:{server.port}/files"})
    expected = f"the connection to 127.0.0.1:{server.port} broke off"
    assert (outcome.status, outcome.phrase) == (RERUN, expected)


@pytest.mark.parametrize("scheme", ["rsync"])
def test_a_machine_that_is_not_there_is_an_error(asker: Asker, scheme: str) -> None:
    outcome = asker.ask("backup", job={"source": f"{scheme}://no-such-machine.invalid/files"})
    assert outcome.phrase in (
        "there is no machine of the name no-such-machine.invalid",
        "the name of no-such-machine.invalid cannot be resolved at the moment",
    )


@pytest.mark.parametrize(
    ("module", "status", "phrase"),
    [
        ("nothing", ERROR, "has no module nothing"),
        ("denied", ERROR, "denies this machine access to module denied"),
        ("gone", ERROR, "says: "),
        ("locked", ERROR, "refuses the login to module locked"),
        ("files/missing", ERROR, "does not exist on 127.0.0.1"),
    ],
)
def test_what_a_daemon_says_is_told(
    asker: Asker, rsyncd: Server, module: str, status: int, phrase: str
) -> None:
    outcome = asker.ask("backup", job={"source": f"rsync://127.0.0.1:{rsyncd.port}/{module}"})
    assert (outcome.status, phrase in outcome.phrase) == (status, True), outcome


def test_a_wrong_daemon_password_is_an_error(asker: Asker, rsyncd: Server) -> None:
    asker.give("module", "wrong")
    source = f"rsync://backup@127.0.0.1:{rsyncd.port}/locked"
    outcome = asker.ask("backup", job={"source": source, "credential": "module"})
    assert (outcome.status, "refuses the login to module locked" in outcome.phrase) == (ERROR, True), outcome


def test_a_daemon_that_has_no_connection_left_is_worth_another_try(
    asker: Asker, tmp_path: Path, small_tree: Path
) -> None:
    config = tmp_path / "rsyncd.conf"
    config.write_text(
        f"use chroot = no\nlock file = {tmp_path}/lock\n[files]\npath = {small_tree}\nmax connections = 1\n"
    )
    with serving(["rsync", "--daemon", f"--config={config}"]) as server:
        holder = socket.create_connection(("127.0.0.1", server.port))
        with holder, holder.makefile("rwb") as talk:
            greeting = talk.readline()
            talk.write(greeting + b"files\n")
            talk.flush()
            assert talk.readline() == b"@RSYNCD: OK\n"
            outcome = asker.ask("backup", job={"source": f"rsync://127.0.0.1:{server.port}/files"})
    assert (outcome.status, "has no connection left" in outcome.phrase) == (RERUN, True), outcome


def test_a_source_that_is_missing_over_ssh_is_an_error(ssh_asker: Asker, sshd: SshServer) -> None:
    outcome = ssh_asker.ask("backup", job={"source": ssh_url(sshd, "/no/such/place")})
    assert (outcome.status, "/no/such/place does not exist" in outcome.phrase) == (ERROR, True), outcome


def test_check_logs_in_and_lists(ssh_asker: Asker, sshd: SshServer, small_tree: Path) -> None:
    for path in (small_tree, small_tree / "readme"):
        outcome = ssh_asker.ask("check", job={"source": ssh_url(sshd, path)})
        assert (outcome.status, f"{path} on 127.0.0.1" in outcome.phrase) == (0, True), outcome


@pytest.mark.parametrize(
    "source",
    [
        "-e sh -c 'touch pwned'",
        "--rsync-path=touch pwned",
        "-oProxyCommand=touch${IFS}pwned:/x",
        "ssh://-oProxyCommand=touch${IFS}pwned/x",
        "user@-oProxyCommand=touch:/x",
        "host:/x\n--delete",
        "rsync://backup:secret@host/module",
        "ftp://host/path",
        "relative/path",
        "",
    ],
)
def test_a_hostile_source_is_refused_before_anything_runs(asker: Asker, source: str) -> None:
    outcome = asker.ask("backup", job={"source": source})
    assert (outcome.status, outcome.phrase.startswith("source: ")) == (ERROR, True), outcome
    assert "secret" not in outcome.phrase + outcome.hint + outcome.stderr
    assert not Path("/pwned").exists()


def test_a_push_goes_over_ssh_and_to_a_daemon(
    ssh_asker: Asker, sshd: SshServer, small_tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "away").mkdir()
    job = {"source": str(small_tree), "direction": "PUSH", "destination": ssh_url(sshd, tmp_path / "away")}
    ssh_asker.backup(job=job)
    assert contents(tmp_path / "away") == contents(small_tree)


def test_a_bandwidth_limit_and_a_password_file_reach_a_daemon(asker: Asker, rsyncd: Server) -> None:
    asker.give("module", DAEMON_PASSWORD)
    source = f"rsync://backup@127.0.0.1:{rsyncd.port}/locked"
    outcome = asker.ask("check", job={"source": source, "credential": "module", "bandwidth": 1 << 30})
    assert outcome.status == 0, outcome


def test_files_that_the_server_may_not_read_are_an_error_and_give_no_snapshot(
    asker: Asker, tmp_path: Path, small_tree: Path
) -> None:
    (small_tree / "secret").write_text("x")
    (small_tree / "secret").chmod(0)
    config = tmp_path / "rsyncd.conf"
    identity = "uid = nobody\ngid = nogroup\n" if os.geteuid() == 0 else ""
    config.write_text(f"use chroot = no\n{identity}[files]\npath = {small_tree}\n")
    for directory in (small_tree, *small_tree.parents):
        if directory.stat().st_uid == os.geteuid() and directory.is_relative_to("/tmp"):
            directory.chmod(directory.stat().st_mode | 0o055)
    with serving(["rsync", "--daemon", f"--config={config}"]) as server:
        outcome = asker.ask("backup", job={"source": f"rsync://127.0.0.1:{server.port}/files"})
    assert (outcome.status, "cannot be read" in outcome.phrase) == (ERROR, True), outcome
    assert asker.snapshots() == []
