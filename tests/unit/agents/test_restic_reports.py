"""restic's snapshots, messages and failures, without restic."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cncopctl.core.engines import restic
from cncopctl.core.engines.snapshots import (
    RootMetadata,
    find_snapshot,
    parse_snapshots,
    parse_time,
    snapshot_at,
    snapshot_tags,
)

ROOT = RootMetadata(0o1755, 33, 44, -1_123_456_789)
LISTED = json.dumps(
    [
        {
            "time": "2026-11-21T13:38:01.496107224Z",
            "paths": ["/srv/backup/web-01/mirror"],
            "hostname": "cncop",
            "tags": snapshot_tags("web-01", "0123abcd", ROOT, 3, 18),
            "id": "2f2e254b" + "0" * 56,
            "short_id": "2f2e254b",
        },
        {"time": "2026-11-20T13:38:01+01:00", "paths": None, "tags": None, "id": "970a015d" + "0" * 56},
    ]
)


def test_snapshots_come_oldest_first_with_what_their_tags_say() -> None:
    first, second = parse_snapshots(LISTED)
    assert (first.short_id, first.job_id, first.run_id, first.files, first.root) == (
        "970a015d",
        "",
        "",
        None,
        None,
    )
    assert second.time == datetime(2026, 11, 21, 13, 38, 1, 496107, tzinfo=UTC)
    assert (second.job_id, second.run_id, second.files, second.bytes) == ("web-01", "0123abcd", 3, 18)
    assert second.root == ROOT
    assert second.as_dict()["time"] == "2026-11-21T13:38:01.496107+00:00"


@pytest.mark.parametrize("text", ["null", "[]"])
def test_no_snapshots_are_an_empty_list(text: str) -> None:
    assert parse_snapshots(text) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("latest", "2f2e254b"), ("970a", "970a015d"), ("2f2e254b", "2f2e254b"), ("", None), ("xyz", None)],
)
def test_a_snapshot_is_found_by_the_beginning_of_its_id(wanted: str, found: str | None) -> None:
    snapshot = find_snapshot(parse_snapshots(LISTED), wanted)
    assert (snapshot and snapshot.short_id) == found


def test_an_id_that_fits_two_snapshots_finds_neither() -> None:
    twins = json.dumps([{"time": "2026-11-20T13:38:01Z", "id": f"aa{n}"} for n in range(2)])
    assert find_snapshot(parse_snapshots(twins), "aa") is None


def test_latest_of_nothing_is_nothing() -> None:
    assert find_snapshot([], "latest") is None


@pytest.mark.parametrize("text", ["2026-11-21T13:38:01.496107224Z", "2026-11-21T14:38:01.496107224+01:00"])
def test_times_are_aware(text: str) -> None:
    assert parse_time(text) == datetime(2026, 11, 21, 13, 38, 1, 496107, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "errors", "transient", "phrase"),
    [
        (1, "Fatal: wrong password or no key found", False, "the password is not"),
        (12, "Fatal: wrong password or no key found", False, "the password is not"),
        (10, "Fatal: repository does not exist", False, "there is no repository at /r"),
        (1, "Fatal: unable to open config file: stat", False, "there is no repository at /r"),
        (11, "", True, "is in use by another restic"),
        (
            1,
            "unable to create lock in backend: repository is already locked by PID 7 on x",
            True,
            "is in use by another restic",
        ),
        (
            1,
            "Save(<data/1>) failed: write /r: no space left on device",
            False,
            "the disk of the repository is full",
        ),
        (
            1,
            "Fatal: unable to save snapshot: snapshot is empty",
            False,
            "the source is empty, so no snapshot was taken",
        ),
        (1, "ciphertext verification failed", False, "the repository at /r is damaged"),
        (1, "Fatal: repository contains errors", False, "the repository at /r is damaged"),
        (
            1,
            "Load(<data/258c51d486>, 7159, 0) failed: open /r/data/25/258c: no such file or directory",
            False,
            "the repository at /r is damaged",
        ),
        (
            1,
            "Load(<data/64841b9d7f>, 9, 0) returned error, retrying after 552ms: ReadFull: EOF",
            False,
            "the repository at /r is damaged",
        ),
        (
            1,
            "Load(<data/5ca41d3104>, 328082, 2012) failed: file is too short",
            False,
            "the repository at /r is damaged",
        ),
        (1, "id 4610f4456cc6 not found in repository", False, "the repository at /r is damaged"),
        (
            3,
            "tree 4610 is not known; the repository could be damaged",
            False,
            "the repository at /r is damaged",
        ),
        (1, "open /r/keys: permission denied", False, "cannot be read or written by this user"),
        (
            3,
            '{"message_type":"error","error":{"Op":"open","Err":"gone"},"during":"archival","item":"/m/x"}',
            False,
            "restic ended with status 3: /m/x: gone",
        ),
        (1, "", False, "restic ended with status 1"),
    ],
)
def test_a_failure_is_told_with_whether_to_try_again(
    status: int, errors: str, transient: bool, phrase: str
) -> None:
    diagnosis = restic.diagnose(status, errors, "/r")
    assert (diagnosis.transient, phrase in diagnosis.phrase) == (transient, True), diagnosis
    assert "{" not in diagnosis.phrase + diagnosis.hint


@pytest.mark.parametrize(
    ("text", "version"),
    [("restic 0.14.0 compiled with go1.19.8", (0, 14)), ("restic 0.18.1-dev x", (0, 18)), ("", (0, 0))],
)
def test_the_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert restic.version(text) == version


@pytest.mark.parametrize("line", [b"", b"prose", b"{broken", b"[1]", b'"text"'])
def test_a_line_that_is_no_message_says_nothing(line: bytes) -> None:
    assert restic.parse_line(line) == {}
    assert restic.parse_retained(b"x" + line) is None
    assert restic.parse_lock(line.decode()) is None


def test_who_was_kept_and_why_is_read_from_all_groups_oldest_first() -> None:
    def snapshot(day: int) -> dict[str, str]:
        return {"id": f"{day}" * 64, "time": f"2026-11-0{day}T01:00:00Z"}

    groups = [
        {
            "keep": [snapshot(4), snapshot(2)],
            "remove": [snapshot(1)],
            "reasons": [{"matches": ["last snapshot", "daily snapshot"]}, {"matches": ["within 1y"]}],
        },
        {"keep": [snapshot(3)], "remove": None, "reasons": [{"matches": ["daily snapshot"]}]},
    ]
    retained = restic.parse_retained(json.dumps(groups).encode())
    assert retained
    assert [(kept.short_id[0], reasons) for kept, reasons in retained.kept] == [
        ("2", ("within 1y",)),
        ("3", ("daily snapshot",)),
        ("4", ("last snapshot", "daily snapshot")),
    ]
    assert [removed.short_id[0] for removed in retained.removed] == ["1"]
    assert retained.document()["removed"] == [{"id": "1" * 64, "time": "2026-11-01T01:00:00+00:00"}]
    assert restic.parse_retained(b"[]") == restic.Retained()


def test_the_last_snapshot_by_an_instant_is_found() -> None:
    snapshots = parse_snapshots(LISTED)
    found = [
        snapshot_at(snapshots, datetime(2026, 11, day, hour, tzinfo=UTC))
        for day, hour in ((20, 11), (20, 12), (21, 13), (22, 0))
    ]
    assert [snapshot and snapshot.short_id for snapshot in found] == [None, None, "970a015d", "2f2e254b"]


def test_a_lock_says_whose_it_is() -> None:
    told = '{"time": "2026-11-21T16:40:46Z", "exclusive": false, "hostname": "web", "username": "root", "pid": 42}'
    assert restic.parse_lock(told) == restic.Lock("web", 42)
    said = "unable to create lock in backend: repository is already locked by PID 42 on web by root (UID 0, GID 0)"
    assert restic.diagnose(1, said, "/r").hint == (
        "it is process 42 on web; if that is long gone: restic unlock --remove-all"
    )


def test_an_include_is_anchored_and_matches_itself_alone() -> None:
    assert restic.include_pattern("etc/[p]as*wd\\?/") == "/etc/\\[p\\]as\\*wd\\\\\\?"


def test_a_path_that_is_not_utf8_is_listed_with_one_mark_for_each_byte() -> None:
    assert restic.as_listed("a/b\udcff\udcfe") == "/a/b\ufffd\ufffd"
