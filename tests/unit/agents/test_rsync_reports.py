"""rsync's arguments, figures and failures, without rsync."""

from __future__ import annotations

import pytest

from cncopctl.core.engines import rsync
from cncopctl.core.engines.endpoint import Endpoint, Transport, parse_endpoint
from cncopctl.core.engines.rsync_failures import STATUSES, diagnose

REMOTE = Endpoint(Transport.SSH, "/srv", "web-01", "backup", 2222)

STATS = """
Number of files: 100,101 (reg: 100,000, dir: 101)
Number of created files: 3 (reg: 2, link: 1)
Number of deleted files: 1 (reg: 1)
Number of regular files transferred: 1.204
Total file size: 3000000000 bytes
Total transferred file size: 20 bytes
Literal data: 12 bytes
Matched data: 8 bytes
"""


def test_the_figures_are_read_whatever_groups_their_digits() -> None:
    expected = rsync.Stats(
        files=100_000, bytes=3_000_000_000, files_transferred=1204, bytes_literal=12, deleted=1
    )
    assert rsync.parse_stats(STATS) == expected


def test_figures_that_are_not_there_are_zero() -> None:
    assert rsync.parse_stats("Number of files: 1 (dir: 1)") == rsync.Stats()


@pytest.mark.parametrize(
    ("line", "advance"),
    [
        (b"     99  99%   11.07MB/s    0:00:08 (xfr#9, to-chk=6/10)", rsync.Advance(99, 100, 4, 10)),
        (b"      0   0%    0.00kB/s    0:00:00 (xfr#0, ir-chk=1000/1101)", rsync.Advance(0, None, 101, None)),
        (b"      0   0%    0.00kB/s    0:00:00 (xfr#0, to-chk=0/3)", rsync.Advance(0, None, 3, 3)),
        (b"     50  50%   11.07MB/s    0:00:08", None),
        (b"Number of files: 3", None),
        (b"", None),
    ],
)
def test_a_progress_line_says_how_far_it_is(line: bytes, advance: rsync.Advance | None) -> None:
    assert rsync.parse_progress(line) == advance


@pytest.mark.parametrize(
    ("status", "errors", "transient", "phrase"),
    [
        (255, "ssh: connect to host x port 22: Connection refused", True, "refuses the connection"),
        (255, "ssh: connect to host x port 22: Connection timed out", True, "does not answer"),
        (255, "ssh: connect to host x port 22: No route to host", True, "cannot be reached"),
        (255, "ssh: Could not resolve hostname x: Temporary failure in name resolution", True, "resolved"),
        (
            255,
            "ssh: Could not resolve hostname x: Name or service not known",
            False,
            "no machine of the name",
        ),
        (255, "me@x: Permission denied (publickey,password).", False, "refuses the login"),
        (255, "Host key verification failed.", False, "is unknown"),
        (255, "kex_exchange_identification: read: Connection reset by peer", True, "broke off"),
        (255, "Timeout, server x not responding.", True, "does not answer"),
        (255, "", True, "the remote shell failed"),
        (5, "@ERROR: max connections (2) reached -- try again later", True, "no connection left"),
        (5, "@ERROR: Unknown module 'x'", False, "has no module x"),
        (5, "@ERROR: auth failed on module x", False, "refuses the login to module x"),
        (5, "@ERROR: chdir failed", False, "says: chdir failed"),
        (5, "rsync: did not see server greeting", True, "broke off"),
        (5, "", False, "could not be started"),
        (10, "", True, "the network failed"),
        (11, 'rsync: write failed on "/x": No space left on device (28)', False, "the disk is full"),
        (12, "rsync: connection unexpectedly closed (0 bytes received so far)", True, "broke off"),
        (12, "bash: line 1: rsync: command not found", False, "there is no rsync on"),
        (
            23,
            'rsync: [sender] link_stat "/a b" failed: No such file or directory (2)',
            False,
            "/a b does not",
        ),
        (23, 'rsync: [sender] opendir "/x" failed: Permission denied (13)', False, "/x cannot be read"),
        (23, "rsync: something new", False, "some files could not be copied: rsync: something new"),
        (30, "", True, "sent nothing"),
        (35, "", True, "did not answer in time"),
        (99, "", False, "rsync ended with status 99"),
    ],
)
def test_a_failure_is_told_with_whether_to_try_again(
    status: int, errors: str, transient: bool, phrase: str
) -> None:
    diagnosis = diagnose(status, errors, REMOTE)
    assert (diagnosis.transient, phrase in diagnosis.phrase) == (transient, True), diagnosis
    assert "{" not in diagnosis.phrase + diagnosis.hint


@pytest.mark.parametrize("status", sorted(set(STATUSES) - {16, 19, 20, 21, 22}))
def test_no_failure_between_local_directories_is_the_networks(status: int) -> None:
    assert not diagnose(status, "", parse_endpoint("/srv")).transient


def test_the_hint_for_an_unknown_host_key_is_a_command_for_that_port() -> None:
    hint = diagnose(255, "Host key verification failed.", REMOTE).hint
    assert "ssh-keyscan -p 2222 web-01 | tee -a ~/.ssh/known_hosts | ssh-keygen -lf -" in hint


@pytest.mark.parametrize(
    ("status", "may"),
    [("Name:\tx\nCapEff:\t000001ffffffffff\n", True), ("CapEff:\t00000000000000cf\n", False), ("", False)],
)
def test_devices_are_left_out_where_they_may_not_be_made(status: str, may: bool) -> None:
    assert rsync.may_make_devices(status) == may
    options = rsync.transfer_options(rsync.Carries(devices=may), None, dry_run=False)
    assert ("--no-devices" in options) != may


def test_ssh_is_called_with_each_word_quoted_as_rsync_unquotes_it() -> None:
    access = rsync.Access(credential="/run/my 'keys'/key", known_hosts="/run/known hosts")
    options = rsync.connection_options(REMOTE, access)
    assert options[:2] == ["-s", "-e"]
    assert "'UserKnownHostsFile=\"/run/known hosts\" ~/.ssh/known_hosts'" in options[2]
    assert options[2].endswith("-p 2222 -i '/run/my ''keys''/key'")


@pytest.mark.parametrize("pattern", ["!", "+ all", "merge /etc/passwd", "-e sh"])
def test_an_exclude_is_a_pattern_whatever_it_looks_like(pattern: str) -> None:
    assert rsync.exclude_filters([pattern, ""]) == [f"--filter=- {pattern}"]


@pytest.mark.parametrize(("name", "pattern"), [("a", "a"), ("a\\b", "a\\b"), ("[a]\\*", "\\[a]\\\\\\*")])
def test_a_literal_pattern_escapes_only_where_rsync_unescapes(name: str, pattern: str) -> None:
    assert rsync.literal_pattern(name) == pattern


@pytest.mark.parametrize(
    ("source", "left_out"), [("/", 4), ("host:/", 4), ("ssh://host", 4), ("/home", 0), ("host::root", 0)]
)
def test_a_whole_machine_is_backed_up_without_what_its_kernel_makes_up(source: str, left_out: int) -> None:
    assert len(rsync.pseudo_file_systems(parse_endpoint(source))) == left_out
