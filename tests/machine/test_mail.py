"""Mail on real machines: jobs without a network queue it, the reporter sends it from its sandbox."""

from __future__ import annotations

from pathlib import Path

import mail_server
import pytest

from .machine import Machine

PORT = 2525
SETTINGS = f"""
[mail]
mail_server = localhost
mail_port = {PORT}
mail_user = {mail_server.USER}
mail_credential = smtp
mail_sender = cncop@example.org
mail_ca_file = /srv/smtp/ca.pem
"""
PROFILE = """
schema = 1
[[job]]
id = "a"
title = "Web"
type = "RSYNC"
schedule = "30 12 1 1 *"
source = "/srv/web"
notify = { to = "ops@example.org" }
"""
SERVER = "smtp.service"


@pytest.fixture(scope="module")
def told(device: Machine) -> Machine:
    """A device with a job that asks for mail, and a mail server on it."""
    device.copy_in(Path(mail_server.__file__), "/srv/smtp")
    serve(device)
    device.write("/etc/cncop/cncop3.ini", SETTINGS)
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "credential", "set", "smtp", input=mail_server.PASSWORD)
    device.run("cncopctl", "sync-profile")
    return device


def serve(device: Machine) -> None:
    """Start the mail server, and return when it serves."""
    unit = [f"--unit={SERVER}", "--service-type=notify", "--property=NotifyAccess=all"]
    program = ["/usr/bin/python3", "/srv/smtp/mail_server.py", "/srv/smtp", str(PORT)]
    device.run("systemd-run", "--quiet", "--collect", *unit, "--working-directory=/srv/smtp", *program)


def runjob(device: Machine, *words: str, status: int) -> str:
    done = device.run("cncopagent", *words, "a", check=False)
    assert done.returncode == status, f"{done.stdout}{done.stderr}"
    return done.stderr


def received(device: Machine, pattern: str, after: str) -> None:
    device.wait_for_journal(
        f"received for ops@example.org: {pattern}", f"_SYSTEMD_UNIT={SERVER}", after=after
    )


def test_a_failure_and_the_recovery_arrive_and_the_password_is_nowhere(told: Machine) -> None:
    after = told.cursor()
    runjob(told, status=3)
    received(told, r"ERROR: Web \(a\) on .*/srv/web", after)
    told.write("/srv/web/index.html", "hello")
    after = told.cursor()
    runjob(told, status=0)
    received(told, r"OK again: Web \(a\) on ", after)
    assert told.run("ls", "/var/spool/cncop/Mail").stdout == ""
    for seen in (told.journal("*"), told.run("systemctl", "cat", "cncop-*").stdout):
        assert mail_server.PASSWORD not in seen


def test_a_person_who_runs_a_job_gets_a_mail_at_once(told: Machine) -> None:
    after = told.cursor()
    assert runjob(told, "--email", "ops@example.org", status=0) == ""
    received(told, r"OK: Web \(a\) on ", after)
    assert "has taken a mail" in told.run("cncopctl", "mail-test", "ops@example.org").stdout


def test_mail_waits_for_a_server_that_is_away_also_over_a_power_cut(told: Machine) -> None:
    told.run("systemctl", "stop", SERVER)
    told.run("mv", "/srv/web", "/srv/gone")
    runjob(told, status=3)
    told.wait_for_journal(r"mail to ops@example.org is not sent yet, and tried again: Connection refused")
    told.cut_power()
    told.start()
    assert len(told.run("ls", "/var/spool/cncop/Mail").stdout.split()) == 1
    serve(told)
    after = told.cursor()
    told.run("systemctl", "start", "cncop-reporter.service")
    received(told, r"ERROR: Web \(a\) on ", after)
    log = told.run("sh", "-c", "cat $(ls -t /var/log/cncop/CA-*.log | head -1)").stdout
    assert log.rstrip().endswith("mail to ops@example.org is sent after all")


def test_what_was_said_of_a_job_holds_over_a_reboot(told: Machine) -> None:
    told.run("cncopctl", "job", "stop", "a")
    told.reboot()
    assert '"status": "stop"' in told.run("cncopctl", "job", "--json").stdout
    assert told.property("cncop-job-a.timer", "ActiveState") == "inactive"
    told.run("cncopctl", "sync-profile")
    assert told.run("systemctl", "is-enabled", "cncop-job-a.timer", check=False).stdout == "disabled\n"
    assert told.run("cncopctl", "job", "start", "a").stdout == "a: scheduled\n"
    assert told.property("cncop-job-a.timer", "ActiveState") == "active"
