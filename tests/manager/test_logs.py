"""What a run says: the same in its log and in the journal, whatever its agent prints."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cncopctl.core.log_line import LONGEST, parse_line

from .installation import CNCOPCTL, Installation, job

# Prints what terminals, logs and memory might not survive, and leaves a result of the same kind.
HOSTILE = r"""
head -c 10000000 /dev/zero | tr '\0' x >&2
printf '\n\033]0;owned\007\033[2J\377\376\tred\r\n\n\342\200\256evil\nwithout end' >&2
printf %s '{"phrase": "\u001b[2J\nfine", "warnings": ["\u001b[31mred"]}' >$CNCOP_RESULT
"""


def journal(cncop: Installation, *matches: str) -> list[dict[str, Any]]:
    """Entries of the journal that have all these fields, oldest first."""
    cncop.manager.run("journalctl", "--sync")
    words = ["journalctl", "--all", "--no-pager", "--output=json", *matches]
    return [json.loads(line) for line in cncop.manager.run(*words).stdout.splitlines()]


def test_a_hostile_agent_harms_neither_log_nor_journal_nor_terminal(cncop: Installation) -> None:
    cncop.agent(HOSTILE)
    cncop.synced(job("a", title="Nightly\u00a0🐘"))
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "a")
    assert done.stdout.replace("\n", "").isprintable()
    (run,) = cncop.history()
    lines = [parse_line(line) for line in Path(run["log"]).read_text("utf-8").splitlines()]
    said = [(line.level.name, line.source, line.text) for line in lines if line]
    assert len(said) == len(lines)
    assert said == [
        ("INFO", "cncop", f"run {run['id']} of a (Nightly\\xa0🐘) begins"),
        ("INFO", "agent", f"{'x' * LONGEST} [{10_000_000 - LONGEST:,} more bytes were cut]"),
        ("INFO", "agent", "\\x1b]0;owned\\x07\\x1b[2J\\xff\\xfe\tred"),
        ("INFO", "agent", "\\u202eevil"),
        ("INFO", "agent", "without end"),
        ("WARN", "cncop", "warning: \\x1b[31mred"),
        ("INFO", "cncop", "a: OK: \\x1b[2J fine"),
    ]
    entries = journal(cncop, f"CNCOP_RUN={run['id']}")
    assert [(entry["CNCOP_SOURCE"], entry["MESSAGE"]) for entry in entries] == [each[1:] for each in said]
    assert {entry["_SYSTEMD_USER_UNIT"] for entry in entries} == {"cncop-job-a.service"}
    assert {entry["CNCOP_JOB"] for entry in entries} == {"a"}


@pytest.mark.parametrize(
    ("script", "outcome", "priority", "phrase"),
    [
        ("""echo '{"phrase": "2 files", "files": 2}' >$CNCOP_RESULT""", "OK", "6", "2 files"),
        ("exit 1", "ERROR", "3", "the agent ended with status 1 and left no result: its log has more"),
        ("kill -KILL $PPID; sleep 9", "ABORTED", "3", "was killed by signal KILL"),
    ],
)
def test_the_journal_finds_the_ends_of_runs_by_their_outcome(
    cncop: Installation, script: str, outcome: str, priority: str, phrase: str
) -> None:
    cncop.agent(script)
    cncop.synced(job("a"))
    cncop.manager.run(CNCOPCTL, "runjob", "--user", "a", check=False)
    (run,) = cncop.history()
    (end,) = journal(cncop, f"CNCOP_OUTCOME={outcome}", "CNCOP_JOB=a")
    assert (end["MESSAGE"], end["PRIORITY"], end["CNCOP_RUN"]) == (
        f"a: {outcome}: {phrase}",
        priority,
        run["id"],
    )
    assert len(end["MESSAGE_ID"]) == 32
    assert Path(run["log"]).read_text().rstrip("\n").endswith(f" cncop: a: {outcome}: {phrase}")


def test_a_log_that_cannot_be_written_is_a_warning_and_no_failure(cncop: Installation) -> None:
    cncop.agent("""echo copying >&2; echo '{"phrase": "done"}' >$CNCOP_RESULT""")
    cncop.synced(job("a"))
    logs = cncop.state / "log"
    logs.rename(logs.with_name("elsewhere"))
    logs.write_text("no directory")
    cncop.manager.run(CNCOPCTL, "runjob", "--user", "a")
    (run,) = cncop.history()
    assert (run["outcome"], run["phrase"], run["log"]) == ("OK", "done", "")
    assert run["warnings"][0].startswith("the log cannot be written: ")
    assert "copying" in [entry["MESSAGE"] for entry in journal(cncop, f"CNCOP_RUN={run['id']}")]


def test_a_run_removes_old_logs_but_none_in_use_nor_that_of_its_last_failure(cncop: Installation) -> None:
    (cncop.config / "cncop3.ini").write_text("[defaults]\ndays_of_logs = 7\n")
    cncop.agent("exit 1")
    cncop.synced(job("a"))
    cncop.manager.run(CNCOPCTL, "runjob", "--user", "a", check=False)
    logs = cncop.state / "log"
    old = {name: logs / f"CA-20-01-0{day}_0230.log" for day, name in enumerate(("gone", "used", "failed"), 1)}
    (failure,) = logs.iterdir()
    failure.rename(old["failed"])
    for path in (*old.values(), logs / "CA-20-01-04_0230.log"):
        path.touch()
        os.utime(path, (1_577_900_000, 1_577_900_000))
    with contextlib.closing(sqlite3.connect(cncop.state / "history.sqlite")) as database:
        document = json.dumps({**cncop.history()[0], "log": str(old["failed"])})
        database.execute("UPDATE run SET document = ?", (document,))
        database.commit()
    cncop.agent("""echo '{"phrase": "done"}' >$CNCOP_RESULT""")
    with old["used"].open() as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        # A clock that is wrong for a day costs nothing: logs of two later days are what counts.
        (logs / "CA-26-01-01_0230.log").touch()
        cncop.manager.run(CNCOPCTL, "runjob", "--user", "a")
    assert [name for name, path in old.items() if not path.exists()] == ["gone"]
    assert "2 old logs were removed" in cncop.manager.journal("cncop-job-a.service")
