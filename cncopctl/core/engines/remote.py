"""Where jobs of the types SFTP, FTP, FTPS and CIFS read from or write to, taken apart once and checked.

    SFTP        sftp://user@host:port/path
    FTP         ftp://user@host:port/path
    FTPS        ftp://... or ftpes://... (explicit TLS, port 21), ftps://... (implicit TLS, port 990)
    CIFS        //user@server/share/path, smb://DOMAIN;user@server:port/share/path

Paths are what the server shows, and nothing in them is decoded: what is written is the name. For SFTP and FTP
`/~/path` is below the directory in which a login ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from cncopctl.core.engines.endpoint import EndpointError, refuse_unsafe

_HOST = r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/@;\[\]-][^\s:/@;\[\]]*)"
# FTP users of hosting companies are mail addresses, so that the last @ ends the user.
_USER = r"(?:(?:(?P<domain>[^\s:/@;]+);)?(?P<user>[^\s:/;\"`'%-][^\s:/;\"`'%]*)@)?"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_URL = re.compile(rf"(?P<scheme>[a-z]+)://{_USER}{_HOST}{_PORT}(?P<path>/.*)?", re.DOTALL)
_UNC = re.compile(rf"//{_USER}{_HOST}{_PORT}(?P<path>/.*)?", re.DOTALL)
_HIGHEST_PORT = 65535


class Protocol(StrEnum):
    """What is spoken with the server; the values are what rclone calls it."""

    SFTP = "sftp"
    FTP = "ftp"
    SMB = "smb"


class Tls(StrEnum):
    """Whether and when FTP is encrypted."""

    NONE = "none"
    EXPLICIT = "explicit"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Remote:
    """A directory or a file on a server.

    `path` is absolute, or begins with `~` where it is below the directory of the login; for SMB it begins
    with the share. `port` 0 is the protocol's own.
    """

    protocol: Protocol
    host: str
    path: str
    user: str = ""
    port: int = 0
    domain: str = ""
    tls: Tls = Tls.NONE

    @property
    def place(self) -> str:
        """The server in a sentence: host, and port where one was given."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def login(self) -> str:
        """`user@host`, or `host` where no user is given."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def served_path(self) -> str:
        """The path as rclone asks for it: relative where it is below the directory of the login."""
        if self.protocol is Protocol.SMB:
            return self.path.strip("/")
        if self.path == "~" or self.path.startswith("~/"):
            return self.path[2:].strip("/")
        return self.path.rstrip("/") or "/"

    def below(self, path: str) -> str:
        """A path below this place as rclone asks for it."""
        root = self.served_path
        return f"{root.rstrip('/')}/{path}" if root and path else root or path

    @property
    def default_port(self) -> int:
        """The port that is asked where none was given."""
        implicit = 990 if self.tls is Tls.IMPLICIT else 21
        return {Protocol.SFTP: 22, Protocol.FTP: implicit, Protocol.SMB: 445}[self.protocol]

    def parent(self) -> Remote:
        """The directory that holds this place."""
        above = self.path.rstrip("/").rpartition("/")[0]
        return Remote(self.protocol, self.host, above or "/", self.user, self.port, self.domain, self.tls)

    def name(self) -> str:
        """The last part of the path; "" for a root, a share or the directory of the login."""
        path = self.path.strip("/")
        if path == "~" or (self.protocol is Protocol.SMB and "/" not in path):
            return ""
        return path.rpartition("/")[2]


FORMS = {
    "SFTP": "sftp://user@host:port/path",
    "FTP": "ftp://user@host:port/path",
    "FTPS": "ftp://user@host/path (explicit TLS) or ftps://user@host/path (implicit TLS)",
    "CIFS": "//user@server/share/path or smb://DOMAIN;user@server/share/path",
}
"""How a remote of each job type is written."""

_SCHEMES: dict[str, dict[str, tuple[Protocol, Tls]]] = {
    "SFTP": {"sftp": (Protocol.SFTP, Tls.NONE)},
    "FTP": {"ftp": (Protocol.FTP, Tls.NONE)},
    "FTPS": {
        "ftp": (Protocol.FTP, Tls.EXPLICIT),
        "ftpes": (Protocol.FTP, Tls.EXPLICIT),
        "ftps": (Protocol.FTP, Tls.IMPLICIT),
    },
    "CIFS": {"smb": (Protocol.SMB, Tls.NONE), "cifs": (Protocol.SMB, Tls.NONE)},
}


def parse_remote(text: str, job_type: str) -> Remote:
    """Read a remote of a job of `job_type` as a profile writes it.

    Raises:
        EndpointError: it is none, or one of another job type.
    """
    refuse_unsafe(text)
    hint = f"write {FORMS[job_type]}"
    found = _UNC.fullmatch(text) if job_type == "CIFS" and text.startswith("//") else _URL.fullmatch(text)
    if found is None:
        raise EndpointError(f"{text!r} is not a place that a {job_type} job can reach", hint)
    scheme = found.groupdict().get("scheme", "smb")
    if scheme not in _SCHEMES[job_type]:
        other = next((kind for kind, known in _SCHEMES.items() if scheme in known), "")
        raise EndpointError(
            f"{text!r} is not a place that a {job_type} job can reach",
            f'that is for type = "{other}"; {hint}' if other else hint,
        )
    return _remote(found, *_SCHEMES[job_type][scheme], hint)


def _remote(found: re.Match[str], protocol: Protocol, tls: Tls, hint: str) -> Remote:
    port, domain, path = int(found["port"] or 0), found["domain"] or "", found["path"] or "/"
    if port > _HIGHEST_PORT:
        raise EndpointError(f"{found[0]!r} has a port that does not exist: {port}", hint)
    if domain and protocol is not Protocol.SMB:
        raise EndpointError(f"{found[0]!r} has a domain, which only CIFS knows", hint)
    if ".." in path.split("/"):
        raise EndpointError(f'{found[0]!r} has ".." in it', "write the path that it leads to")
    if protocol is Protocol.SMB and not path.strip("/"):
        raise EndpointError(f"{found[0]!r} names no share", hint)
    if protocol is not Protocol.SMB and (path == "/~" or path.startswith("/~/")):
        path = path[1:]
    return Remote(protocol, found["host"], path, found["user"] or "", port, domain, tls)
