"""Profiles that are not valid: each fault with a remedy, all of them at once."""

from __future__ import annotations

import pytest

from .builders import faults_of, job_table, job_toml

ONE_LINE = "write 1 to 200 printable characters on one line"
ID = (
    "use 1 to 64 letters, digits, dots, underscores and hyphens, beginning with a letter or digit, "
    'as in id = "web-01"; what people read goes into title'
)
TYPES = "CCS, CIFS, FTP, FTPS, MSSQL, RSYNC, SFTP, WIMG"
SCHEDULE = 'write a cron string such as schedule = "30 2 * * MON-FRI", or a list of them'
SOURCE = 'write a path or URL on one line, as in source = "/srv/www" or source = "backup@web-01:/srv/www"'
DESTINATION = 'write the whole path of a directory of this machine, as in destination = "/srv/backup/web-01"'
RETRIES = "write a whole number from 0 to 100"
TIMEOUT = 'write a time span, as in timeout = "6h"'
LONG = "255 bytes for each name and 4095 for the whole path are the most"
COMMANDS = (
    "user commands are executable files in the bin directory beside the profile, "
    "which only root (or, for a user's jobs, that user) can write"
)
ADDRESSES = 'write addresses, as in to = ["ops@example.org"]'
NOTIFY = 'write a table, as in notify = { to = ["ops@example.org"], on = ["failure", "recovery"] }'
NOT_AS_IT_MUST_BE = "is not written as it must be"

# One key of a job that is valid but for it: what it is, and the fault and the remedy that it gets.
FAULTY = [
    ("id", '""', f'job #1: id: "" {NOT_AS_IT_MUST_BE}', ID),
    ("id", "5", "job #1: id: 5 is not text in quotes", ID),
    ("id", None, "job #1: id is missing", ID),
    ("id", '"a/b"', f'job "a/b": id: "a/b" {NOT_AS_IT_MUST_BE}', ID),
    ("id", '".."', f'job "..": id: ".." {NOT_AS_IT_MUST_BE}', ID),
    ("id", '"-x"', f'job "-x": id: "-x" {NOT_AS_IT_MUST_BE}', ID),
    ("id", '"a b"', f'job "a b": id: "a b" {NOT_AS_IT_MUST_BE}', ID),
    ("id", '"a:2"', f'job "a:2": id: "a:2" {NOT_AS_IT_MUST_BE}', ID),
    ("id", '"a\\n"', f'job "a\\n": id: "a\\n" {NOT_AS_IT_MUST_BE}', ID),
    ("title", '"two\\nlines"', f'title: "two\\nlines" {NOT_AS_IT_MUST_BE}', ONE_LINE),
    ("title", '"\\u001b[31m"', f'title: "\\x1b[31m" {NOT_AS_IT_MUST_BE}', ONE_LINE),
    ("title", '"a\\u2028b"', f'title: "a\\u2028b" {NOT_AS_IT_MUST_BE}', ONE_LINE),
    ("title", '""', "title: is empty", ONE_LINE),
    ("title", f'"{"x" * 201}"', "title: is longer than 200 characters", ONE_LINE),
    ("title", "2026-01-01T00:00:00", "", ""),
    (
        "title",
        '"a\\ufffe"',
        "title: character 2 is U+FFFE, which cannot stand in a unit file",
        "leave that character out",
    ),
    (
        "type",
        '"RSNYC"',
        f'type: "RSNYC" is not one of {TYPES} (did you mean RSYNC?)',
        f"write one of {TYPES}",
    ),
    ("type", "true", f"type: true is not one of {TYPES}", f"write one of {TYPES}"),
    (
        "type",
        '"WIMG"',
        "type: no agent for WIMG is installed (backupagentwimg)",
        "installed are the agents for: RSYNC",
    ),
    *(
        (
            "source",
            f'"{place}"',
            "source: it has a password in it",
            'store it with: cncopctl credential set NAME; and name it in the job: credential = "NAME"',
        )
        for place in ("rsync://u:geheim@h/m", "SSH://u:@h/x", "s3:https://key:geheim@h/bucket")
    ),
    ("source", '"/srv/a://u:x@h"', "", ""),
    ("titel", '"x"', 'unknown key "titel"', "did you mean title?"),
    ("schedule", None, "schedule is missing", SCHEDULE),
    ("schedule", '""', "schedule: is empty", SCHEDULE),
    ("schedule", "[]", "schedule: is empty", SCHEDULE),
    ("schedule", "5", "schedule: 5 is neither text in quotes nor a table nor a list of them", SCHEDULE),
    (
        "schedule",
        "[5]",
        "schedule.#1: 5 is neither text in quotes nor a table nor a list of them",
        SCHEDULE,
    ),
    ("schedule", "{ minut = 5 }", 'schedule: unknown key "minut"', "did you mean minute?"),
    (
        "schedule",
        '["0 1 * * *", { minute = 5.0 }]',
        "schedule.#2.minute: 5.0 is not text in quotes or a whole number",
        SCHEDULE,
    ),
    ("schedule", '"61 2 * * *"', "schedule: minute: 61 is not in 0..59", "write 0 to 59"),
    (
        "schedule",
        '["0 1 * * *", "0 25 * * *"]',
        "schedule 2: hour: 25 is not in 0..23",
        "write 0 to 23",
    ),
    (
        "timezone",
        '"Europe/Berlni"',
        "timezone: there is no time zone 'Europe/Berlni'",
        "write Europe/Berlin",
    ),
    (
        "timezone",
        '"../etc/passwd"',
        f'timezone: "../etc/passwd" {NOT_AS_IT_MUST_BE}',
        'write a zone of tzdata, as in timezone = "Europe/Berlin"',
    ),
    ("source", None, "source: is missing", SOURCE),
    ("source", '""', "source: is empty", SOURCE),
    ("source", '"/a\\tb"', f'source: "/a\\tb" {NOT_AS_IT_MUST_BE}', SOURCE),
    ("source", '"/a/../b"', 'source: "/a/../b" has ".." in it', "write the path that it leads to"),
    ("source", f'"/{"ü" * 128}"', f'source: "/{"ü" * 57}… is longer than Linux allows', LONG),
    ("source", f'"/{"ü/" * 1500}"', f'source: "/{"ü/" * 28}ü… is longer than Linux allows', LONG),
    ("destination", '"backup/web"', 'destination: "backup/web" is not an absolute path', DESTINATION),
    ("destination", '"me@there:/x"', 'destination: "me@there:/x" is not an absolute path', DESTINATION),
    ("destination", '"/x/.."', 'destination: "/x/.." has ".." in it', "write the path that it leads to"),
    (
        "direction",
        '"PUSH"',
        "destination: is missing, and a PUSH job needs one",
        'write where the copy goes, as in destination = "backup@store:/srv/www"',
    ),
    (
        "direction",
        '"pull"',
        'direction: "pull" is not one of PULL, PUSH (did you mean PULL?)',
        'write: direction = "PULL" or direction = "PUSH"',
    ),
    ("timeout", "60", "timeout: 60 is not text in quotes", TIMEOUT),
    ("timeout", '"2 years"', f'timeout: "2 years" {NOT_AS_IT_MUST_BE}', TIMEOUT),
    (
        "timeout",
        '"0"',
        "timeout: a run without any time cannot do anything",
        'write how long a run may take, as in timeout = "6h"',
    ),
    (
        "timeout",
        '"367d"',
        'timeout: "367d" is longer than a year',
        'write a shorter span, as in timeout = "6h"',
    ),
    (
        "retry_interval",
        '"999999999w"',
        'retry_interval: "999999999w" is longer than a year',
        'write a shorter span, as in retry_interval = "6h"',
    ),
    (
        "random_delay",
        '"soon"',
        f'random_delay: "soon" {NOT_AS_IT_MUST_BE}',
        'write a time span, as in random_delay = "30m"',
    ),
    ("max_retries", "-1", "max_retries: -1 is less than 0", RETRIES),
    ("max_retries", "101", "max_retries: 101 is more than 100", RETRIES),
    ("max_retries", "3.0", "max_retries: 3.0 is not a whole number", RETRIES),
    ("max_retries", "nan", "max_retries: nan is not a whole number", RETRIES),
    ("max_retries", '"3"', 'max_retries: "3" is not a whole number', RETRIES),
    ("max_retries", "true", "max_retries: true is not a whole number", RETRIES),
    (
        "keep",
        "{ dayly = 7 }",
        'keep: unknown key "dayly"',
        "did you mean daily?",
    ),
    (
        "keep",
        "{ daily = -1 }",
        "keep.daily: -1 is less than 0",
        "write numbers, as in keep = { daily = 7, weekly = 4, monthly = 12 }",
    ),
    (
        "limits",
        '{ memory = "2GB" }',
        f'limits.memory: "2GB" {NOT_AS_IT_MUST_BE}',
        'write bytes with K, M, G or T, as in memory = "2G"',
    ),
    (
        "limits",
        '{ memory = "999999999999T" }',
        'limits.memory: "999999999999T" is more than any machine has',
        'write a smaller size, as in memory = "2G"',
    ),
    (
        "limits",
        "{ io_weight = 100.0 }",
        "limits.io_weight: 100.0 is not a whole number",
        "write a number from 1 to 10000",
    ),
    (
        "credential",
        '"web-02"',
        'credential: "web-02" is not stored',
        "store it with: cncopctl credential set web-02",
    ),
    ("notify", "{}", "notify: to is missing", ADDRESSES),
    ("notify", '"ops@example.org"', 'notify: "ops@example.org" is not a table', NOTIFY),
    ("notify", '{ to = "ops" }', f'notify.to: "ops" {NOT_AS_IT_MUST_BE}', ADDRESSES),
    ("notify", "{ to = [] }", "notify.to: is empty", ADDRESSES),
    (
        "notify",
        '{ to = ["ops@example.org", "a@b\\nBcc: c@d"] }',
        f'notify.to.#2: "a@b\\nBcc: c@d" {NOT_AS_IT_MUST_BE}',
        ADDRESSES,
    ),
    (
        "notify",
        '{ to = "ops@example.org", on = "succes" }',
        f'notify.on: "succes" {NOT_AS_IT_MUST_BE}',
        'write: on = "failure", "recovery" or "always", or a list of them',
    ),
    (
        "in_blackout",
        '"move"',
        "in_blackout: has no effect, as the job has no blackout",
        'name the calendar too, as in blackout = "holidays"',
    ),
    ("run_before", '"missing"', 'run_before: "missing": there is no such file', COMMANDS),
    (
        "run_before",
        '"loose"',
        'run_before: "loose": others can write /etc/cncop/bin/loose',
        COMMANDS,
    ),
    (
        "run_after_failure",
        '"/bin/sh"',
        f'run_after_failure: "/bin/sh" {NOT_AS_IT_MUST_BE}',
        "write the name of a file in the user commands' directory",
    ),
    (
        "exclude",
        '"*.tmp"',
        'exclude: "*.tmp" is not a list in [ ]',
        'write a list of patterns, as in exclude = ["*.tmp", "cache/"]',
    ),
    (
        "exclude",
        '["ok", "a\\u0000"]',
        f'exclude.#2: "a\\x00" {NOT_AS_IT_MUST_BE}',
        'write a list of patterns, as in exclude = ["*.tmp", "cache/"]',
    ),
    ("enabled", '"yes"', 'enabled: "yes" is not true or false', "write: enabled = true or enabled = false"),
    (
        "priority",
        '"high"',
        'priority: "high" is not one of low, normal',
        'write: priority = "low" or priority = "normal"',
    ),
]

TOML_HINT = 'text stands in quotes: title = "Web server"; see https://toml.io'

# A whole file, and the one fault and remedy that it gets.
FAULTY_FILES = [
    (b"", "schema is missing", "write: schema = 1"),
    (b"schema = 2", "schema: 2 is not 1", "write: schema = 1"),
    (b"schema = true", "schema: true is not 1", "write: schema = 1"),
    (b"schema = 1\njobs = 1", 'unknown key "jobs"', "did you mean job?"),
    (b"schema = 1\njob = 5", "job: 5 is not a list in [ ]", "begin each job with a line [[job]]"),
    (
        b"schema = 1\n[job]\nid = 'x'",
        'job: { id = "x" } is not a list in [ ]',
        "begin each job with a line [[job]]",
    ),
    (b"schema = 1\njob = [5]", "job #1: 5 is not a table", "begin each job with a line [[job]]"),
    (
        b"schema = 1\ndevice = 1",
        "device: 1 is not a table",
        'write a table: [device], below it role = "LOCAL"',
    ),
    (
        b"schema = 1\n[device]\nrole = 'REMOT'",
        'device.role: "REMOT" is not one of LOCAL, REMOTE (did you mean REMOTE?)',
        'write: role = "LOCAL" or role = "REMOTE"',
    ),
    (
        b'schema = 1\n"\\u001b[31m" = 1',
        'unknown key "\\x1b[31m"',
        "known here are: calendar, device, job, schema",
    ),
    (b"id = web", "is not TOML: Invalid value (at line 1, column 6)", TOML_HINT),
    (b"\0", "is not TOML: Invalid statement (at line 1, column 1)", TOML_HINT),
    (b"schema = 1\nschema = 1", "is not TOML: Cannot overwrite a value (at end of document)", TOML_HINT),
    (
        b"a = 0x" + b"F" * 5000,
        "is not TOML: a whole number has more than the 64 bits that TOML knows",
        TOML_HINT,
    ),
    (b"schema = 1\n# \xe4", "line 2 is not UTF-8 (byte 0xe4)", "save the file as UTF-8"),
    ("schema = 1".encode("utf-16"), "line 1 is not UTF-8 (byte 0xff)", "save the file as UTF-8"),
    (b"a = " + b"[" * 9999, "is nested too deeply", TOML_HINT),
    (b"a." * 9999 + b"b = 1", "is nested too deeply", TOML_HINT),
]


@pytest.mark.parametrize(("key", "value", "fault", "remedy"), FAULTY)
def test_a_fault_says_where_what_and_what_to_write(
    key: str, value: str | None, fault: str, remedy: str
) -> None:
    place = "profile.toml: " if fault.startswith("job ") else 'profile.toml: job "web-01": '
    found = [(str(fault), fault.remedy) for fault in faults_of({"profile.toml": job_toml(**{key: value})})]
    assert found == ([(f"{place}{fault}", remedy)] if fault else [])


@pytest.mark.parametrize(("content", "fault", "remedy"), FAULTY_FILES)
def test_a_file_that_is_no_profile_is_told_so(content: bytes, fault: str, remedy: str) -> None:
    found = [(str(fault), fault.remedy) for fault in faults_of({"profile.toml": content})]
    assert found == [(f"profile.toml: {fault}", remedy)]


def test_all_faults_of_all_files_are_told_at_once_in_reading_order() -> None:
    files = {
        "profile.toml": job_toml(titel='"x"', max_retries="101") + job_table(id='"b"', source='"/a/../b"'),
        "jobs.d/bad.toml": "id = web",
        "jobs.d/own.toml": job_toml(id='"c"', timeout='"0"', credential='"nobody"'),
    }
    places = [(fault.file, fault.job, fault.key) for fault in faults_of(files)]
    assert places == [
        ("profile.toml", '"web-01"', ""),
        ("profile.toml", '"web-01"', "max_retries"),
        ("profile.toml", '"b"', "source"),
        ("jobs.d/bad.toml", "", ""),
        ("jobs.d/own.toml", '"c"', "timeout"),
        ("jobs.d/own.toml", '"c"', "credential"),
    ]


def test_an_id_is_taken_once_in_all_files() -> None:
    files = {"profile.toml": job_toml() + job_table(), "jobs.d/own.toml": job_toml(title="5")}
    assert [str(fault) for fault in faults_of(files)] == [
        'profile.toml: job "web-01": id: the id is taken already, earlier in this file',
        'jobs.d/own.toml: job "web-01": title: 5 is not text in quotes',
        'jobs.d/own.toml: job "web-01": id: the id is taken already, in profile.toml',
    ]


def test_a_faulty_job_does_not_hide_the_faults_of_its_neighbours() -> None:
    jobs = "".join(job_table(id=f'"job-{number}"', timeout='"0"') for number in range(100))
    assert len(faults_of({"profile.toml": f"schema = 1\n{jobs}"})) == 100
