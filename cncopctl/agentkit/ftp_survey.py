"""What rclone does not tell of an FTP server: what it can do, and what among its files is a link.

rclone takes a link for an empty file and fails on it, whether it lists by LIST or by MLSD. Where a server lists as
`ls -l` does, links are told by their lines; others show what they point to, or nothing.
"""

from __future__ import annotations

import contextlib
import ftplib
import re
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.survey import TOO_LONG, Entry, Kind, Survey, is_too_long
from cncopctl.core.engines.rclone import FTP_CONNECTIONS, Ways
from cncopctl.core.engines.rclone_failures import SESSION_REUSE, diagnose
from cncopctl.core.engines.remote import Tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from cncopctl.core.engines.rclone_filters import Excludes
    from cncopctl.core.engines.remote import Remote

_TIMEOUT = 60.0
_GOODBYE = 2.0
_PAUSES = (0.1, 0.4, 1.5)
# A line as `ls -l` writes it: type and mode, links, owner, group, size, three words of a date, a space, the name.
_LINE = re.compile(
    r"^([-dlbcps])[-rwxsStTlL]{9}\S?[ \t]+\S+[ \t]+\S+[ \t]+\S+[ \t]+(\d+)(?:,[ \t]*\d+)?[ \t]+"
    r"\S+[ \t]+\S+[ \t]+\S+ (.*)$",
    re.ASCII | re.MULTILINE,
)
_BEGINNING = re.compile(r"^[-dlbcps](?:[-r][-w]\S){3}\S?[ \t]", re.ASCII | re.MULTILINE)
# What servers say at the end of a listing that is not complete: vsftpd, and pure-ftpd twice.
_INCOMPLETE = re.compile("^.*(?:fail|unable|truncated).*$", re.IGNORECASE | re.MULTILINE)
_NOTHING = "the server shows nothing in it, not even the directory itself"
_ARROW = " -> "
_LINE_BREAK = "its name has a line break in it, which FTP cannot ask for"
_TWO_ARROWS = (
    f"the name or the target of a link has{_ARROW}in it, so that nobody can tell where the name ends"
)
_UNKNOWN_LINES = "the server lists it with lines that are not as `ls -l` writes them"
_KINDS = {"d": Kind.DIRECTORY, "l": Kind.LINK, "-": Kind.FILE}
_LONGEST_LISTING = 1 << 28  # bytes; about two million names, of one directory


class _FtpTls(ftplib.FTP_TLS):
    """FTP over TLS that can begin with TLS, and whose data connections go on with its session."""

    implicit = False
    reuse = True

    def connect(  # type: ignore[override]
        self, host: str, port: int, timeout: float
    ) -> str:
        """Connect, and begin TLS at once where it is implicit; the greeting."""
        if not self.implicit:
            return super().connect(host, port, timeout)
        import socket

        self.host, self.port, self.timeout = host, port, timeout
        plain = socket.create_connection((host, port), timeout)
        self.af = plain.family
        self.sock = self.context.wrap_socket(plain, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open a data connection."""
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - the class above ours
        session = self.sock.session if self.reuse and isinstance(self.sock, ssl.SSLSocket) else None
        return self.context.wrap_socket(connection, server_hostname=self.host, session=session), size


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and what certificates count besides the system's."""

    user: str
    password: str
    certificates: Path | None


@contextlib.contextmanager
def connected(remote: Remote, login: Login) -> Iterator[ftplib.FTP]:
    """A session with the server, logged in; at its end the server has let it go, so that another may begin.

    Raises:
        AgentError: there is none, or it broke off.
    """
    ftp: ftplib.FTP = ftplib.FTP() if remote.tls is Tls.NONE else _tls(remote, login.certificates)  # noqa: S321
    ftp.encoding = "latin-1"  # a character for each byte
    try:
        _connect(ftp, remote)
        ftp.login(_as_bytes(login.user), _as_bytes(login.password))
        if isinstance(ftp, ftplib.FTP_TLS):
            ftp.prot_p()
        yield ftp
        _quit(ftp)
    except ftplib.all_errors as error:
        words = str(error) or "EOF"
        raise AgentError.diagnosed(diagnose(1, words, remote)) from error
    finally:
        ftp.close()


def _connect(ftp: ftplib.FTP, remote: Remote) -> None:
    """Connect; once more where there is no connection left: one that has just ended may count a little longer."""
    for pause in (*_PAUSES, 0):
        try:
            ftp.connect(remote.host.strip("[]"), remote.port or remote.default_port, timeout=_TIMEOUT)
        except ftplib.error_temp as error:
            if not pause or not str(error).startswith("421"):
                raise
            ftp.close()
            time.sleep(pause)
        else:
            return


def _quit(ftp: ftplib.FTP) -> None:
    """Say goodbye, and wait until the server has hung up: until then the connection counts."""
    with contextlib.suppress(*ftplib.all_errors):
        if ftp.sock and ftp.file:
            ftp.sock.settimeout(_GOODBYE)
            ftp.sendcmd("QUIT")
            ftp.file.read(1)


def _tls(remote: Remote, certificates: Path | None) -> _FtpTls:
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificates:
        context.load_verify_locations(certificates)
    ftp = _FtpTls(context=context)
    ftp.implicit = remote.tls is Tls.IMPLICIT
    return ftp


def _as_bytes(text: str) -> str:
    """Text such that each of its characters becomes the byte that it is in UTF-8."""
    return text.encode(errors="surrogateescape").decode("latin-1")


def ways(ftp: ftplib.FTP) -> Ways:
    """How this server has to be talked to."""
    try:
        features = {line.strip().split(" ")[0].upper() for line in ftp.sendcmd("FEAT").splitlines()[1:-1]}
    except ftplib.error_perm:
        features = set()
    knows_mlsd = "MLST" in features
    return Ways(
        list_hidden=not knows_mlsd,
        connections=1 if _wants_reuse(ftp) else FTP_CONNECTIONS,
        times=knows_mlsd or "MDTM" in features,
        in_parts=False,
    )


def directory(ftp: ftplib.FTP, path: str) -> str:
    """Where `path` leads to, links followed, as far as the server tells; "" where it does not let us in.

    rclone takes a link for a file. Why we are not let in, it is to say.
    """
    try:
        ftp.cwd(_as_bytes(_absolute(path, "", ftp)))
        return ftp.pwd().encode("latin-1").decode(errors="surrogateescape")
    except ftplib.error_perm:
        return ""


def _wants_reuse(ftp: ftplib.FTP) -> bool:
    """Whether data connections have to go on with the TLS session of this one: it is tried without."""
    if not isinstance(ftp, _FtpTls):
        return False
    ftp.reuse = False
    try:
        ftp.retrlines("LIST -d .", lambda _line: None)
    except (ftplib.Error, OSError) as error:
        return re.search(SESSION_REUSE, str(error)) is not None
    finally:
        ftp.reuse = True
    return False


def survey(ftp: ftplib.FTP, root: str, excludes: Excludes) -> Survey:
    """What is in a tree, as far as the server lists it like `ls -l`.

    A directory that may not be read is listed as if it were empty: without even the `.` of others.
    """
    found = Survey()
    waiting = [""]
    shows_itself = False
    with contextlib.suppress(ftplib.error_perm):
        ftp.sendcmd("OPTS UTF8 ON")  # as rclone does, lest names look different to the two of us
    ftp.sendcmd("TYPE A")  # once: ftplib's own retrlines asks for it before each listing
    while waiting:
        directory = waiting.pop()
        try:
            ftp.cwd(_as_bytes(_absolute(root, directory, ftp)))
            listing, ending = _listing(ftp)
        except ftplib.error_perm as error:
            found.unreadable[directory] = str(error)
            continue
        lines: list[tuple[str, str, str]] = _LINE.findall(listing)
        shows_itself |= any(name == "." for _, _, name in lines)
        if incomplete := _INCOMPLETE.search(ending):
            found.unreadable[directory] = incomplete[0]
        elif shows_itself and not listing:
            found.unreadable[directory] = _NOTHING
        elif len(_BEGINNING.findall(listing)) > len(lines):
            found.unreadable[directory] = _UNKNOWN_LINES  # which rclone passes over without a word
        waiting += _take(found, directory, lines, excludes)
    return found


def _listing(ftp: ftplib.FTP) -> tuple[str, str]:
    """What the server lists of the present directory, and what it says at the end."""
    received = bytearray()
    with ftp.transfercmd("LIST -a") as connection:
        while part := connection.recv(1 << 16):
            received += part
            if len(received) > _LONGEST_LISTING:
                raise AgentError("the listing of a directory has no end", "look at what that server does")
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()
    return received.decode(errors="surrogateescape").replace("\r\n", "\n"), ftp.voidresp()


def _take(found: Survey, directory: str, lines: list[tuple[str, str, str]], excludes: Excludes) -> list[str]:
    """Add to a survey what the listing of a directory says; the directories in it that are to be looked at."""
    below = f"{directory}/" if directory else ""
    directories = []
    for letter, size, name in lines:
        kind = _KINDS.get(letter, Kind.OTHER)
        target = ""
        if kind is Kind.LINK:
            name, _, target = name.partition(_ARROW)
            kind = Kind.LINK if target else Kind.OTHER
        path, is_directory = below + name, kind is Kind.DIRECTORY
        if name in ("", ".", "..") or "/" in name or excludes.leave_out(path, is_directory=is_directory):
            continue
        found.entries[path] = Entry(kind, int(size), target=target or None)
        if why_not := _why_not(path, target, is_directory=is_directory):
            found.unreadable[path] = why_not
        elif is_directory:
            directories.append(path)
    return directories


def _why_not(path: str, target: str, *, is_directory: bool) -> str:
    """Why a name cannot be had as it is listed; "" where it can."""
    if is_directory and is_too_long(path):
        return TOO_LONG
    if is_directory and "\r" in path:
        return _LINE_BREAK
    return _TWO_ARROWS if _ARROW in target else ""


def _absolute(root: str, directory: str, ftp: ftplib.FTP) -> str:
    if not root.startswith("/"):
        root = f"{_login_directory(ftp)}/{root}"
    return f"{root.rstrip('/')}/{directory}"


def _login_directory(ftp: ftplib.FTP) -> str:
    """Where the login ended; asked for once, before any change of directory."""
    known: str | None = getattr(ftp, "cncop_home", None)
    if known is None:
        known = ftp.pwd().encode("latin-1").decode(errors="surrogateescape")
        ftp.cncop_home = known  # type: ignore[attr-defined]
    return known
