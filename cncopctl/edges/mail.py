"""Sending mail by SMTP (RFC 5321), in the clear, by STARTTLS (RFC 3207) or by TLS (RFC 8314)."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import format_datetime, localtime

from cncopctl.core.errors import NetworkError
from cncopctl.core.faults import printable
from cncopctl.core.mail import Letter

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_CONFIGURE = "look at [mail] in cncop3.ini"


class MailError(NetworkError):
    """A mail was not sent, or not to all: `refused` has those who did not get it."""

    def __init__(self, message: str, hint: str = "", refused: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes our mail, and how it is spoken to.

    `security` is "starttls", "tls" or "none"; `port` 0 is the usual one of it; `password` belongs to `user`,
    and `credential` is the name under which it is stored. `timeout` is the longest wait for an answer, in seconds.
    """

    host: str
    port: int = 0
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    credential: str = ""
    sender: str = ""
    ca_file: str = ""
    timeout: float = 30

    def place(self) -> str:
        """Which server it is, for messages."""
        return f"{self.host}:{self.port or _PORTS[self.security]}"


class MailConnection:
    """A connection to a mail server, by which any number of letters can be sent."""

    def __init__(self, server: MailServer, smtp: smtplib.SMTP) -> None:
        self._server = server
        self._smtp = smtp

    def send(self, letter: Letter) -> None:
        """Send `letter`.

        Raises:
            MailError: it was not sent to some, who are its `refused`, or to nobody.
        """
        sender = self._server.sender or f"cncop@{_domain(self._smtp.local_hostname)}"
        with _in_words(self._server):
            message = message_of(letter, sender)
            # send_message() would put a > before lines that begin with From.
            refused = self._smtp.sendmail(sender, list(letter.to), message.as_bytes())
        if refused:
            raise MailError(*_refusal(self._server, refused), tuple(refused))


@contextlib.contextmanager
def connect(server: MailServer) -> Iterator[MailConnection]:
    """A connection to `server`, secured and logged in as it asks.

    Raises:
        MailError: the server cannot be reached, is not who it should be, or does not want us.
    """
    if server.user and server.security == "none" and not _is_here(server.host):
        raise MailError(
            f"the password of {server.user} would go to {server.place()} in the clear",
            "set mail_security = starttls or tls in cncop3.ini",
        )
    with _in_words(server):
        smtp = _open(server)
    try:
        with _in_words(server):
            if server.security == "starttls":
                smtp.starttls(context=_context(server))
            if server.user:
                _log_in(smtp, server)
        yield MailConnection(server, smtp)
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        smtp.close()


def _open(server: MailServer) -> smtplib.SMTP:
    port = server.port or _PORTS[server.security]
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, port, timeout=server.timeout, context=_context(server))
    return smtplib.SMTP(server.host, port, timeout=server.timeout)


def _context(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca_file or None)
    except OSError as error:
        what = f"mail_ca_file: {server.ca_file}: {error.strerror or 'has no certificates'}"
        raise MailError(what, "name a file with certificates in PEM, in cncop3.ini") from error


def _domain(local_hostname: str) -> str:
    """A domain for our sender: smtplib gives an address in brackets where this machine has none."""
    return socket.gethostname() if local_hostname.startswith("[") else local_hostname


def _log_in(smtp: smtplib.SMTP, server: MailServer) -> None:
    """Log in; what is not ASCII goes as UTF-8 (RFC 4616), which smtplib does not do."""
    if (server.user + server.password).isascii():
        smtp.login(server.user, server.password)
        return
    smtp.ehlo_or_helo_if_needed()
    if "PLAIN" not in smtp.esmtp_features.get("auth", "").split():
        raise smtplib.SMTPNotSupportedError("AUTH PLAIN")
    secret = base64.b64encode(f"\0{server.user}\0{server.password}".encode()).decode()
    code, answer = smtp.docmd("AUTH", f"PLAIN {secret}")
    if code != 235:  # RFC 4954, section 4
        raise smtplib.SMTPAuthenticationError(code, answer)


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1", "[::1]") or host.startswith("127.")


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """The mail that `letter` becomes: its texts are data, and no header but its own comes of them."""
    message = EmailMessage(policy=POLICY)
    message["From"] = Address("cncop", addr_spec=sender)
    message["To"] = ", ".join(letter.to)
    message["Subject"] = printable(letter.subject)
    message["Date"] = format_datetime(localtime(letter.written))
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = f"<{letter.id}.cncop@{domain}>"
    # So that no absence assistant answers it (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    if letter.job:
        message["X-Cncop-Job"] = letter.job
    if letter.outcome:
        message["X-Cncop-Outcome"] = letter.outcome
    message.set_content(letter.text, charset="utf-8", cte="quoted-printable")
    return message


@contextlib.contextmanager
def _in_words(server: MailServer) -> Iterator[None]:
    """Turn what smtplib, ssl and the sockets raise into what is wrong and what to do."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        raise MailError(*_refusal(server, error.recipients), tuple(error.recipients)) from error
    except (smtplib.SMTPException, OSError, ValueError, HeaderParseError) as error:
        what, hint = _explain(error, server)
        raise MailError(f"{what} (mail server {server.place()})", hint) from error


def _explain(error: Exception, server: MailServer) -> tuple[str, str]:
    if isinstance(error, smtplib.SMTPException):
        return _explain_answer(error, server)
    match error:
        case ssl.SSLCertVerificationError():
            hint = "set mail_ca_file in cncop3.ini, if the certificate is of a CA of your own"
            return f"its certificate is not to be trusted: {error.verify_message}", hint
        case ssl.SSLError():
            return f"no TLS with it: {error.reason or error}", f"{_CONFIGURE}: mail_security, mail_port"
        case socket.gaierror():
            return "its name is not known", f"{_CONFIGURE}: mail_server, or at this machine's name servers"
        case TimeoutError():
            return f"no answer within {server.timeout:g} s", f"{_CONFIGURE}: mail_server, mail_port"
        case OSError():
            return str(error.strerror or error), f"{_CONFIGURE}: mail_server, mail_port"
        case _:
            return printable(str(error))[:300], _CONFIGURE


def _explain_answer(error: smtplib.SMTPException, server: MailServer) -> tuple[str, str]:
    match error:
        case smtplib.SMTPAuthenticationError():
            store = f"store its password: cncopctl credential set {server.credential or 'mail'}"
            return f"it refuses the login of {server.user}: {_answer(error)}", store
        case smtplib.SMTPSenderRefused():
            hint = "set mail_sender in cncop3.ini to an address that the server takes"
            return f"it refuses the sender {error.sender}: {_answer(error)}", hint
        case smtplib.SMTPResponseException():
            return f"it refuses: {_answer(error)}", _CONFIGURE
        case smtplib.SMTPNotSupportedError():
            wanted = "a login" if "AUTH" in str(error) else "STARTTLS"
            return f"it does not offer {wanted}", f"{_CONFIGURE}: mail_security, mail_port"
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return _explain(error.__context__, server)
        case smtplib.SMTPServerDisconnected():
            return "it has closed the connection", f"{_CONFIGURE}: mail_security, mail_port"
        case _:
            return printable(str(error))[:300], _CONFIGURE


def _refusal(server: MailServer, refused: Mapping[str, tuple[int, bytes]]) -> tuple[str, str]:
    """Why some or all of the recipients do not get it."""
    whom, (code, answer) = next(iter(refused.items()))
    others = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    return f"{server.place()} refuses {whom}{others}: {code} {_text(answer)}", "is the address right?"


def _answer(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "backslashreplace") if isinstance(answer, bytes) else answer
    return printable(" ".join(text.split()))[:300]
