"""Servers that mean harm: nothing is written outside the mirror, no tree without an end is followed, all is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import Asker, let_in_by_ssh
from contract_servers import serving, ssh_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
AskerOf = Callable[[str], Asker]


@contextmanager
def hostile_sftp(asker_of: AskerOf, tmp_path: Path, kind: str) -> Iterator[Asker]:
    """An agent that pulls from a real sshd, the SFTP of which means harm."""
    (tmp_path / "within" / "within").mkdir(parents=True)
    asker = asker_of("backupagentsftp")
    server = f"{sys.executable} {HERE}/hostile_sftp.py {kind} {tmp_path}/flag"
    with ssh_daemon(tmp_path / "sshd", sftp=server) as sshd:
        let_in_by_ssh(asker, sshd)
        asker.job |= {"source": asker.at("/srv/files")}
        yield asker


@contextmanager
def hostile_ftp(asker_of: AskerOf, kind: str, listing: str) -> Iterator[Asker]:
    """An agent that pulls from an FTP server that means harm."""
    asker = asker_of("backupagentftp")
    with serving([sys.executable, f"{HERE}/hostile_ftp.py", kind, listing]) as server:
        asker.job |= {"source": f"ftp://anonymous@127.0.0.1:{server.port}/srv/files"}
        yield asker


def written(asker: Asker) -> set[str]:
    """What is in the destination and beside it, as far as an agent has no business to write it there."""
    beside = {path.name for path in asker.directory.iterdir()}
    within = {path.name for path in asker.destination.iterdir()}
    known = {"destination", "credentials", "cache", "result.json", "sshd", "flag", "within", "away", "to"}
    return (beside - known) | (within - {"mirror", "repository", "proof", "partial"})


def test_names_that_lead_elsewhere_over_sftp_are_an_error(asker_of: AskerOf, tmp_path: Path) -> None:
    with hostile_sftp(asker_of, tmp_path, "names") as asker:
        outcome = asker.ask("backup")
    assert (outcome.status, outcome.phrase) == (
        1,
        "the server shows a name that no file can have: 'x/..'",
    ), outcome
    assert written(asker) == set()
    assert asker.snapshots() == []


def test_names_that_only_rclone_is_shown_are_not_written(asker_of: AskerOf, tmp_path: Path) -> None:
    with hostile_sftp(asker_of, tmp_path, "later") as asker:
        outcome = asker.ask("backup")
    assert written(asker) == set(), outcome
    assert {path.name for path in asker.mirror.iterdir()} <= {"sound", "evil", "control \x1b]0;title\x07"}


def test_nothing_but_the_target_is_written_when_a_hostile_server_gives_a_push_back(
    asker_of: AskerOf, tmp_path: Path
) -> None:
    with hostile_sftp(asker_of, tmp_path, "names") as asker:
        job = {"source": "/etc", "direction": "PUSH", "destination": asker.at("/srv/files")}
        wanted = {"snapshot": "latest", "to": str(tmp_path / "to" / "here"), "paths": []}
        outcome = asker.ask("restore", job=job, restore=wanted)
    assert written(asker) == set(), outcome
    assert {path.name for path in (tmp_path / "to").iterdir()} == {"here"}


@pytest.mark.parametrize("listing", ["mlsd", "list"])
def test_names_that_lead_elsewhere_over_ftp_are_not_written(asker_of: AskerOf, listing: str) -> None:
    with hostile_ftp(asker_of, "names", listing) as asker:
        outcome = asker.ask("backup")
    assert written(asker) == set(), outcome
    assert (asker.mirror / "sound").read_bytes() == b"sound\n"


@pytest.mark.parametrize("listing", ["mlsd", "list"])
def test_directories_without_end_over_ftp_are_an_error(asker_of: AskerOf, listing: str) -> None:
    with hostile_ftp(asker_of, "deep", listing) as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 1, outcome
    assert "longer than a path may be" in outcome.phrase
    assert asker.snapshots() == []


def test_a_listing_without_end_over_ftp_is_an_error(asker_of: AskerOf) -> None:
    with hostile_ftp(asker_of, "endless", "list") as asker:
        outcome = asker.ask("backup")
    assert (outcome.status, outcome.phrase) == (1, "the listing of a directory has no end"), outcome
    assert asker.snapshots() == []


def test_directories_without_end_over_sftp_are_an_error(asker_of: AskerOf, tmp_path: Path) -> None:
    with hostile_sftp(asker_of, tmp_path, "deep") as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 1, outcome
    assert "longer than a path may be" in outcome.phrase
    assert len(outcome.phrase) < 400
    assert asker.snapshots() == []


def test_a_listing_that_never_comes_is_worth_another_try(asker_of: AskerOf, tmp_path: Path) -> None:
    with hostile_sftp(asker_of, tmp_path, "hangs") as asker:
        outcome = asker.ask_raw(asker.request("backup"), env={"CNCOP_SILENCE": "1"})
    assert (outcome.status, outcome.phrase.endswith(" does not answer")) == (75, True), outcome


def test_a_file_that_never_comes_is_worth_another_try(asker_of: AskerOf, tmp_path: Path) -> None:
    with hostile_sftp(asker_of, tmp_path, "silent") as asker:
        outcome = asker.ask_raw(asker.request("backup"), env={"CNCOP_SILENCE": "1"})
    assert outcome.status == 75, outcome
    assert asker.snapshots() == []
