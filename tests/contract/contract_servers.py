"""Real servers on loopback, each connection served as inetd would: no port to wait for, no process to leak."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shutil
import signal
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
    answers: bool = True

    def fall_silent(self, *, for_good: bool) -> None:
        """Stop whatever answers at the moment, with all that it started, as a server with a hanging disk does."""
        self.answers = not for_good
        for child in self.children:
            self.stop(child)

    @staticmethod
    def stop(child: subprocess.Popen[bytes]) -> None:
        """Stop who answers, with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGSTOP)

    def recover(self) -> None:
        """Answer again, to whoever connects anew."""
        self.answers = True
        self.drop_connections()

    def drop_connections(self) -> None:
        """Kill whatever answers at the moment, with all that it started, as a crashing machine would."""
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # which nobody else can be: it is waited for at the end


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
        if not server.answers:
            server.stop(child)


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
def ssh_daemon(
    directory: Path, through: Sequence[str] = (), *, sftp: str = "internal-sftp"
) -> Iterator[SshServer]:
    """An sshd that lets the present user in by key, or `sync` where it runs `through` what makes it that."""
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
        f"Subsystem sftp {sftp}\n"
        "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    )
    if through:
        shutil.chown(directory / "host", "sync")
    with serving([*through, "/usr/sbin/sshd", "-i", "-f", str(config)]) as server:
        known_hosts = directory / "known_hosts"
        key = (directory / "host.pub").read_text()
        known_hosts.write_text(f"[127.0.0.1]:{server.port} {key}")
        yield SshServer(server, directory / "client", known_hosts)


@dataclass
class FtpServer:
    """A vsftpd that shows the whole machine to whoever knows the password, and the certificate that it has."""

    server: Server
    password: str
    certificate: Path

    @property
    def port(self) -> int:
        return self.server.port


# The user is "anonymous", whose password is asked for all the same: it needs neither an account nor PAM.
_VSFTPD = """
listen=NO
anonymous_enable=YES
secure_email_list_enable=YES
email_password_file={directory}/passwords
anon_root=/
anon_world_readable_only=NO
anon_umask=022
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
ftp_username={user}
run_as_launching_user=YES
seccomp_sandbox=NO
xferlog_enable=NO
{more}
"""
_FTPS = """
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
ssl_ciphers=HIGH
rsa_cert_file={directory}/certificate.pem
rsa_private_key_file={directory}/key.pem
"""


def make_certificate(directory: Path, names: str) -> None:
    """A certificate of its own authority."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "30", "-subj", "/CN=cncop test", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(directory / "key.pem"), "-out", str(directory / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def ftp_daemon(
    directory: Path,
    *,
    tls: str = "",
    names: str = "IP:127.0.0.1,DNS:localhost",
    more: str = "",
    through: Sequence[str] = (),
) -> Iterator[FtpServer]:
    """A vsftpd; `tls` is "explicit", "implicit" or "" for none, `names` are its certificate's."""
    directory.mkdir()
    password = "pass wörd of the FTP server"  # noqa: S105
    (directory / "passwords").write_text(f"{password}\n")
    if tls:
        make_certificate(directory, names)
        more += _FTPS.format(directory=directory) + ("implicit_ssl=YES\n" if tls == "implicit" else "")
    config = directory / "vsftpd.conf"
    user = "sync" if through else pwd.getpwuid(os.geteuid()).pw_name
    config.write_text(_VSFTPD.format(directory=directory, user=user, more=more))
    if through:
        shutil.chown(config, user)
    with serving([*through, "/usr/sbin/vsftpd", str(config)]) as server:
        yield FtpServer(server, password, directory / "certificate.pem")


@contextlib.contextmanager
def ftp_listener(directory: Path, more: str) -> Iterator[FtpServer]:
    """A vsftpd that listens itself, as it must to count its clients; `more` is for its configuration."""
    directory.mkdir()
    password = "pass wörd of the FTP server"  # noqa: S105
    (directory / "passwords").write_text(f"{password}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = _VSFTPD.format(directory=directory, user=user, more=more).replace("listen=NO", "listen=YES")
    config = directory / "vsftpd.conf"
    config.write_text(f"{text}\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n")
    child = subprocess.Popen(["/usr/sbin/vsftpd", str(config)], start_new_session=True)
    ended = os.pidfd_open(child.pid)
    try:
        while not _greets(port):
            assert not select.select([ended], [], [], 0.01)[0], "vsftpd does not start"
        yield FtpServer(Server(port, [child]), password, directory / "certificate.pem")
    finally:
        os.close(ended)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _greets(port: int) -> bool:
    """Whether an FTP server answers, which then has forgotten us again."""
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            greeted = connection.recv(1 << 10).startswith(b"220")
            connection.sendall(b"QUIT\r\n")
            return greeted and all(iter(lambda: connection.recv(1 << 10), b""))
    except OSError:
        return False


@dataclass
class SmbServer:
    """A smbd with the share `files`, which is the whole machine, for the user `backup`."""

    server: Server
    password: str

    @property
    def port(self) -> int:
        return self.server.port


_SMBD = """
[global]
private dir={directory}/private
lock directory={directory}/lock
state directory={directory}/state
cache directory={directory}/cache
pid directory={directory}/pid
ncalrpc dir={directory}/ncalrpc
log file={directory}/log
server role=standalone
disable netbios=yes
disable spoolss=yes
# Each smbd here serves one connection, and ends; another one may still count on its notify daemon.
change notify=no
load printers=no
interfaces=127.0.0.1/8
bind interfaces only=yes
passdb backend=tdbsam:{directory}/private/passdb.tdb
username map={directory}/users
[files]
path=/
read only=no
force user={user}
[small]
path={directory}/small
read only=no
force user={user}
[single]
path=/
read only=no
force user={user}
max connections=1
[locked]
path=/
valid users=nobody
"""


@contextlib.contextmanager
def smb_daemon(directory: Path) -> Iterator[SmbServer]:
    """A smbd that answers on each connection."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "small"):
        (directory / name).mkdir(parents=True)
    (directory / "users").write_text(f"{user} = backup\n")
    config = directory / "smb.conf"
    config.write_text(_SMBD.format(directory=directory, user=user))
    password = "pass wörd of the share"  # noqa: S105
    subprocess.run(
        ["pdbedit", "--configfile", str(config), "--create", "--user", user, "--password-from-stdin"],
        input=f"{password}\n{password}\n".encode(),
        check=True,
        capture_output=True,
    )
    with serving(["/usr/sbin/smbd", "--configfile", str(config), "--no-process-group"]) as server:
        yield SmbServer(server, password)
