"""Real SMTP servers for tests: in the clear, by STARTTLS, by TLS, with and without a login."""

from __future__ import annotations

import errno
import itertools
import socket
import ssl
import subprocess
import sys
import threading
from asyncio import BaseTransport
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as POLICY  # noqa: N812 - as the standard library's documentation has it
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "backup", "so secret: ü"


@dataclass(frozen=True)
class Received:
    """A mail as it has arrived."""

    sender: str
    to: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=POLICY)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        body = self.message.get_body()
        assert body is not None
        return str(body.get_content())


class _Connection(SMTP):
    """aiosmtpd's protocol, which tells its server how long it lasts."""

    def connection_made(self, transport: BaseTransport) -> None:
        self.event_handler.note(self, is_open=True)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.event_handler.note(self, is_open=False)


class _Controller(Controller):
    """Runs the server in a thread of its own."""

    def factory(self) -> SMTP:
        return _Connection(self.handler, **self.SMTP_kwargs)


class SmtpServer:
    """An SMTP server on 127.0.0.1 while it is a context.

    `refused` are addresses that it does not take; `port` 0 is any that is free.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        security: str = "none",
        login: bool = False,
        refused: set[str] | None = None,
        port: int = 0,
    ) -> None:
        self.received: list[Received] = []
        self.security = security
        self.refused = refused or set()
        self._arrived = threading.Condition()
        options: dict[str, Any] = {}
        if security == "tls":
            options = {"ssl_context": context}
        elif security == "starttls":
            options = {"tls_context": context, "require_starttls": True}
        if login:
            options |= {"authenticator": _knows, "auth_require_tls": security == "starttls"}
        self._login = login
        self._open: set[SMTP] = set()
        self._fixed, self._options = port, options
        self._controller = self._new_controller()

    def _new_controller(self) -> _Controller:
        port = self._fixed or free_port()
        return _Controller(self, hostname="127.0.0.1", port=port, **self._options)

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def __enter__(self) -> Self:
        for _ in range(10):
            try:
                self._controller.start()  # type: ignore[no-untyped-call]
            except OSError as error:
                # Somebody else was quicker to take the port that was free.
                if error.errno != errno.EADDRINUSE or self._fixed:
                    raise
                self._controller = self._new_controller()
            else:
                return self
        raise OSError(errno.EADDRINUSE, "every port that was free was taken")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A socket that is left open is told by Python later, as the fault of some other test.
        with self._arrived:
            self._arrived.wait_for(lambda: not self._open, 5)
        self._controller.stop()

    def note(self, connection: SMTP, *, is_open: bool) -> None:
        """A client has connected, or is gone."""
        with self._arrived:
            if is_open:
                self._open.add(connection)
            else:
                self._open.discard(connection)
            self._arrived.notify_all()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name, as are those below
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._login and not session.authenticated:
            return "530 5.7.0 who are you?"
        envelope.mail_from = address  # type: ignore[assignment] # declared with its first value, None
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 nobody of\x1b[31m that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        with self._arrived:
            self.received.append(Received(str(envelope.mail_from), list(envelope.rcpt_tos), content))
            self._arrived.notify_all()
        return "250 OK"

    def wait_for(self, count: int, seconds: float = 60) -> list[Received]:
        """The first `count` mails, as soon as they have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received
            return self.received[:count]


def _knows(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=good)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, and a server's certificate of it for localhost and 127.0.0.1."""

    certificate: Path
    context: ssl.SSLContext


# As strict as Python verifies since 3.13 (RFC 5280).
_CERTIFICATES = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


def make_authority(directory: Path) -> Authority:
    """A new authority whose files are in `directory`."""
    (directory / "openssl.cnf").write_text(_CERTIFICATES)
    for name, signed in (("ca", []), ("server", ["-CA", "ca.pem", "-CAkey", "ca.key"])):
        _openssl(
            directory,
            *("req", "-x509", "-config", "openssl.cnf", "-extensions", name, "-days", "2", "-noenc"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN=Test {name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem", *signed),
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    return Authority(directory / "ca.pem", context)


def _openssl(directory: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


def main(directory: Path, port: int) -> None:
    """Serve for ever by STARTTLS with a login, the authority in `directory`; print the subject of each mail."""
    authority = make_authority(directory)
    with SmtpServer(context=authority.context, security="starttls", login=True, port=port) as server:
        subprocess.run(["systemd-notify", "--ready"], check=True)
        for count in itertools.count(1):
            mail = server.wait_for(count, seconds=threading.TIMEOUT_MAX)[-1]
            print(f"received for {', '.join(mail.to)}: {mail.subject}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
