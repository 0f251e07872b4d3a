"""`cncopctl translate` as programs and people use it: what goes in, what comes out, and the exit status."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from property.schedule.grammar import draw

CNCOPCTL = Path(sys.executable).with_name("cncopctl")


def run(*words: str | Path, stdin: bytes = b"", status: int = 0) -> subprocess.CompletedProcess[bytes]:
    argv = [CNCOPCTL, "translate", "--timezone", "UTC", *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    return done


def answers(*words: str | Path, stdin: bytes = b"", status: int = 0) -> list[dict[str, Any]]:
    lines = run(*words, "--json", stdin=stdin, status=status).stdout.splitlines()
    return [json.loads(line) for line in lines]


def asked(*questions: object) -> bytes:
    return "".join(f"{json.dumps(question)}\n" for question in questions).encode()


QUESTIONS = """
30 2 * * MON-FRI | Mon..Fri *-*-* 02:30:00 UTC
0 0 13 * 5 | *-*-13 00:00:00 UTC; Fri *-*-* 00:00:00 UTC
{"cron": "30 2 * * *", "timezone": "Asia/Tokyo"} | *-*-* 02:30:00 Asia/Tokyo
{"cron": "CRON_TZ=Asia/Tokyo 30 2 * * *", "timezone": "Europe/Berlin"} | *-*-* 02:30:00 Asia/Tokyo
{"cron": "30 2 * * *", "timezone": null} | *-*-* 02:30:00 UTC
{"cron": "0 30 2 ? * 2-6", "dialect": "quartz"} | Mon..Fri *-*-* 02:30:00 UTC
{"hour": 2, "minute": [0, 30], "day_of_week": "mon-fri"} | Mon..Fri *-*-* 02:00,30:00 UTC
{"schedule_hour": "2", "schedule_day_of_week": 6} | Sun *-*-* 02:00:00 UTC
{"interval": "90 minutes"} | *-*-* 00..21/3:00:00 UTC; *-*-* 01..22/3:30:00 UTC
{"date": "2150-03-01T02:30:00", "timezone": "Asia/Tokyo"} | 2150-03-01 02:30:00 Asia/Tokyo
{"cron": "0 0 1 1 *", "start_date": "2150-01-01", "end_date": "2151-12-31"} | 2150,2151-01-01 00:00:00 UTC
"30 2 * * *" | *-*-* 02:30:00 UTC
@weekly | Sun *-*-* 00:00:00 UTC
@reboot |
"""


def test_each_line_of_input_has_its_calendar_lines() -> None:
    table = [line.rpartition("|") for line in QUESTIONS.strip().splitlines()]
    given = "".join(f"{question}\n" for question, _, _ in table).encode()
    told = answers("--stdin", stdin=given)
    assert ["; ".join(answer["oncalendar"]) for answer in told] == [lines.strip() for *_, lines in table]
    assert [answer["error"] for answer in told] == [None] * len(table)
    assert all(answer["explain"].endswith(".") for answer in told)


def test_an_answer_says_what_there_is_to_say() -> None:
    (answer,) = answers("*/20 2 */2 * 1", "--timezone", "Europe/Berlin", "--next", "2")
    assert answer["cron"] == "*/20 2 */2 * 1"
    assert answer["oncalendar"][0] == "Mon *-*-01..31/2 02:00,20,40:00 Europe/Berlin"
    assert answer["timezone"] == "Europe/Berlin"
    assert answer["explain"].startswith("At 02:00, 02:20 and 02:40 on every Monday that is day")
    assert len(answer["next"]) == 2
    assert "since one begins with a star" in answer["warnings"][0]
    assert set(answer) >= {"cron", "oncalendar", "explain", "error", "exact_until"}


REFUSALS = """
61 * * * *                            | minute: 61 is not in 0..59
0 0 30 2 *                            | the schedule never elapses: no month has such a day
not a schedule                        | a schedule has five or six fields, not 3 fields
                                      | the schedule is empty
{"cron": 5}                           | cron: 5 is no text
{"cron": ["* * * * *"]}               | cron: ['* * * * *'] is no text
{}                                    | the schedule says no time
{"hour": 2.5}                         | hour: 2.5 is no field
{"cron": "0 0 * * *", "when": 1}      | when is no key of a schedule
{"cron": "0 0 * * *", "hour": 1}      | cron and hour do not go together
{"cron": "0 0 * * *", "timezone": 5}  | time zone '5' is not of the form Region/City
{"cron": "0 0 * * *", "timezone": "../../etc/shadow"} | there is no time zone '../../etc/shadow'
{"cron": "0 0 * * *", "job": []}      | job: [] is no text
{"cron": "0 0 * * *", "dialect": "x"} | dialect 'x' is not known
{"cron": "0 0 * * *"                  | the line is no JSON object
{"cron": NaN}                         | the line is no JSON object
{"id": [[[[[[[[[[ 99 x ]]]]]]]]]]}    | the line is no JSON object
{"interval": "9 9"}                   | a unit must follow 9
{"date": true}                        | True is no date
{"cron": "0 0 * * *", "start_date": "9999-12-31T23:59:59-23:59"} | 9999 is beyond what systemd's calendar knows
"""


def test_forgotten_quotes_are_forgiven_where_the_shell_left_the_words_alone() -> None:
    assert [answer["cron"] for answer in answers("30", "2", "1", "1", "MON-FRI")] == ["30 2 1 1 MON-FRI"]
    assert [answer["cron"] for answer in answers("30 2 * * *", "@daily")] == ["30 2 * * *", "@daily"]


def test_a_refusal_has_its_place_its_reason_and_a_hint() -> None:
    table = [line.rpartition("|") for line in REFUSALS.strip("\n").splitlines()]
    given = b"".join(b"%s\n0 2 * * *\n" % question.strip().encode() for question, _, _ in table)
    told = answers("--stdin", stdin=given, status=10)
    assert [answer["error"] for answer in told[::2]] == [error.strip() for *_, error in table]
    assert all(answer["hint"] for answer in told[::2])
    assert all(answer["oncalendar"] == [] and answer["explain"] is None for answer in told[::2])
    assert [answer["oncalendar"] for answer in told[1::2]] == [["*-*-* 02:00:00 UTC"]] * len(table)


HOSTILE = {
    "no UTF-8": b"\xff\xfe * * * *",
    "a lone surrogate": b'{"cron": "\\ud800 * * * *"}',
    "a NUL": b"\x00 * * * *",
    "escapes for a terminal": b"\x1b[31m* * * * *",
    "a megabyte": b"1," * (1 << 19),
    "a megabyte of JSON": b'{"cron": "%s"}' % (b"*" * (1 << 20)),
    "a deep list": b'{"id": %s}' % (b"[" * 30_000),
    "a deep list that ends": b'{"id": %s%s}' % (b"[" * 980, b"]" * 980),
    "a number of many digits": b'{"hour": %s}' % (b"9" * 5_000),
    "digits in a text": b"%s * * * *" % (b"9" * 5_000),
    "digits in a step": b"*/%s * * * *" % (b"9" * 5_000),
    "digits in an interval": b'{"interval": "%s weeks"}' % (b"9" * 5_000),
    "digits in an offset": b"0 0 L-%s * *" % (b"9" * 5_000),
    "a list of many": b"%s1 * * * *" % (b"1," * 30_000),
}


def test_hostile_lines_are_answered_in_their_place() -> None:
    given = b"".join(line + b"\n0 2 * * *\n" for line in HOSTILE.values())
    done = run("--stdin", "--json", stdin=given, status=10)
    assert done.stdout.isascii()
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [bool(answer["error"]) for answer in told] == [True, False] * len(HOSTILE)
    assert b"\x1b" not in run("--stdin", stdin=given, status=10).stderr


def test_a_byte_order_mark_is_no_part_of_a_schedule() -> None:
    told = answers("--stdin", stdin=b'\xef\xbb\xbf{"cron": "0 2 * * *"}\r\n0 2 * * *\r\n')
    assert [answer["oncalendar"] for answer in told] == [["*-*-* 02:00:00 UTC"]] * 2


def test_ten_thousand_lines_take_a_few_seconds_of_one_process() -> None:
    random = Random(7)  # noqa: S311 - the same draws each time
    texts = [draw(random) for _ in range(10_000)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [CNCOPCTL, "translate", "--stdin", "--json"],
        input=asked(*({"cron": text, "id": number} for number, text in enumerate(texts))),
        capture_output=True,
        timeout=120,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["id"], answer["cron"]) for answer in told] == list(enumerate(texts))
    refused = {answer["error"] for answer in told if answer["error"]}
    assert refused == {"the schedule never elapses: no month has such a day"}
    assert (done.returncode, done.stderr) == (10, b"")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 8


def test_whoever_waits_for_an_answer_gets_it() -> None:
    argv = [str(CNCOPCTL), "translate", "--stdin", "--json"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin
        assert program.stdout
        for text in ("0 2 * * *", "0 3 * * *"):
            program.stdin.write(asked(text))
            program.stdin.flush()
            assert json.loads(program.stdout.readline())["cron"] == text


def test_whoever_has_had_enough_may_leave() -> None:
    argv = [str(CNCOPCTL), "translate", "--stdin", "--json"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout
        program.stdout.close()
        _, complaints = program.communicate(asked(*["0 2 * * *"] * 5_000), timeout=60)
    assert (program.returncode, complaints) == (0, b"")


def test_a_chosen_value_stays_with_machine_and_job() -> None:
    def chosen(*words: str) -> list[str]:
        return [answer["oncalendar"][0] for answer in answers("H H * * *", "0~59 3 * * *", *words)]

    assert chosen("--job", "web-01") == chosen("--job", "web-01")
    assert chosen("--job", "web-01") != chosen("--job", "web-02")
    (told,) = answers("--stdin", stdin=asked({"cron": "H H * * *", "job": "web-01"}))
    assert told["oncalendar"] == chosen("--job", "web-01")[:1]
    assert "--job ID" in answers("H H * * *")[0]["warnings"][0]


def test_people_read_lines_next_runs_and_a_sentence() -> None:
    done = run("0 2 L * *", "--timezone", "Europe/Berlin", "--next", "3", "--prove")
    lines = [line.strip() for line in done.stdout.decode().splitlines()]
    assert lines[:2] == ["0 2 L * *", "At 02:00 on the last day of the month (Europe/Berlin)."]
    assert "OnCalendar=*-*-31 02:00:00 Europe/Berlin" in lines
    assert sum(line.startswith("next ") for line in lines) == 3
    assert any(line.startswith("proved ") for line in lines)


def test_people_are_shown_where_the_fault_is() -> None:
    done = run("30 2 * * *", "0 25 * * *", "45 2 * * *", status=10)
    assert done.stdout.count(b"OnCalendar=") == 2
    assert done.stderr.decode().splitlines() == [
        "cncopctl: hour: 25 is not in 0..23",
        "  0 25 * * *",
        "    ^",
        "hint: write 0 to 23",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Africa/Abidjan", "Australia/Lord_Howe"])
def test_proofs_are_made_for_many_at_once(zone: str) -> None:
    random = Random(zone)  # noqa: S311 - the same draws each time
    questions = [{"cron": draw(random), "timezone": zone} for _ in range(40)]
    told = [
        answer for answer in answers("--stdin", "--prove", stdin=asked(*questions)) if not answer["error"]
    ]
    assert all(answer["proof"]["holds"] and answer["proof"]["base_times"] > 15 for answer in told)


CRONTAB = """\
# m h dom mon dow user command
SHELL=/bin/sh
17 * * * * root cd / && run-parts --report /etc/cron.hourly
CRON_TZ=Asia/Tokyo
@daily backup /usr/bin/backup --to "50%done"
0 25 * * * root wrong
0 5 * * * root
"""


@pytest.mark.parametrize("way", ["a file", "standard input"])
def test_a_crontab_is_read_whole(way: str, tmp_path: Path) -> None:
    path = tmp_path / "crontab"
    path.write_text(CRONTAB)
    source = str(path) if way == "a file" else "-"
    words = ("--from", "crontab", "--user-field", "--next", "0", source)
    told = answers(*words, stdin=CRONTAB.encode() if source == "-" else b"", status=10)
    assert [answer["line"] for answer in told] == [3, 5, 6, 7]
    assert told[0] == {
        "file": source,
        "line": 3,
        "user": "root",
        "command": "cd / && run-parts --report /etc/cron.hourly",
        "cron": "17 * * * *",
        "oncalendar": ["*-*-* *:17:00 UTC"],
        "explain": "At minute 17 of every hour every day (UTC).",
        "error": None,
        "timezone": "UTC",
    }
    assert told[1]["oncalendar"] == ["*-*-* 00:00:00 Asia/Tokyo"]
    assert told[1]["command"] == '/usr/bin/backup --to "50%done"'
    assert [answer["error"] for answer in told[2:]] == ["hour: 25 is not in 0..23", "the line has no command"]


USAGE = {
    "nothing": (),
    "both": ("--stdin", "0 2 * * *"),
    "no such file": ("--from", "crontab", "/no/such/file"),
    "a directory": ("--from", "crontab", "/etc"),
    "no such dialect": ("--dialect", "klingon", "0 2 * * *"),
    "no number": ("--next", "many", "0 2 * * *"),
}


@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE)
def test_wrong_usage_is_told_with_a_hint(words: tuple[str, ...]) -> None:
    done = run(*words, status=2)
    assert done.stdout == b""
    assert b"hint: " in done.stderr
