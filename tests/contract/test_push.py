"""PUSH: nothing at the destination is lost, also where names or files are not what they were a moment ago."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Asker, let_in_by_ftp, let_in_by_smb, let_in_by_ssh
from contract_servers import FtpServer, SmbServer, SshServer
from contract_trees import contents

AskerOf = Callable[[str], Asker]


def pushing(asker: Asker, source: Path, away: Path) -> Asker:
    """An agent that pushes `source` to a new directory."""
    away.mkdir()
    asker.job |= {"source": str(source), "direction": "PUSH", "destination": asker.at(away)}
    return asker


def pushed(away: Path) -> dict[str, bytes]:
    """What is at the destination, without what is kept."""
    return {path: content for path, content in contents(away).items() if not path.startswith(".cncop")}


def kept(away: Path) -> set[tuple[str, bytes]]:
    """What was replaced: name and content."""
    return {(Path(path).name, content) for path, content in contents(away / ".cncop-replaced").items()}


def test_a_name_whose_case_changes_stays_on_a_share(
    asker_of: AskerOf, smbd: SmbServer, small_tree: Path, tmp_path: Path
) -> None:
    """Samba takes names for equal whose case differs, as Windows does."""
    asker, away = asker_of("backupagentcifs"), tmp_path / "away"
    let_in_by_smb(asker, smbd)
    pushing(asker, small_tree, away).backup()
    (small_tree / "readme").rename(small_tree / "README")
    (small_tree / "README").write_text("changed\n")
    (small_tree / "etc").rename(small_tree / "ETC")
    outcome = asker.backup()
    assert pushed(away) == contents(small_tree), outcome
    assert ("readme", b"hello\n") in kept(away)


def test_names_that_a_share_takes_for_one_are_an_error(
    asker_of: AskerOf, smbd: SmbServer, small_tree: Path, tmp_path: Path
) -> None:
    asker = asker_of("backupagentcifs")
    let_in_by_smb(asker, smbd)
    pushing(asker, small_tree, tmp_path / "away")
    (small_tree / "etc" / "Passwd").write_text("another")
    for _ in range(2):
        outcome = asker.ask("backup")
        assert outcome.status == 1, outcome
        assert outcome.phrase == f"etc/Passwd and etc/passwd are one name to 127.0.0.1:{smbd.port}"
        assert outcome.hint == "rename one of them, or exclude it"
    asker.backup(job={"exclude": ["Passwd"]})


@contextmanager
def changing(log: Path, other: Path) -> Iterator[None]:
    """A file that grows all the time, and another one that is replaced all the time."""
    done = threading.Event()

    def change() -> None:
        number = 0
        with log.open("ab", buffering=0) as file:
            while not done.wait(0.002):
                number += 1
                file.write(b"x" * 100)
                aside = other.with_name(".aside")
                aside.write_text(f"{number}\n")
                aside.rename(other)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_what_is_replaced_twice_in_a_run_is_kept_twice(
    asker_of: AskerOf, sshd: SshServer, tmp_path: Path
) -> None:
    asker, source, away = asker_of("backupagentsftp"), tmp_path / "source", tmp_path / "away"
    let_in_by_ssh(asker, sshd)
    source.mkdir()
    (source / "log").write_bytes(bytes(16 << 20))
    (source / "other").write_text("first")
    pushing(asker, source, away).backup(job={"exclude": [".aside"]})
    with changing(source / "log", source / "other"):
        asker.backup(job={"exclude": [".aside"]})
    assert ("other", b"first") in kept(away)


@pytest.mark.parametrize("name", ["backupagentsftp", "backupagentftp"])
def test_what_becomes_a_directory_and_a_file_again_is_pushed(
    asker_of: AskerOf, name: str, sshd: SshServer, ftpd: FtpServer, small_tree: Path, tmp_path: Path
) -> None:
    """A directory in the place of a file is a failure without a reason to SFTP, 553 to FTP, also when it is empty."""
    asker, away = asker_of(name), tmp_path / "away"
    if name == "backupagentsftp":
        let_in_by_ssh(asker, sshd)
    else:
        let_in_by_ftp(asker, ftpd)
    pushing(asker, small_tree, away).backup()
    (small_tree / "readme").unlink()
    (small_tree / "readme" / "below").mkdir(parents=True)
    (small_tree / "readme" / "below" / "file").write_text("in a directory")
    asker.backup()
    assert pushed(away) == contents(small_tree)
    (small_tree / "readme").rename(tmp_path / "before")
    (small_tree / "readme").write_text("again")
    asker.backup()
    assert pushed(away) == contents(small_tree)
    assert {("readme", b"hello\n"), ("file", b"in a directory")} <= kept(away)
