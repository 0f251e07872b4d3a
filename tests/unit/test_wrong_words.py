"""What cncopctl says to words that it does not know, and where nobody can hear it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .past import HOUR, PROGRAMS, Past


def type_it(line: str, root: Path) -> subprocess.CompletedProcess[bytes]:
    """Type a line at a shell; `$ROOT` is an installation."""
    environment = {**os.environ, "ROOT": str(root), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-c", line],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cncopctl jbos", "cncopctl: no such command: jbos\nhint: did you mean jobs?\n"),
        ("cncopctl job sotp web", "cncopctl job: no such command: sotp\nhint: did you mean stop?\n"),
        (
            "cncopctl job notes",
            "cncopctl job: no such command: notes\nhint: commands are: abort, remove, start, stop\n",
        ),
        ("cncopctl credential lst", "cncopctl credential: no such command: lst\nhint: did you mean list?\n"),
        (
            "cncopctl --root $ROOT jobs",
            "cncopctl: no such option: --root\nhint: it stands behind the command: cncopctl jobs --root …\n",
        ),
        (
            "cncopctl --user",
            "cncopctl: no such option: --user\nhint: it stands behind the command: cncopctl jobs --user …\n",
        ),
        (
            "cncopctl jobs --root ''",
            "cncopctl jobs: Invalid value for '--root': it is empty\n"
            "hint: write a path, or . for the present directory\n",
        ),
        (
            "cncopctl restore a --to ''",
            "cncopctl restore: Invalid value for '--to': it is empty\n"
            "hint: write a path, or . for the present directory\n",
        ),
        (
            "cncopctl history --limit x",
            "cncopctl history: Invalid value for '-n' / '--limit': 'x' is not a whole number.\n"
            "hint: see: cncopctl history --help\n",
        ),
        (
            "cncopctl find list --root $ROOT",
            "cncopctl find: a job and a PATTERN, or -a and a PATTERN\n"
            "hint: cncopctl find web-01 '*.conf', cncopctl find -a '*.conf'\n",
        ),
        (
            "cncopctl pause -a web --root $ROOT",
            "cncopctl pause: either name the jobs, or take all with -a\nhint: see: cncopctl pause --help\n",
        ),
    ],
)
def test_a_wrong_word_gets_the_right_one(tmp_path: Path, line: str, told: str) -> None:
    done = type_it(line, tmp_path)
    assert (done.returncode, done.stderr.decode()) == (2, told)


@pytest.mark.parametrize("command", ["pause -a", "resume -a", "job stop -a", "job remove -a"])
def test_all_of_no_jobs_is_no_success(tmp_path: Path, command: str) -> None:
    said = Past(tmp_path).say(*command.split(), status=2)
    assert said.startswith("cncopctl: no job is installed\nhint: write ")


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    done = type_it("cncopctl why \"$(printf 'n\\377')\" --root $ROOT", tmp_path)
    assert done.stderr.startswith(b'cncopctl: there is no job "n\\xff"\n')


@pytest.mark.parametrize("command", ["jobs", "status", "history", "job", "schedules", "why a"])
def test_a_full_disk_behind_the_output_is_told(tmp_path: Path, command: str) -> None:
    past = Past(tmp_path)
    past.job("a", past.daily(3 * HOUR))
    past.run("a", 3 * HOUR)
    done = type_it(f"cncopctl {command} --root $ROOT > /dev/full", tmp_path)
    told = "cncopctl: the output cannot be written: No space left on device\nhint: is the disk full?\n"
    assert (done.returncode, done.stderr.decode()) == (12, told)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_are_no_fault(tmp_path: Path, closed: str) -> None:
    past = Past(tmp_path)
    past.job("a", past.daily(3 * HOUR))
    done = type_it(f"cncopctl jobs --root $ROOT {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_job_that_was_not_synced_yet_is_not_called_unknown(tmp_path: Path) -> None:
    profile = tmp_path / "Config/profile.toml"
    profile.parent.mkdir()
    profile.write_text(
        'schema = 1\n[[job]]\nid = "a"\ntype = "RSYNC"\nschedule = "@daily"\nsource = "/srv"\n'
    )
    said = Past(tmp_path).say("check", "a", status=2)
    assert said.splitlines() == [
        'cncopctl: the profile has the job "a", but it is not installed yet',
        "hint: run: cncopctl sync-profile",
    ]
    assert 'there is no job "b"' in Past(tmp_path).say("check", "b", status=2)


def test_a_pattern_before_the_job_gets_its_place(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.job("notes", past.daily(HOUR))
    told = past.say("find", "list", "notes", status=2)
    assert (
        told == 'cncopctl: there is no job "list"\nhint: the PATTERN comes last: cncopctl find notes list\n'
    )
    assert "did you mean notes?" in past.say("find", "note", "list", status=2)


@pytest.mark.parametrize("words", ["snapshots a", "ls a", "diff a", "find a x"])
def test_a_disk_that_is_not_mounted_is_not_taken_for_a_job_without_snapshots(
    tmp_path: Path, words: str
) -> None:
    past = Past(tmp_path)
    past.job("a", past.daily(HOUR))
    compiled = past.layout.compiled_jobs / "a.toml"
    place = tmp_path / "disk/a"
    compiled.write_text(compiled.read_text().replace("[job]", f'[job]\ndestination = "{place}"', 1))
    told = past.say(*words.split(), status=12)
    assert told.startswith(f"cncopctl: a: {place} does not exist\nhint: is its disk mounted? ")
    place.mkdir(parents=True)
    told = past.say(*words.split(), status=12)
    assert told.startswith("cncopctl: the credential repository-password is missing")


def test_who_removes_a_credential_is_told_which_jobs_miss_it(tmp_path: Path) -> None:
    past = Past(tmp_path)
    for job in ("a", "b"):
        past.job(job, past.daily(HOUR))
    compiled = past.layout.compiled_jobs / "b.toml"
    compiled.write_text(compiled.read_text().replace("[job]", '[job]\ncredential = "db"', 1))
    past.layout.credentials.mkdir(parents=True)
    (past.layout.credentials / "db").write_text("secret")
    told = past.say("credential", "remove", "db")
    assert told == "db is removed\nthese jobs fail until it is set again: b\n"
