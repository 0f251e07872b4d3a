"""What FTP servers list, and how: nothing that they show is lost, and what cannot be had is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Asker, let_in_by_ftp
from contract_servers import FtpServer
from contract_trees import contents
from test_hostile_servers import hostile_ftp

AskerOf = Callable[[str], Asker]


@pytest.fixture
def ftp_asker(asker_of: AskerOf, ftpd: FtpServer, small_tree: Path) -> Asker:
    """An agent that pulls a small tree from a vsftpd."""
    asker = asker_of("backupagentftp")
    let_in_by_ftp(asker, ftpd)
    asker.job |= {"source": asker.at(small_tree)}
    return asker


def test_a_directory_with_a_line_break_in_its_name_is_an_error(ftp_asker: Asker, small_tree: Path) -> None:
    (small_tree / "carriage\rreturn").mkdir()
    outcome = ftp_asker.ask("backup")
    assert outcome.status == 1, outcome
    assert "its name has a line break in it" in outcome.phrase
    assert outcome.hint == "give the job a user who may, or exclude it"
    ftp_asker.backup(job={"exclude": ["carriage*"]})


def test_a_link_whose_name_has_an_arrow_in_it_hides_no_file(ftp_asker: Asker, small_tree: Path) -> None:
    """As the listing has it, it is called "readme", and leads to a name with an arrow in it."""
    (small_tree / "readme -> there").symlink_to("etc")
    outcome = ftp_asker.ask("backup")
    assert outcome.status == 1, outcome
    assert outcome.phrase.startswith("readme cannot be read"), outcome
    assert ftp_asker.snapshots() == []


def test_a_file_whose_name_ends_like_the_directory_itself_says_nothing_of_others(asker_of: AskerOf) -> None:
    with hostile_ftp(asker_of, "dot", "list") as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 0, outcome
    assert {path.name for path in asker.mirror.iterdir()} == {"ends with .", "empty"}


@pytest.mark.parametrize("listing", ["mlsd", "list"])
def test_a_listing_that_the_server_cuts_is_an_error(asker_of: AskerOf, listing: str) -> None:
    with hostile_ftp(asker_of, "truncated", listing) as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 1, outcome
    assert "226 Output truncated to 1 matches" in outcome.phrase
    assert asker.snapshots() == []


@pytest.mark.parametrize("listing", ["mlsd", "list"])
def test_a_directory_that_hides_what_is_in_it_is_an_error(asker_of: AskerOf, listing: str) -> None:
    with hostile_ftp(asker_of, "hides", listing) as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 1, outcome
    assert outcome.phrase.startswith("below cannot be read"), outcome


@pytest.mark.parametrize("listing", ["mlsd", "list"])
def test_links_are_kept_and_devices_told_whatever_the_server_lists_by(
    asker_of: AskerOf, listing: str
) -> None:
    with hostile_ftp(asker_of, "links", listing) as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 0, outcome
    assert (asker.mirror / "link").readlink() == Path("elsewhere")
    assert outcome.result["warnings"] == ["neither files, directories nor links, and left out: device"]


def test_lines_that_rclone_would_pass_over_are_an_error(asker_of: AskerOf) -> None:
    with hostile_ftp(asker_of, "strange", "list") as asker:
        outcome = asker.ask("backup")
    assert outcome.status == 1, outcome
    assert "the server lists it with lines that are not as `ls -l` writes them" in outcome.phrase


def test_a_source_that_is_a_link_to_a_directory_is_what_it_leads_to(
    ftp_asker: Asker, small_tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(small_tree)
    ftp_asker.backup(job={"source": f"{ftp_asker.at(tmp_path)}/link"})
    assert contents(ftp_asker.mirror) == contents(small_tree)


def test_a_file_without_a_real_time_comes_by_a_single_connection(ftp_asker: Asker) -> None:
    """Windows shows 1601 where it knows none; of the file systems here, tmpfs holds such a time."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        source = Path(directory)
        (source / "old").write_text("old")
        os.utime(source / "old", (-11_644_473_600,) * 2)
        ftp_asker.backup(attempt=2, job={"source": ftp_asker.at(source)})
        assert contents(ftp_asker.mirror) == {"old": b"old"}
