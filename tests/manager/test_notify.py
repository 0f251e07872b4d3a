"""Jobs that ask for mail: their runs queue it at the close, whichever way they end, and are none the worse for it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from mail_server import PASSWORD, USER, Authority, SmtpServer, make_authority

from .installation import CNCOPCTL, OK, Installation, job

BROKEN = """echo "the last words" >&2; echo '{"phrase": "no such host", "hint": "mend it"}' >$CNCOP_RESULT; exit 1"""
HANGS = "trap 'kill $!; exit 143' TERM; sleep infinity & wait"
NOTIFY = {"to": ["ops@example.org", "boss@example.org"]}


def runjob(cncop: Installation, script: str) -> None:
    cncop.agent(script)
    cncop.manager.run(CNCOPCTL, "runjob", "a", "--user", check=False)


def letters(cncop: Installation) -> list[dict[str, Any]]:
    """The letters that wait, by the times of their runs."""
    paths = sorted((cncop.state / "spool/Mail").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text())["letter"] for path in paths]


def subjects(cncop: Installation) -> list[str]:
    return [letter["subject"] for letter in letters(cncop)]


def stop_reporter(cncop: Installation) -> None:
    """Mail stays where it is queued."""
    cncop.manager.systemctl("stop", "cncop-reporter.path", "cncop-reporter.timer", check=False)


def test_failures_and_the_recovery_are_told_and_nothing_else(cncop: Installation) -> None:
    cncop.agent(OK)
    cncop.synced(job("a", title="Web", notify=NOTIFY))
    stop_reporter(cncop)
    for script in (OK, BROKEN, OK, OK):
        runjob(cncop, script)
    host = os.uname().nodename
    assert subjects(cncop) == [f"ERROR: Web (a) on {host}: no such host", f"OK again: Web (a) on {host}"]
    first = letters(cncop)[0]
    assert first["to"] == NOTIFY["to"]
    assert first["run"] == cncop.history()[1]["id"]
    assert "\n  mend it\n" in first["text"]
    assert "agent: the last words\n" in first["text"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("timeout", "took longer than its timeout of 1s"),
        ("stop", "was stopped before it was done, by systemd (systemctl stop)"),
        ("kill", "was killed by signal KILL"),
    ],
)
def test_runs_that_somebody_else_ends_are_told_once(cncop: Installation, how: str, said: str) -> None:
    fifo = cncop.config / "begun"
    cncop.manager.run("mkfifo", fifo)
    cncop.agent(f"echo begun >{fifo}; {HANGS}")
    cncop.synced(job("a", notify={**NOTIFY, "on": "always"}, timeout="1s" if how == "timeout" else "1h"))
    stop_reporter(cncop)
    started = cncop.manager.popen("systemctl", "--user", "start", "cncop-job-a.service")
    assert cncop.manager.run("cat", fifo).stdout == "begun\n"
    if how == "stop":
        cncop.manager.systemctl("stop", "cncop-job-a.service")
    elif how == "kill":
        cncop.manager.systemctl("kill", "--kill-whom=main", "--signal=KILL", "cncop-job-a.service")
    assert started.wait(30) != 0
    (letter,) = letters(cncop)
    assert letter["text"].splitlines()[0].endswith(f": {said}")


def test_a_skipped_run_is_told_to_nobody(cncop: Installation) -> None:
    cncop.agent(OK)
    cncop.synced(job("a", notify={**NOTIFY, "on": "always"}))
    stop_reporter(cncop)
    cncop.manager.run(CNCOPCTL, "pause", "a", "--user")
    runjob(cncop, OK)
    assert letters(cncop) == []


def test_a_queue_that_cannot_be_written_changes_no_outcome_and_is_told_in_the_log(
    cncop: Installation,
) -> None:
    cncop.agent(OK)
    cncop.synced(job("a", notify={**NOTIFY, "on": "always"}))
    stop_reporter(cncop)
    queue = cncop.state / "spool/Mail"
    shutil.rmtree(queue)
    queue.write_text("in the way")
    runjob(cncop, OK)
    (run,) = cncop.history()
    assert run["outcome"] == "OK"
    log = Path(run["log"]).read_text()
    assert "warn  cncop: no mail to ops@example.org, boss@example.org: " in log


def test_a_hostile_title_and_stderr_harm_no_mail(cncop: Installation) -> None:
    noise = r"""head -c 10000000 /dev/zero | tr '\0' x >&2; printf '\n\033[31m\377\nBcc: x@y\n' >&2; exit 3"""
    cncop.agent(noise)
    cncop.synced(job("a", title="100% \"'\\ 🐘", notify=NOTIFY))
    stop_reporter(cncop)
    cncop.manager.run(CNCOPCTL, "runjob", "a", "--user", check=False)
    (letter,) = letters(cncop)
    assert len(letter["text"]) < 20_000
    assert all(line.isprintable() for line in letter["text"].splitlines())
    assert "\\x1b[31m\\xff" in letter["text"]


def test_check_and_doctor_say_that_nobody_will_be_told(cncop: Installation) -> None:
    cncop.synced(job("a", notify=NOTIFY))
    said = cncop.manager.run(CNCOPCTL, "check", "--user").stdout
    assert "warning: profile.toml: job a: notify: nobody will be told: no mail server is set" in said
    said = cncop.manager.run(CNCOPCTL, "doctor", "--user", check=False).stdout
    assert "mail: jobs ask for mail, but no mail server is set" in said
    (cncop.config / "cncop3.ini").write_text("[mail]\nmail_server = mail.example.org\n")
    assert "warning" not in cncop.manager.run(CNCOPCTL, "check", "--user").stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def speak_to(cncop: Installation, port: int, authority: Authority) -> None:
    """Settings for a server on that port, with STARTTLS and a login."""
    settings = {
        "mail_server": "localhost",
        "mail_port": port,
        "mail_user": USER,
        "mail_credential": "smtp",
        "mail_sender": "cncop@example.org",
        "mail_ca_file": authority.certificate,
    }
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (cncop.config / "cncop3.ini").write_text(f"[mail]\n{lines}")
    cncop.manager.run(CNCOPCTL, "credential", "set", "smtp", "--user", input=PASSWORD)


def secure(authority: Authority) -> SmtpServer:
    return SmtpServer(context=authority.context, security="starttls", login=True)


def test_the_reporter_sends_what_a_run_has_queued(cncop: Installation, authority: Authority) -> None:
    with secure(authority) as server:
        speak_to(cncop, server.port, authority)
        cncop.agent(BROKEN)
        cncop.synced(job("a", title="Web", notify=NOTIFY))
        runjob(cncop, BROKEN)
        (mail,) = server.wait_for(1)
    assert mail.to == NOTIFY["to"]
    assert mail.subject == f"ERROR: Web (a) on {os.uname().nodename}: no such host"
    assert PASSWORD not in cncop.manager.journal("cncop-reporter.service")
    assert PASSWORD not in "".join(cncop.unit_files().values())


def test_a_server_that_was_away_gets_it_later_and_the_log_tells_both(
    cncop: Installation, authority: Authority
) -> None:
    with secure(authority) as gone:
        port = gone.port
    speak_to(cncop, port, authority)
    cncop.agent(OK)
    cncop.synced(job("a", notify={**NOTIFY, "on": "always"}))
    stop_reporter(cncop)
    runjob(cncop, OK)
    cncop.manager.systemctl("start", "cncop-reporter.service")
    (run,) = cncop.history()
    assert run["outcome"] == "OK"
    assert "is not sent yet, and tried again: Connection refused" in Path(run["log"]).read_text()
    with secure(authority) as server:
        speak_to(cncop, server.port, authority)
        cncop.manager.systemctl("start", "cncop-reporter.service")
        assert len(server.received) == 1
    log = Path(run["log"]).read_text().splitlines()
    assert log[-1].endswith("cncop: mail to ops@example.org, boss@example.org is sent after all")
    assert letters(cncop) == []
