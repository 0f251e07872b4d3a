"""What a mail about a run says, and when one is due."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cncopctl.core.configuration import Mail
from cncopctl.core.errors import UsageError
from cncopctl.core.mail import (
    Letter,
    Telling,
    check_address,
    letter_of_run,
    letter_of_runs,
    mail_name,
    obstacle,
    occasion,
)
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.mail import message_of
from cncopctl.edges.schema import ProfileSchema
from cncopctl.edges.share import share

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = Run(
    "0123abcd",
    "web-01",
    "Web server, nightly",
    NOW,
    ended=NOW + timedelta(seconds=67),
    outcome=Outcome.ERROR,
    phrase="the server refuses the key",
    hint="store the key: cncopctl credential set web-01",
    attempts=4,
    log="/var/log/cncop/CA-26-03-01_1200.log",
    warnings=("3 files vanished",),
)
GOOD = replace(
    FAILED,
    outcome=Outcome.OK,
    phrase="12 files",
    hint="",
    snapshot="5f3e9a",
    files=12,
    bytes=2048,
    warnings=(),
)


def ago(days: int, outcome: Outcome) -> Run:
    started = NOW - timedelta(days=days)
    return Run(f"run-{days}", "web-01", "Web server, nightly", started, ended=started, outcome=outcome)


def letter(telling: Telling) -> Letter:
    return letter_of_run(telling, ["ops@example.org"], "backup1", NOW)


@pytest.mark.parametrize(
    ("on", "run", "before", "found"),
    [
        (["failure"], FAILED, None, "failure"),
        (["failure"], replace(FAILED, outcome=Outcome.ABORTED), None, "failure"),
        (["failure"], replace(FAILED, outcome=Outcome.RERUN), None, "failure"),
        (["failure"], GOOD, FAILED, ""),
        (["recovery"], FAILED, GOOD, ""),
        (["recovery"], GOOD, FAILED, "recovery"),
        (["recovery"], GOOD, GOOD, ""),
        (["recovery"], GOOD, None, ""),
        (["failure", "recovery"], GOOD, replace(FAILED, outcome=Outcome.ABORTED), "recovery"),
        (["always"], GOOD, None, "always"),
        (["always"], FAILED, None, "failure"),
        (["always"], GOOD, FAILED, "recovery"),
        (["always"], replace(GOOD, outcome=Outcome.SKIPPED), FAILED, ""),
        (["always"], replace(GOOD, outcome=None), None, ""),
    ],
)
def test_when_a_mail_is_due(on: list[str], run: Run, before: Run | None, found: str) -> None:
    assert occasion(on, run, before) == found


def test_a_failure_says_first_what_and_why_and_what_to_do() -> None:
    before = [ago(1, Outcome.ERROR), replace(ago(2, Outcome.OK), snapshot="5f3e9a" * 10)]
    told = letter(Telling(FAILED, before, ["12:00:01 agent: permission denied", "12:01:07 agent: bye"]))
    assert told.subject == "ERROR: Web server, nightly (web-01) on backup1: the server refuses the key"
    lines = told.text.splitlines()
    assert lines[:7] == [
        "ERROR: Web server, nightly (web-01): the server refuses the key",
        "",
        "What to do",
        "  store the key: cncopctl credential set web-01",
        "  cncopctl why web-01                      what is known of it, and when it runs next",
        "  cncopctl runjob web-01                   run it again, now",
        "",
    ]
    facts = dict(line.split(maxsplit=1) for line in lines[7:15])
    assert facts["Job"] == "Web server, nightly (web-01)"
    assert facts["Machine"] == "backup1"
    assert facts["Ended"].endswith(", after 1min 7s")
    assert facts["Attempts"] == "4"
    assert facts["Before"].startswith("2 failures in a row; last OK ")
    assert facts["Before"].endswith(", snapshot 5f3e9a5f")
    assert facts["Log"] == FAILED.log
    assert lines[-6:] == [
        "Warnings",
        "  3 files vanished",
        "",
        "Last lines of the log",
        "  12:00:01 agent: permission denied",
        "  12:01:07 agent: bye",
    ]


def test_a_recovery_says_so_and_how_long_it_was_bad() -> None:
    told = letter(Telling(GOOD, [ago(1, Outcome.ABORTED), ago(2, Outcome.RERUN), ago(3, Outcome.OK)]))
    assert told.subject == "OK again: Web server, nightly (web-01) on backup1"
    assert "What to do" not in told.text
    assert "Before     failed 2 times in a row; last OK " in told.text
    assert "Snapshot   5f3e9a" in told.text
    assert "Backup     12 files, 2.0 KiB" in told.text


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([], "this was its first run"),
        ([ago(1, Outcome.ERROR)], "2 failures in a row; never OK as far as is known"),
        ([ago(1, Outcome.OK)], "last OK "),
    ],
)
def test_what_was_before(before: list[Run], said: str) -> None:
    assert f"Before     {said}" in letter(Telling(FAILED, before)).text


def test_several_runs_make_one_mail_with_the_worst_first() -> None:
    runs = [GOOD, replace(FAILED, job="db", title="db"), replace(GOOD, job="etc", outcome=Outcome.SKIPPED)]
    told = letter_of_runs([Telling(run) for run in runs], "x", ["a@b"], "backup1", NOW)
    assert told.subject == "ERROR: 1 of 3 jobs ended OK, not db, etc on backup1"
    assert told.text.splitlines()[:5] == [
        "On backup1: 1 of 3 jobs ended OK, not db, etc",
        "",
        "  OK       web-01: 12 files",
        "  ERROR    db: the server refuses the key",
        "  SKIPPED  etc: 12 files",
    ]
    assert told.text.count("Run        0123abcd") == 2
    assert (
        letter_of_runs([Telling(GOOD)] * 2, "x", ["a@b"], "h", NOW).subject == "OK: all 2 jobs ended OK on h"
    )
    assert letter_of_runs([Telling(GOOD)], "x", ["a@b"], "h", NOW) == replace(
        letter(Telling(GOOD)),
        id="x",
        to=("a@b",),
        subject="OK: Web server, nightly (web-01) on h",
        text=letter(Telling(GOOD)).text.replace("backup1", "h"),
    )


HOSTILE = ("\x1b[2J\r\nBcc: evil@example.org", "x" * 10_000_000, "\udcff\u202e\x00", "\n" * 1000)


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_others_wrote_a_mail_stays_small_and_plain(text: str) -> None:
    run = replace(FAILED, title=text, phrase=text, hint=text, snapshot=text, warnings=(text,) * 1000)
    telling = Telling(run, (), [text] * 30)
    for told in (letter(telling), letter_of_runs([telling] * 1000, "x", ["a@b"], text, NOW)):
        assert len(told.subject) <= 150
        assert told.subject.isprintable()
        assert len(told.text) < 1_000_000
        assert all(line.isprintable() for line in told.text.split("\n"))
        message = message_of(told, "cncop@example.org").as_bytes()
        head = message.partition(b"\r\n\r\n")[0]
        assert b"\nBcc" not in head
        assert max(map(len, message.split(b"\r\n"))) < 998


def test_a_letter_comes_back_from_json_as_it_was() -> None:
    told = letter(Telling(FAILED))
    assert Letter.from_document(json.loads(json.dumps(told.document()))) == told


@pytest.mark.parametrize("changes", [{"to": [5]}, {"written": "2026-03-01"}, {"id": None}])
def test_what_is_no_letter_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Letter.from_document(letter(Telling(FAILED)).document() | changes)


@pytest.mark.parametrize("address", ["a@b", "o'hara+x@mail.example.org", f"{'a' * 64}@b.example"])
def test_addresses(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address", ["ops", "a@b\n", "a b@c", "<a@b>", "a@b,c@d", "@b", "a@-", "a@b\r\nBcc: x@y"]
)
def test_what_is_no_address_is_refused_by_the_command_line_and_the_profile_alike(address: str) -> None:
    with pytest.raises(UsageError, match="is no mail address"):
        check_address(address)
    job = {"id": "a", "type": "RSYNC", "schedule": "@daily", "source": "/a", "notify": {"to": address}}
    schema = ProfileSchema(share("Config", "profile.schema.json"))
    assert [fault.key for fault in schema.faults("f", {"schema": 1, "job": [job]})] == ["notify.to"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (Mail(), "no mail server is set"),
        (Mail("mail"), ""),
        (Mail("mail", user="u"), "mail_user u has no password"),
        (Mail("mail", user="u", credential="smtp"), "the mail server's password, smtp, is not stored"),
        (Mail("mail", user="u", credential="stored"), ""),
    ],
)
def test_what_keeps_mail_from_being_sent_is_known_before(settings: Mail, problem: str) -> None:
    what, hint = obstacle(settings, {"stored"})
    assert (what, bool(hint)) == (problem, bool(problem))


def test_names_of_queued_mail_sort_by_age() -> None:
    assert mail_name("b", NOW) < mail_name("a", NOW + timedelta(seconds=1))
