"""cncopagent and runjob: the same jobs in the same order, followed, mailed about, or only looked at."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from mail_server import PASSWORD, USER, SmtpServer, free_port, make_authority

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager

AGENT = (sys.executable, "-m", "cncopctl.cli.cncopagent")
PROGRAMS = [pytest.param(AGENT, id="cncopagent"), pytest.param((CNCOPCTL, "runjob"), id="runjob")]

# Says what it is asked, and does as its job's title asks.
ECHO = """
request=$(cat)
case $request in
    *'"dry_run": true'*) phrase="7 files would be copied" ;;
    *Broken*)
        echo "the last words" >&2
        echo '{"phrase": "no such host", "hint": "mend the host"}' >$CNCOP_RESULT
        exit 1 ;;
    *) phrase="7 files" ;;
esac
echo "{\\"phrase\\": \\"$phrase\\"}" >$CNCOP_RESULT
"""


@pytest.fixture(scope="module")
def shared(shared_manager: UserManager) -> Installation:
    """An installation with jobs, which tests of this file only run."""
    installation = Installation(shared_manager)
    installation.agent(ECHO)
    push = {"direction": "PUSH", "destination": "host:/there"}
    installation.write(
        job("p", title="Alpha, sent away", **push),
        job("z", title="alpha"),
        job("b", title="Beta, twice"),
        job("c", title="beta, TWICE"),
        job("bad", title="Broken"),
        device={"role": "REMOTE"},
    )
    installation.sync()
    installation.manager.run(CNCOPCTL, "runjob", "z", "--user")  # so that there is a history
    return installation


def run(
    cncop: Installation, program: tuple[str | Path, ...], *words: str, status: int = 0
) -> tuple[list[str], list[str]]:
    """What the program says on stdout and on stderr, line by line."""
    done = cncop.manager.run(*program, "--user", *words, check=False)
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


def started(lines: list[str]) -> list[str]:
    return [line.partition(":")[0] for line in lines if line.endswith(": started")]


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_jobs_run_by_title_with_pull_before_push_on_a_healthy_server(
    shared: Installation, program: tuple[str | Path, ...]
) -> None:
    said, _ = run(shared, program, "-a", status=3)
    assert started(said) == ["z", "b", "c", "bad", "p"]
    assert said[-1] == "4 of 5 jobs ended OK"


@pytest.mark.parametrize("program", PROGRAMS)
def test_jobs_are_named_by_id_or_title_and_run_once_each_in_that_order(
    shared: Installation, program: tuple[str | Path, ...]
) -> None:
    said, _ = run(shared, program, "p", "ALPHA", "p")
    assert started(said) == ["p", "z"]
    assert said[-1] == "2 of 2 jobs ended OK"


@pytest.mark.parametrize("program", PROGRAMS)
def test_types_have_no_case(shared: Installation, program: tuple[str | Path, ...]) -> None:
    said, _ = run(shared, program, "-n", "-t", "rSyNc")
    assert len([line for line in said if not line.startswith(" ")]) == 5


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Beta, twice"], ['several jobs have the title "Beta, twice"', "hint: name it by its id: b, c"]),
        (
            ["nothing"],
            [
                'there is no job "nothing"',
                "hint: see: cncopctl jobs; a new one is there after: cncopctl sync-profile",
            ],
        ),
        (["alpa"], ['there is no job "alpa"', "hint: did you mean z?"]),
        (["-t", "sftp"], ['no job is of type "sftp"', "hint: installed are jobs of type: RSYNC"]),
        ([], ["which jobs?", "hint: name the jobs, or take all with -a, or all of a type with -t TYPE"]),
        (["-a", "z"], ["too many ways to say which jobs", None]),
        (["z", "--email", "ops"], ['"ops" is no mail address', "hint: write one such as ops@example.org"]),
    ],
)
def test_what_cannot_be_run_is_told_and_runs_nothing(
    shared: Installation, program: tuple[str | Path, ...], words: list[str], said: list[str | None]
) -> None:
    before = len(shared.history())
    _, errors = run(shared, program, *words, status=2)
    name = "cncopagent" if program is AGENT else "cncopctl"
    assert errors[0] == f"{name}: {said[0]}"
    assert said[1] is None or errors[1] == said[1]
    assert len(shared.history()) == before


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    shared: Installation, program: tuple[str | Path, ...]
) -> None:
    before = len(shared.history())
    said, _ = run(shared, program, "-n", "z", "p")
    assert said == [
        "1. z (alpha): RSYNC PULL",
        "   backup: 7 files would be copied",
        "2. p (Alpha, sent away): RSYNC PUSH",
        "   backup: 7 files would be copied",
    ]
    shared.manager.run(CNCOPCTL, "pause", "z", "--user")
    said, _ = run(shared, program, "-n", "z", status=3)
    shared.manager.run(CNCOPCTL, "resume", "z", "--user")
    assert said == ["1. z (alpha): RSYNC PULL", "   would be SKIPPED: paused until it is resumed"]
    assert len(shared.history()) == before


def test_a_dry_run_is_there_for_programs_too(shared: Installation) -> None:
    said, _ = run(shared, (CNCOPCTL, "runjob"), "-n", "z", "--json")
    (told,) = json.loads("\n".join(said))
    assert told == {
        "id": "z",
        "title": "alpha",
        "would_run": True,
        "reason": "",
        "actions": [{"name": "backup", "phrase": "7 files would be copied", "good": True}],
    }


def test_a_stopped_job_runs_if_it_is_named_and_is_left_out_of_all(shared: Installation) -> None:
    shared.manager.run(CNCOPCTL, "job", "stop", "bad", "--user")
    said, errors = run(shared, AGENT, "-a")
    assert started(said) == ["z", "b", "c", "p"]
    assert errors[0].startswith("bad is left out: stopped since ")
    run(shared, AGENT, "bad", status=3)
    shared.manager.run(CNCOPCTL, "job", "start", "bad", "--user")


def test_the_original_options_and_no_others_are_shown(shared: Installation) -> None:
    for option in ("-?", "-h", "--help"):
        said, _ = run(shared, AGENT, option)
        usage = " ".join(" ".join(said).partition("  Run backup jobs")[0].split())
        assert (
            usage == "Usage: cncopagent [-?] [-d] [-c CONFIG] [-a] [-t TYPE] [--email EMAIL] [-n] [job ...]"
        )
        options = [line.split("  ")[1] for line in said if line.startswith("  -")]
        assert options[:-1] == [
            *("-d, --debug", "-c, --config CONFIG", "-a, --alljobs", "-t, --type TYPE", "--email EMAIL"),
            "-n, --dry-run",
        ]
        assert sorted(options[-1].split(", ")) == ["--help", "-?", "-h"]


def test_diagnostic_logging_goes_to_stderr_and_the_directory_of_logs(shared: Installation) -> None:
    _, errors = run(shared, AGENT, "-d", "z")
    (log,) = (shared.state / "log").glob("cncopagent-debug-*.log")
    for word in ("chosen: z (alpha), RSYNC PULL", "started cncop-job-z.service", "ended OK", "exit status 0"):
        assert any(word in line for line in errors), errors
        assert word in log.read_text()


def settings(cncop: Installation, path: Path, **mail: object) -> None:
    lines = [f"{key} = {value}" for key, value in mail.items()]
    path.write_text("\n".join(["[mail]", "mail_sender = cncop@example.org", *lines, ""]))


def test_without_a_mail_server_nothing_runs(shared: Installation) -> None:
    before = len(shared.history())
    _, errors = run(shared, AGENT, "z", "--email", "ops@example.org", status=10)
    assert errors == [
        "cncopagent: cncop3.ini: [mail] mail_server: is not set, and without a mail server there is no mail",
        f"hint: set it in {shared.config}/cncop3.ini",
    ]
    assert len(shared.history()) == before


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_became_of_the_jobs_is_mailed(
    shared: Installation, program: tuple[str | Path, ...], tmp_path: Path
) -> None:
    with SmtpServer() as server:
        settings(
            shared,
            shared.config / "cncop3.ini",
            mail_server="127.0.0.1",
            mail_port=server.port,
            mail_security="none",
        )
        _, errors = run(shared, program, "bad", "z", "--email", "ops@example.org", status=3)
        run(shared, program, "bad", "--email", "ops@example.org", status=3)
        both, one = server.wait_for(2)
    assert errors == []
    assert both.to == ["ops@example.org"]
    host = os.uname().nodename
    assert both.subject == f"ERROR: 1 of 2 jobs ended OK, not bad on {host}"
    assert "  OK       z: 7 files" in both.text
    assert one.subject == f"ERROR: Broken (bad) on {host}: no such host"
    assert "  mend the host" in one.text
    assert "agent: the last words" in one.text
    (shared.config / "cncop3.ini").unlink()


def test_the_settings_may_be_elsewhere_and_the_password_is_in_the_store(
    shared: Installation, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path)
    shared.manager.run(CNCOPCTL, "credential", "set", "smtp", "--user", input=PASSWORD)
    other = tmp_path / "other.ini"
    with SmtpServer(context=authority.context, security="starttls", login=True) as server:
        settings(
            shared,
            other,
            mail_server="localhost",
            mail_port=server.port,
            mail_user=USER,
            mail_credential="smtp",
            mail_ca_file=authority.certificate,
        )
        _, errors = run(shared, AGENT, "-c", str(other), "-d", "z", "--email", "ops@example.org")
        (mail,) = server.wait_for(1)
    assert mail.subject == f"OK: alpha (z) on {os.uname().nodename}"
    assert PASSWORD not in "".join(errors)
    _, errors = run(shared, AGENT, "-c", str(tmp_path / "none.ini"), "z", status=2)
    assert "does not exist" in errors[0]


def test_a_mail_that_cannot_be_sent_changes_no_outcome_and_is_tried_again(
    shared: Installation, tmp_path: Path
) -> None:
    other = tmp_path / "other.ini"
    settings(shared, other, mail_server="127.0.0.1", mail_port=free_port(), mail_security="none")
    _, errors = run(shared, AGENT, "-c", str(other), "z", "--email", "ops@example.org")
    assert errors[0].startswith("mail to ops@example.org is not sent yet: Connection refused ")
    assert errors[0].endswith("; it is tried again for five days")
    log = Path(shared.history()[-1]["log"]).read_text()
    assert "warn  cncop: mail to ops@example.org is not sent yet: Connection refused" in log
    (waiting,) = (shared.state / "spool/Mail").glob("*.json")
    assert json.loads(waiting.read_text())["letter"]["to"] == ["ops@example.org"]
    waiting.unlink()
