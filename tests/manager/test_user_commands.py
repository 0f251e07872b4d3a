"""User commands: their output, their time limits, how they end, and what becomes of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager

SERVICE = "cncop-job-a.service"
OK = """echo '{"phrase": "all is copied", "snapshot": "s1"}' >$CNCOP_RESULT"""


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    installation = Installation(manager)
    installation.agent(OK)
    return installation


def run(cncop: Installation, **values: Any) -> dict[str, Any]:
    cncop.synced(job("a", **values))
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "--json", "a", check=False)
    (told,) = json.loads(done.stdout)
    return dict(told)


def exceptions(cncop: Installation) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (cncop.state / "spool").rglob("JE-*.json")]


def test_what_a_command_prints_is_in_the_log_of_its_run(cncop: Installation) -> None:
    cncop.command("before", "echo from stdout; echo from stderr >&2")
    cncop.command("good", "echo afterwards")
    told = run(cncop, run_before="before", run_after_success="good")
    assert told["outcome"] == "OK"
    text = Path(told["log"]).read_text()
    for line in ("from stdout", "from stderr", "afterwards"):
        assert line in text
    assert text.index("from stdout") < text.index("afterwards") < text.index("all is copied")
    assert not exceptions(cncop)


def test_a_failed_run_before_is_reported_with_the_beginning_of_its_stderr(cncop: Installation) -> None:
    # Byte 2,048 falls into the middle of a character.
    cncop.command("before", "echo out; printf x >&2; yes ä | head -n 5000 | tr -d '\\n' >&2; exit 3")
    told = run(cncop, run_before="before")
    assert (told["outcome"], told["phrase"]) == ("ERROR", "run_before: before ended with status 3")
    (report,) = exceptions(cncop)
    assert report["id"] == f"JE-{told['id']}"
    assert report["exception"] == {
        "command": "before",
        "status": 3,
        "stderr": "x" + "ä" * 1023,
        "is_cut": True,
    }
    assert "out" in Path(told["log"]).read_text()


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(cncop: Installation) -> None:
    alive = cncop.manager.home / "alive"
    cncop.command("before", f"(trap '' TERM; echo $$ >{alive}; sleep infinity) & sleep infinity")
    told = run(cncop, run_before="before", command_timeout="1s")
    assert (told["outcome"], told["phrase"]) == ("ERROR", "run_before: before took longer than 1s")
    assert exceptions(cncop)[0]["exception"]["status"] == 124


def test_what_a_command_leaves_in_the_background_is_not_waited_for(cncop: Installation) -> None:
    cncop.command("before", "echo tunnel; sleep infinity & exit 0")
    assert run(cncop, run_before="before")["outcome"] == "OK"


# Talks all the time, at a pace that fills no disk.
CHATTY = "while :; do echo talking; sleep 0.01; done"


def test_a_command_that_never_stops_talking_has_its_time_limit_too(cncop: Installation) -> None:
    cncop.command("before", CHATTY)
    told = run(cncop, run_before="before", command_timeout="1s")
    assert (told["outcome"], told["phrase"]) == ("ERROR", "run_before: before took longer than 1s")


def test_what_is_left_in_the_background_may_talk_on(cncop: Installation) -> None:
    cncop.command("before", f"echo tunnel; ({CHATTY}) & exit 0")
    cncop.agent(f"({CHATTY}) >&2 & {OK}")
    assert run(cncop, run_before="before")["outcome"] == "OK"


def test_a_command_may_die_of_a_signal_without_a_name(cncop: Installation) -> None:
    cncop.command("before", "kill -40 $$")
    assert run(cncop, run_before="before")["phrase"] == "run_before: before was killed by signal 40"


def test_a_success_whose_command_fails_is_none(cncop: Installation) -> None:
    cncop.command("good", "kill -9 $$")
    told = run(cncop, run_after_success="good")
    assert told["outcome"] == "ERROR"
    assert told["phrase"] == (
        "run_after_success: good was killed by SIGKILL; the backup itself is complete: all is copied"
    )
    assert told["snapshot"] == "s1"


def test_a_command_for_failures_that_fails_is_told_beside_the_failure(cncop: Installation) -> None:
    cncop.agent("""echo '{"phrase": "went wrong"}' >$CNCOP_RESULT; exit 1""")
    cncop.command("bad", "exit 4")
    told = run(cncop, run_after_failure="bad")
    assert (told["outcome"], told["phrase"]) == ("ERROR", "went wrong")
    assert told["warnings"] == ["run_after_failure: bad ended with status 4"]


def test_a_command_knows_how_a_run_ended_that_ran_out_of_time(cncop: Installation) -> None:
    facts = cncop.manager.home / "facts"
    cncop.agent("trap 'kill $!; exit 143' TERM; sleep infinity & wait")
    cncop.command("bad", f'echo "$CNCOP_STEP $CNCOP_OUTCOME $CNCOP_PHRASE" >{facts}; test -e "$CNCOP_LOG"')
    told = run(cncop, run_after_failure="bad", timeout="1s")
    assert facts.read_text() == "run_after_failure ERROR took longer than its timeout of 1s\n"
    assert told["warnings"] == []


def test_a_command_cannot_speak_to_systemd_for_the_run(cncop: Installation) -> None:
    cncop.command("before", 'test -z "$NOTIFY_SOCKET"')
    assert run(cncop, run_before="before")["outcome"] == "OK"


def test_a_run_that_is_stopped_during_its_run_before_is_aborted_and_closed(cncop: Installation) -> None:
    up = cncop.manager.home / "up"
    cncop.manager.run("mkfifo", up)
    cncop.command("before", f"echo began >{up}; sleep infinity & wait")
    cncop.synced(job("a", run_before="before"))
    cncop.manager.systemctl("start", "--no-block", SERVICE)
    assert cncop.manager.run("cat", up, timeout=20).stdout == "began\n"
    cncop.manager.systemctl("stop", SERVICE)
    (closed,) = cncop.history()
    assert closed["outcome"] == "ABORTED"
    assert closed["phrase"] == "was stopped during run_before, by systemd (systemctl stop)"
    assert [report["outcome"] for report in cncop.reports()] == ["ABORTED"]
