"""FTPS, explicit and implicit: certificates are verified, and servers that are strict about TLS are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Asker, let_in_by_ftp
from contract_servers import FtpServer, ftp_daemon
from contract_trees import contents

ERROR = 1
SCHEMES = {"explicit": "ftp", "implicit": "ftps"}


@pytest.fixture(scope="module", params=["explicit", "implicit"])
def ftps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FtpServer, str]]:
    """A vsftpd as it comes: it wants data connections to reuse the session of their control connection."""
    with ftp_daemon(tmp_path_factory.mktemp("ftps") / "etc", tls=str(request.param)) as server:
        yield server, SCHEMES[str(request.param)]


@pytest.fixture
def asker(asker_of: Callable[[str], Asker], ftps: tuple[FtpServer, str]) -> Asker:
    asker = asker_of("backupagentftp")
    let_in_by_ftp(asker, *ftps)
    return asker


def test_a_tree_comes_over_tls(asker: Asker, small_tree: Path) -> None:
    (small_tree / ".hidden").write_text("x")
    (small_tree / "link").symlink_to("readme")
    first = asker.backup(job={"source": asker.at(small_tree)})
    assert contents(asker.mirror) == contents(small_tree)
    assert (asker.mirror / "link").readlink() == Path("readme")
    assert first.result["files_changed"] == 4
    assert asker.backup(job={"source": asker.at(small_tree)}).result["files_changed"] == 0
    assert asker.ask("check", job={"source": asker.at(small_tree)}).status == 0


def test_a_push_goes_over_tls(asker: Asker, small_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    job = {"source": str(small_tree), "direction": "PUSH", "destination": asker.at(tmp_path / "away")}
    asker.backup(job=job)
    assert contents(tmp_path / "away") == contents(small_tree)


def test_many_connections_are_used_where_the_server_allows_it(
    asker_of: Callable[[str], Asker], small_tree: Path, tmp_path: Path
) -> None:
    asker = asker_of("backupagentftp")
    with ftp_daemon(tmp_path / "ftpd", tls="explicit", more="require_ssl_reuse=NO\n") as server:
        let_in_by_ftp(asker, server)
        asker.backup(job={"source": asker.at(small_tree)})
        assert len(server.server.children) > 4
    assert contents(asker.mirror) == contents(small_tree)


def test_an_unknown_authority_is_an_error_that_says_how_to_make_it_known(
    asker: Asker, small_tree: Path
) -> None:
    (asker.credentials / "ca-certificates").unlink()
    outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    assert (outcome.status, "authority that this machine does not know" in outcome.phrase) == (ERROR, True), (
        outcome
    )
    assert "cncopctl credential set ca-certificates" in outcome.hint


def test_a_certificate_for_another_name_is_an_error(
    asker_of: Callable[[str], Asker], small_tree: Path, tmp_path: Path
) -> None:
    asker = asker_of("backupagentftp")
    with ftp_daemon(tmp_path / "ftpd", tls="explicit", names="DNS:other.example") as server:
        let_in_by_ftp(asker, server)
        outcome = asker.ask("backup", job={"source": asker.at(small_tree)})
    assert (outcome.status, "is not for this name" in outcome.phrase) == (ERROR, True), outcome


def test_a_server_without_tls_is_an_error(
    asker_of: Callable[[str], Asker], ftpd: FtpServer, small_tree: Path
) -> None:
    plain = asker_of("backupagentftp")
    let_in_by_ftp(plain, ftpd)
    for scheme in ("ftp", "ftps"):
        place = f"{scheme}://anonymous@127.0.0.1:{ftpd.port}{small_tree}"
        outcome = plain.ask("backup", job={"type": "FTPS", "source": place})
        assert (outcome.status, "TLS" in outcome.phrase) == (ERROR, True), outcome
