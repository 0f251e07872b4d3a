"""Mail is sent by real servers, in every way that cncop3.ini can ask for, and what is wrong is told in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mail_server import PASSWORD, USER, Authority, SmtpServer, free_port, make_authority, silent_server

from cncopctl.core.mail import Letter
from cncopctl.edges.mail import MailError, MailServer, connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LETTER = Letter("id-1", ("ops@example.org",), "ERROR: ü 🐘", f"why\n.\nFrom me\n{'x' * 2000}\n", NOW, job="a")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def plain() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def ours(server: SmtpServer, **values: Any) -> MailServer:
    """How we are to speak to `server`."""
    return MailServer("127.0.0.1", server.port, server.security, sender="cncop@example.org", **values)


def send(server: MailServer, letter: Letter = LETTER) -> None:
    with connect(server) as connection:
        connection.send(letter)


def refusal(server: MailServer, letter: Letter = LETTER) -> MailError:
    with pytest.raises(MailError) as caught:
        send(server, letter)
    return caught.value


def test_a_mail_arrives_as_it_was_written(plain: SmtpServer) -> None:
    send(ours(plain))
    (mail,) = plain.received
    assert (mail.sender, mail.to) == ("cncop@example.org", ["ops@example.org"])
    assert (mail.subject, mail.text.replace("\r\n", "\n")) == (LETTER.subject, LETTER.text)
    message = mail.message
    assert message["Message-ID"] == "<id-1.cncop@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["X-Cncop-Job"], message["To"]) == ("a", "ops@example.org")
    assert message["Date"].datetime == NOW


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_arrives_by_tls_with_a_login(authority: Authority, security: str) -> None:
    with SmtpServer(context=authority.context, security=security, login=True) as server:
        send(ours(server, user=USER, password=PASSWORD, ca_file=str(authority.certificate)))
        assert [mail.subject for mail in server.received] == [LETTER.subject]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_refused_login_names_the_credential_and_not_the_password(
    authority: Authority, security: str
) -> None:
    with SmtpServer(context=authority.context, security=security, login=True) as server:
        error = refusal(
            ours(
                server,
                user=USER,
                password=PASSWORD[1:],
                credential="smtp",
                ca_file=str(authority.certificate),
            )
        )
    assert error.message.startswith("it refuses the login of backup: 535 5.7.8")
    assert error.hint == "store its password: cncopctl credential set smtp"
    assert PASSWORD[1:] not in f"{error} {error.__cause__}"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_of_an_authority_that_nobody_knows_is_not_trusted(
    authority: Authority, security: str
) -> None:
    with SmtpServer(context=authority.context, security=security) as server:
        error = refusal(ours(server))
        assert error.message.startswith("its certificate is not to be trusted: ")
        assert "mail_ca_file" in error.hint
        assert server.received == []


def test_a_server_without_starttls_gets_nothing(plain: SmtpServer) -> None:
    error = refusal(MailServer("127.0.0.1", plain.port, "starttls"))
    assert error.message.startswith("it does not offer STARTTLS (mail server 127.0.0.1:")
    assert plain.received == []


def test_a_server_without_tls_is_no_server_with_tls(plain: SmtpServer) -> None:
    assert refusal(MailServer("127.0.0.1", plain.port, "tls")).message.startswith("no TLS with it: ")


def test_a_password_does_not_go_into_the_clear() -> None:
    error = refusal(MailServer("mail.example.org", 25, "none", user=USER, password=PASSWORD))
    assert error.message == "the password of backup would go to mail.example.org:25 in the clear"


def test_a_server_that_is_away() -> None:
    error = refusal(MailServer("127.0.0.1", free_port(), "none"))
    assert error.message.startswith("Connection refused (mail server 127.0.0.1:")


def test_a_name_that_nobody_knows() -> None:
    error = refusal(MailServer("mail.invalid", security="tls"))
    assert error.message == "its name is not known (mail server mail.invalid:465)"


def test_a_server_that_hangs_is_not_waited_for() -> None:
    with silent_server() as port:
        error = refusal(MailServer("127.0.0.1", port, "none", timeout=0.2))
    assert error.message.startswith("no answer within 0.2 s")


def test_a_file_of_authorities_that_is_not_there(plain: SmtpServer, tmp_path: Path) -> None:
    error = refusal(MailServer("127.0.0.1", plain.port, "tls", ca_file=str(tmp_path / "ca.pem")))
    assert error.message == f"mail_ca_file: {tmp_path}/ca.pem: No such file or directory"


def test_those_that_the_server_refuses_are_told_apart_from_those_that_got_it() -> None:
    with SmtpServer(refused={"b@example.org"}) as server:
        letter = Letter("i", ("a@example.org", "b@example.org"), "s", "t", NOW)
        error = refusal(ours(server), letter)
        assert error.refused == ("b@example.org",)
        assert "refuses b@example.org: 550 5.1.1 nobody of\\x1b[31m that name" in error.message
        assert [mail.to for mail in server.received] == [["a@example.org"]]
        assert refusal(ours(server), Letter("i", ("b@example.org",), "s", "t", NOW)).refused == (
            "b@example.org",
        )


@pytest.mark.parametrize("field", ["id", "job", "outcome", "to"])
def test_what_would_make_a_header_of_its_own_is_sent_to_nobody(plain: SmtpServer, field: str) -> None:
    text = "a@example.org\r\nBcc: evil@example.org"
    values: dict[str, Any] = {field: (text,) if field == "to" else text}
    assert "linefeed" in refusal(ours(plain), replace(LETTER, **values)).message
    assert plain.received == []


@pytest.mark.parametrize(
    "text", ["a\r\nBcc: evil@example.org", "\udc80\x00\x1b[2J", "x" * 100_000, "🐘\n" * 9]
)
def test_a_hostile_subject_makes_one_header_and_no_other(plain: SmtpServer, text: str) -> None:
    send(ours(plain), Letter("i", ("a@example.org",), text, text.replace("\udc80", ""), NOW))
    (mail,) = plain.received
    assert mail.to == ["a@example.org"]
    assert mail.message["Bcc"] is None
    assert max(map(len, mail.content.split(b"\r\n"))) < 998
