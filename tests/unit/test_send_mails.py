"""The queue of mail: what is sent is gone, what is not waits for five days, and a run's log tells both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mail_server import PASSWORD, USER, SmtpServer, free_port, make_authority, silent_server

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.configuration import Mail
from cncopctl.core.layout import Layout
from cncopctl.core.mail import Letter
from cncopctl.core.outcome import Outcome
from cncopctl.core.role import Role
from cncopctl.core.run import Run
from cncopctl.edges.history import History
from cncopctl.edges.mail import MailError
from cncopctl.edges.mail_queue import MailQueue
from cncopctl.verbs.notifying import queue_letter, queue_notification
from cncopctl.verbs.send_mails import Mailing, mail_server, send_mails

from .killed import disturbed_at_each_line

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout.directory(tmp_path)
    for directory in (made.mail, made.logs, made.state, made.credentials):
        directory.mkdir(parents=True)
    return made


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as started:
        yield started


def by(server: SmtpServer) -> Mail:
    return Mail("127.0.0.1", server.port, server.security, sender="cncop@example.org")


def away() -> Mail:
    return Mail("127.0.0.1", free_port(), "none")


def queue(layout: Layout, name: str = "1", to: tuple[str, ...] = ("a@example.org",)) -> Path:
    """Queue a mail about a run with a log; the log."""
    log = layout.logs / f"{name}.log"
    log.touch()
    letter = Letter(name, to, f"s{name}", "t", NOW, "ERROR", "web", f"run-{name}", str(log))
    queue_letter(layout, letter, NOW)
    return log


def waiting(layout: Layout) -> list[str]:
    return MailQueue(layout.mail).names()


def outcome(mailing: Mailing) -> tuple[int, int, int]:
    return mailing.sent, mailing.waiting, mailing.given_up


def test_all_that_waits_is_sent_oldest_first_and_gone(layout: Layout, server: SmtpServer) -> None:
    for name in ("1", "2", "3"):
        queue(layout, name)
    assert (layout.spool / "wake").exists()
    assert outcome(send_mails(layout, by(server), NOW)) == (3, 0, 0)
    assert [mail.subject for mail in server.received] == ["s1", "s2", "s3"]
    assert waiting(layout) == []
    assert outcome(send_mails(layout, by(server), NOW)) == (0, 0, 0)


def test_a_server_that_is_away_is_told_once_and_the_mail_is_sent_when_it_is_back(
    layout: Layout, server: SmtpServer
) -> None:
    log = queue(layout)
    (layout.spool / "wake").unlink()
    for hours in (1, 2, 3):
        assert outcome(send_mails(layout, away(), NOW + timedelta(hours=hours))) == (0, 1, 0)
    (line,) = log.read_text().splitlines()
    assert "warn  cncop: mail to a@example.org is not sent yet, and tried again: Connection refused" in line
    assert "look at [mail] in cncop3.ini: mail_server, mail_port" in line
    assert not (layout.spool / "wake").exists()
    (failure,) = MailQueue(layout.mail).failures()
    assert failure.startswith("Connection refused ")
    assert outcome(send_mails(layout, by(server), NOW + timedelta(days=4))) == (1, 0, 0)
    assert log.read_text().splitlines()[1].endswith("cncop: mail to a@example.org is sent after all")


def test_it_is_given_up_after_five_days_and_kept_aside(layout: Layout) -> None:
    log = queue(layout)
    assert outcome(send_mails(layout, away(), NOW + timedelta(days=5, seconds=1))) == (0, 0, 1)
    assert "mail to a@example.org is given up after 5 days: Connection refused" in log.read_text()
    assert (len(waiting(layout)), len(list(layout.expired.iterdir()))) == (0, 1)


def test_only_those_that_did_not_get_it_get_it_again(layout: Layout) -> None:
    log = queue(layout, to=("a@example.org", "b@example.org"))
    queue(layout, "2")
    with SmtpServer(refused={"b@example.org"}) as server:
        assert outcome(send_mails(layout, by(server), NOW)) == (1, 1, 0)
        assert outcome(send_mails(layout, by(server), NOW)) == (0, 1, 0)
        assert [mail.to for mail in server.received] == [["a@example.org"], ["a@example.org"]]
        server.refused.clear()
        assert outcome(send_mails(layout, by(server), NOW)) == (1, 0, 0)
        assert server.received[-1].to == ["b@example.org"]
    assert "mail to b@example.org is not sent yet" in log.read_text()


def test_what_is_no_mail_is_moved_aside_and_blocks_nothing(layout: Layout, server: SmtpServer) -> None:
    for number, content in enumerate(("", "[]", "{}", '{"letter": {"id": 5}}', "[" * 100_000)):
        (layout.mail / f"MAIL-0-{number}.json").write_text(content)
    (layout.mail / "MAIL-0-link.json").symlink_to("/etc/passwd")
    (layout.mail / ".MAIL.json.new").write_text("half")
    queue(layout)
    mailing = send_mails(layout, by(server), NOW)
    assert outcome(mailing) == (1, 0, 6)
    assert len(mailing.words) == 6
    assert len(list(layout.expired.iterdir())) == 6


def test_a_mail_that_somebody_takes_away_at_any_moment_keeps_no_other_from_being_sent(layout: Layout) -> None:
    def take_away() -> None:
        for name in ("gone", "junk"):
            for path in layout.mail.glob(f"MAIL-*-{name}.json"):
                path.unlink()

    def send() -> None:
        assert send_mails(layout, away(), NOW).waiting >= 1

    queue(layout, "kept")
    times = 0
    for _ in disturbed_at_each_line(send, take_away):
        times += 1
        queue(layout, "gone")
        (layout.mail / "MAIL-20260301T120000Z-junk.json").write_text("?")
    assert times > 50


def test_nobody_else_sends_meanwhile(layout: Layout, server: SmtpServer) -> None:
    queue(layout)
    with MailQueue(layout.mail).alone() as is_alone:
        assert is_alone
        assert outcome(send_mails(layout, by(server), NOW)) == (0, 0, 0)
    assert outcome(send_mails(layout, by(server), NOW)) == (1, 0, 0)


def test_without_a_server_mail_waits_and_says_what_to_set(layout: Layout) -> None:
    log = queue(layout)
    assert outcome(send_mails(layout, Mail(), NOW)) == (0, 1, 0)
    assert f"no mail server is set (set mail_server under [mail] in {layout.settings})" in log.read_text()


def test_the_password_comes_from_systemd_or_the_store(layout: Layout, tmp_path: Path) -> None:
    settings = Mail("mail.example.org", user=USER, credential="smtp")
    with pytest.raises(
        MailError, match=r"the password of backup cannot be read: no credential smtp is stored"
    ):
        mail_server(layout, settings, {})
    (layout.credentials / "smtp").write_text("stored\n")
    assert mail_server(layout, settings, {}).password == "stored"  # noqa: S105
    (tmp_path / "smtp").write_text("given")
    given = mail_server(layout, settings, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert given.password == "given"  # noqa: S105
    assert "given" not in repr(given)
    with pytest.raises(MailError, match="mail_user backup has no password"):
        mail_server(layout, replace(settings, credential=""), {})


def test_it_is_sent_with_the_login_of_the_store(layout: Layout, tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    (layout.credentials / "smtp").write_text(f"{PASSWORD}\n")
    queue(layout)
    with SmtpServer(context=authority.context, security="starttls", login=True) as server:
        settings = Mail(
            "localhost",
            server.port,
            "starttls",
            USER,
            "smtp",
            "cncop@example.org",
            str(authority.certificate),
        )
        assert outcome(send_mails(layout, settings, NOW)) == (1, 0, 0)


JOB = CompiledJob(
    *("web", "Web", Role.LOCAL, "/bin/true", 0, 0, 0, (), NOW, {}),
    notify={"to": ["ops@example.org"], "on": ["failure", "recovery"]},
)


def ended(layout: Layout, name: str, hours: int, outcome: Outcome) -> Run:
    started = NOW + timedelta(hours=hours)
    log = layout.logs / f"{name}.log"
    log.write_text("2026-03-01 12:00:00+0000 info  agent: the last word\n")
    run = Run(name, "web", "Web", started, ended=started, outcome=outcome, phrase="why", log=str(log))
    History(layout.history).add(run)
    return run


def test_runs_queue_what_their_job_asks_for(layout: Layout) -> None:
    outcomes = [Outcome.OK, Outcome.ERROR, Outcome.SKIPPED, Outcome.OK, Outcome.OK]
    for number, end in enumerate(outcomes):
        assert queue_notification(layout, JOB, ended(layout, str(number), number, end)) == ""
    letters = [json.loads((layout.mail / name).read_text())["letter"] for name in waiting(layout)]
    assert [(letter["run"], letter["subject"].partition(" on ")[0]) for letter in letters] == [
        ("1", "ERROR: Web (web)"),
        ("3", "OK again: Web (web)"),
    ]
    assert "\n  12:00:00 agent: the last word\n" in letters[0]["text"]


def test_a_close_that_is_repeated_queues_no_second_mail(layout: Layout) -> None:
    run = ended(layout, "1", 0, Outcome.ERROR)
    for _ in range(2):
        assert queue_notification(layout, JOB, run) == ""
    assert len(waiting(layout)) == 1


def test_a_clock_that_was_set_back_does_not_hide_a_recovery(layout: Layout) -> None:
    for name, hours, end in (("1", 48, Outcome.OK), ("2", 72, Outcome.ERROR), ("3", 0, Outcome.OK)):
        assert queue_notification(layout, JOB, ended(layout, name, hours, end)) == ""
    letters = [json.loads((layout.mail / name).read_text())["letter"] for name in waiting(layout)]
    assert {letter["run"] for letter in letters} == {"2", "3"}


def test_a_history_that_cannot_be_read_keeps_nobody_from_being_told(layout: Layout) -> None:
    run = ended(layout, "1", 0, Outcome.ERROR)
    layout.history.write_bytes(b"no database at all" * 1000)
    assert queue_notification(layout, JOB, run) == ""
    (name,) = waiting(layout)
    assert "first run" not in (layout.mail / name).read_text()


def test_a_queue_that_cannot_be_written_is_told_and_nothing_more(layout: Layout) -> None:
    layout.mail.rmdir()
    problem = queue_notification(layout, JOB, ended(layout, "1", 0, Outcome.ERROR))
    assert problem.startswith("no mail to ops@example.org: ")
    assert problem.endswith(": No such file or directory")


def test_a_job_that_asks_for_none_gets_none(layout: Layout) -> None:
    run = ended(layout, "1", 0, Outcome.ERROR)
    assert queue_notification(layout, replace(JOB, notify=None), run) == ""
    assert waiting(layout) == []


def test_a_server_that_hangs_is_asked_once_for_all(layout: Layout) -> None:
    for name in ("1", "2"):
        queue(layout, name)
    with silent_server() as port:
        mailing = send_mails(layout, Mail("127.0.0.1", port, "none"), NOW, patience=0.2)
    assert outcome(mailing) == (0, 2, 0)


def test_a_failure_that_lasts_is_told_once_and_the_log_says_why_not_again(layout: Layout) -> None:
    job = replace(JOB, notify={**(JOB.notify or {}), "repeat": 20})
    said: list[str] = []
    for hour in (0, 1, 2, 21):
        assert (
            queue_notification(layout, job, ended(layout, str(hour), hour, Outcome.ERROR), said.append) == ""
        )
    texts = [json.loads((layout.mail / name).read_text())["letter"]["text"] for name in waiting(layout)]
    assert len(texts) == 2
    assert "Next mail  while it fails like this: in 20h at the earliest\n" in texts[0]
    assert "Not mailed 2 failures since the last mail\n" in texts[1]
    assert [line.partition(" on ")[0] for line in said] == ["no mail: such failures were told last"] * 2
    (layout.told / "web.json").write_text('{"since": 1}')
    assert queue_notification(layout, job, ended(layout, "22", 22, Outcome.ERROR), said.append) == ""
    assert len(said) == 2


def test_what_was_given_up_stays_as_long_as_logs_do(layout: Layout) -> None:
    """By when it was given up: a mail may have been old when it was queued."""
    for name in ("unreadable.json", "old.json"):
        (layout.mail / name).write_text("no mail")
        os.utime(layout.mail / name, (0, 0))
    send_mails(layout, Mail(), NOW)
    os.utime(layout.expired / "old.json", (0, 0))
    (layout.expired / "kept").mkdir()
    os.utime(layout.expired / "kept", (0, 0))
    done = subprocess.run(
        [sys.executable, "-m", "cncopctl.reporter", "--root", layout.spool.parent], check=True
    )
    assert done.returncode == 0
    assert {path.name for path in layout.expired.iterdir()} == {"unreadable.json", "kept"}
