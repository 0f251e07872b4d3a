"""Where an rsync job reads from or writes to, taken apart once and checked.

rsync's own reading of `host:path`, `host::module/path` and `rsync://host/module/path` (rsync(1), GENERAL),
plus `ssh://user@host:port/path`, since rsync has no way of its own to write a port for ssh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_HOST = r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/@\[\]-][^\s:/@\[\]]*)"
_USER = r"(?:(?P<user>[^\s:/@-][^\s:/@]*)@)?"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_URL = re.compile(rf"(?P<scheme>rsync|ssh)://{_USER}{_HOST}{_PORT}(?P<path>/.*)?", re.DOTALL)
_MODULE = re.compile(rf"{_USER}{_HOST}::(?P<path>.*)", re.DOTALL)
_SHELL = re.compile(rf"{_USER}{_HOST}:(?P<path>.*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_URL_PASSWORD = re.compile(r"(?!/).*?[A-Za-z0-9+.-]://[^/@:]*:[^/@]*@", re.DOTALL)


class Transport(StrEnum):
    """How rsync gets at an endpoint."""

    LOCAL = "local"
    SSH = "ssh"
    DAEMON = "daemon"


class EndpointError(ValueError):
    """The text names no endpoint; says why, and `hint` what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A directory or a file, here or elsewhere.

    `path` is absolute for LOCAL, as the remote shell's user sees it for SSH ("" is their home), and
    `module/path` for DAEMON. `port` 0 is the transport's own.
    """

    transport: Transport
    path: str
    host: str = ""
    user: str = ""
    port: int = 0

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return self.transport is Transport.LOCAL

    @property
    def login(self) -> str:
        """`user@host`, or `host` where no user is given."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def place(self) -> str:
        """The endpoint's machine in a sentence: host and port, or "this machine"."""
        if self.is_local:
            return "this machine"
        return f"{self.host}:{self.port}" if self.port else self.host

    def contents(self) -> str:
        """The argument that names what is in the directory, never the directory itself."""
        return self._argument(self.path.rstrip("/") + "/" if self.path else "./")

    def parent(self) -> Endpoint:
        """The directory that holds this endpoint."""
        above = self.path.rstrip("/").rpartition("/")[0]
        if not above and self.path.startswith("/"):
            above = "/"
        return Endpoint(self.transport, above, self.host, self.user, self.port)

    def name(self) -> str:
        """The last part of the path; "" for a root, a module or a home."""
        path = self.path.rstrip("/")
        if self.transport is Transport.DAEMON and "/" not in path:
            return ""
        return path.rpartition("/")[2]

    def _argument(self, path: str) -> str:
        match self.transport:
            case Transport.LOCAL:
                return path
            case Transport.SSH:
                return f"{self.login}:{escape_wildcards(path)}"
            case Transport.DAEMON:
                port = f":{self.port}" if self.port else ""
                return f"rsync://{self.login}{port}/{escape_wildcards(path)}"


def escape_wildcards(path: str) -> str:
    """A remote path that the remote rsync's own wildcard expansion leaves as it is (rsync(1), -s)."""
    return re.sub(r"([*?\[\\])", r"\\\1", path) if re.search(r"[*?\[]", path) else path


def parse_endpoint(text: str) -> Endpoint:
    """Read an endpoint as a profile writes it.

    Raises:
        EndpointError: it is none, or one that could be mistaken for an option of rsync or ssh.
    """
    refuse_unsafe(text)
    if text.startswith("/"):
        return Endpoint(Transport.LOCAL, text)
    if _SCHEME.match(text):
        return _from_url(text)
    if found := _MODULE.fullmatch(text):
        return _daemon(found, port="")
    if found := _SHELL.fullmatch(text):
        return Endpoint(Transport.SSH, found["path"], found["host"], found["user"] or "")
    raise EndpointError(
        f"{text!r} is neither an absolute path nor a remote place",
        "write /path, user@host:/path, ssh://user@host:port/path or rsync://user@host/module/path",
    )


def refuse_unsafe(text: str) -> None:
    """Refuse what no place can be called, and passwords, whatever the protocol.

    Raises:
        EndpointError: it is empty, or has a control character or a password in it.
    """
    if not text:
        raise EndpointError("it is empty", "write a path or a remote place")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise EndpointError(f"{text!r} has a control character in it", "write it without line breaks or tabs")
    if has_password(text):
        raise EndpointError(
            "it has a password in it", "store it with `cncopctl credential set NAME` and name it in the job"
        )


def has_password(text: str) -> bool:
    """Whether a place, of whatever type of job, is a URL with a password (RFC 3986, section 3.2.1)."""
    return bool(_URL_PASSWORD.match(text))


def _from_url(text: str) -> Endpoint:
    found = _URL.fullmatch(text)
    if found is None:
        raise EndpointError(
            f"{text!r} is not a URL that rsync can use",
            "write ssh://user@host:port/path or rsync://user@host/module/path",
        )
    if found["scheme"] == "rsync":
        return _daemon(found, port=found["port"] or "")
    return Endpoint(
        Transport.SSH, found["path"] or "/", found["host"], found["user"] or "", int(found["port"] or 0)
    )


def _daemon(found: re.Match[str], port: str) -> Endpoint:
    path = (found["path"] or "").strip("/")
    if not path:
        raise EndpointError(
            f"{found[0]!r} names no module", f"list them with: rsync rsync://{found['host']}/"
        )
    return Endpoint(Transport.DAEMON, path, found["host"], found["user"] or "", int(port or 0))
