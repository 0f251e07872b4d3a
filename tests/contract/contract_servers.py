"""Real servers on loopback, each connection served as inetd would: no port to wait for, no process to leak."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Server:
    """A listening port and the processes that answer on it."""

    port: int
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def drop_connections(self) -> None:
        """Kill whatever answers at the moment, as a crashing server would."""
        for child in self.children:
            child.kill()


@contextlib.contextmanager
def serving(command: Sequence[str]) -> Iterator[Server]:
    """Listen on a free port and give each connection to `command` as stdin and stdout."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])
    thread = threading.Thread(target=_accept, args=(listener, command, server))
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
        server.drop_connections()
        for child in server.children:
            child.wait()


def _accept(listener: socket.socket, command: Sequence[str], server: Server) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            child = subprocess.Popen(
                command,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        server.children.append(child)


@contextlib.contextmanager
def rsync_daemon(directory: Path, module: Path, password: str) -> Iterator[Server]:
    """An rsyncd with the modules `files` (open), `locked` (user backup) and `gone` (its path is missing)."""
    directory.mkdir()
    secrets = directory / "secrets"
    secrets.write_text(f"backup:{password}\n")
    secrets.chmod(0o600)
    identity = "uid = root\ngid = root\n" if os.geteuid() == 0 else ""
    config = directory / "rsyncd.conf"
    config.write_text(
        f"use chroot = no\nread only = no\n{identity}"
        f"[files]\npath = {module}\n"
        f"[locked]\npath = {module}\nauth users = backup\nsecrets file = {secrets}\n"
        f"[gone]\npath = {directory}/missing\n"
        f"[denied]\npath = {module}\nhosts deny = *\n"
    )
    with serving(["rsync", "--daemon", f"--config={config}"]) as server:
        yield server


@dataclass
class SshServer:
    """An sshd, the private key that it accepts, and the known_hosts that knows it."""

    server: Server
    private_key: Path
    known_hosts: Path

    @property
    def port(self) -> int:
        return self.server.port


@contextlib.contextmanager
def ssh_daemon(directory: Path) -> Iterator[SshServer]:
    """An sshd that lets the present user in by key."""
    directory.mkdir()
    for name in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(directory / name)], check=True
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    config = directory / "sshd_config"
    config.write_text(
        f"HostKey {directory}/host\nAuthorizedKeysFile {directory}/client.pub\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    )
    with serving(["/usr/sbin/sshd", "-i", "-f", str(config)]) as server:
        known_hosts = directory / "known_hosts"
        key = (directory / "host.pub").read_text()
        known_hosts.write_text(f"[127.0.0.1]:{server.port} {key}")
        yield SshServer(server, directory / "client", known_hosts)
