"""What a person asks of a repository on the command line, in an installation under a directory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract_trees import contents

CNCOPCTL = Path(sys.executable).with_name("cncopctl")
PROFILE = """
schema = 1
[[job]]
id = "etc"
title = "Configuration"
type = "RSYNC"
schedule = "30 2 * * *"
source = "{source}"
destination = "{directory}/backup"
keep = {{ last = 2, daily = 7 }}
[[job]]
id = "other"
type = "RSYNC"
schedule = "30 2 * * *"
source = "{source}"
destination = "{directory}/other"
[[job]]
id = "drill"
schedule = "0 5 * * SUN"
actions = [{{ action = "verify", of = "etc", sample = 2 }}]
[[job]]
id = "spoilt"
type = "RSYNC"
schedule = "30 2 * * *"
source = "{source}"
destination = "{directory}/spoilt"
keep = {{ last = 9 }}
[[job]]
id = "away"
type = "RSYNC"
direction = "PUSH"
schedule = "30 2 * * *"
source = "{source}"
destination = "{directory}/away"
"""


@dataclass
class Cncop:
    """An installation under a directory, with a source and three snapshots of it."""

    root: Path
    source: Path

    def run(self, *words: str, status: int = 0) -> str:
        """What cncopctl prints, stderr after stdout."""
        done = subprocess.run(
            [CNCOPCTL, *words, f"--root={self.root}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", status=status))

    def back_up(self, job: str = "etc") -> None:
        """Run the job as its service would, without systemd."""
        environment = os.environ | {"CREDENTIALS_DIRECTORY": str(self.root / "Config/credentials")}
        dispatcher = [sys.executable, "-m", "cncopctl.dispatcher", f"--root={self.root}", "run", job]
        subprocess.run(dispatcher, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def cncop(tmp_path_factory: pytest.TempPathFactory) -> Cncop:
    directory = tmp_path_factory.mktemp("commands")
    source = directory / "etc"
    (source / "ssh").mkdir(parents=True)
    (source / "ssh" / "sshd_config").write_text("first\n")
    (source / "passwd").write_text("root\n")
    (source / "esc\x1b[31m").write_text("")
    (directory / "root" / "Config").mkdir(parents=True)
    profile = PROFILE.format(source=source, directory=directory)
    (directory / "root" / "Config" / "profile.toml").write_text(profile)
    installed = Cncop(directory / "root", source)
    installed.run("sync-profile")
    installed.back_up()
    (source / "ssh" / "sshd_config").write_text("second\n")
    (source / "hosts").write_text("localhost\n")
    installed.back_up()
    (source / "passwd").unlink()
    installed.back_up()
    return installed


def ids(cncop: Cncop) -> list[str]:
    return [snapshot["id"] for snapshot in cncop.json("snapshots", "etc")]


def test_snapshots_are_shown_with_the_rules_that_keep_them(cncop: Cncop) -> None:
    listed = cncop.json("snapshots", "etc")
    assert [sorted(snapshot["reasons"]) for snapshot in listed] == [
        ["last snapshot"],
        ["daily snapshot", "last snapshot"],
    ]
    table = cncop.run("snapshots", "Configuration").splitlines()
    assert table[0].split() == ["SNAPSHOT", "TAKEN", "FILES", "SIZE", "KEPT", "BY"]
    assert table[1].endswith("  last")
    assert "no snapshot yet" in cncop.run("snapshots", "other")
    assert cncop.json("snapshots", "other") == []


def test_ls_lists_directories_files_and_everything(cncop: Cncop) -> None:
    older, newer = ids(cncop)
    assert [line.split()[-1] for line in cncop.run("ls", "etc").splitlines()[1:]] == [
        "esc\\x1b[31m",
        "hosts",
        "ssh/",
    ]
    lines = cncop.run("ls", "etc", older[:8], "ssh").splitlines()
    assert lines[0].startswith(f"etc, snapshot {older[:8]} of ")
    assert re.fullmatch(r"-rw-r--r--  \d+:\d+ +7 B  \w{3} \d{4}-\d\d-\d\d \d\d:\d\d  sshd_config", lines[1])
    assert cncop.run("ls", "etc", "/ssh").splitlines()[1:] == lines[1:]
    assert cncop.run("ls", "etc", f"{cncop.source}/ssh").splitlines()[1:] == lines[1:]
    everything = cncop.json("ls", "etc", "latest", "-R")
    assert [node["path"] for node in everything["nodes"]] == [
        "esc\x1b[31m",
        "hosts",
        "ssh",
        "ssh/sshd_config",
    ]
    assert everything["snapshot"]["id"] == newer
    assert [node["size"] for node in cncop.json("ls", "etc", "now", "hosts")["nodes"]] == [10]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["ls", "etc", "latest", "ssh/sshd_conf"],
            'has no "ssh/sshd_conf"\nhint: did you mean ssh/sshd_config?',
        ),
        (
            ["ls", "etc", "2001-01-01"],
            "etc has no snapshot from before 2001-01-01 23:59:59\nhint: the oldest is ",
        ),
        (["ls", "etc", "ffff", "ssh"], 'etc has no snapshot "ffff"\nhint: the latest are '),
        (["ls", "etx"], 'there is no job "etx"\nhint: did you mean etc?'),
        (["ls", "other"], "other has no snapshot yet\nhint: take one with: cncopctl runjob other"),
        (["ls", "away"], "away is a PUSH job, which keeps no repository on this machine"),
        (["diff", "etc", "ffff"], 'etc has no snapshot "ffff"'),
        (["find", "etx", "*"], 'there is no job "etx"'),
        (["find", "*"], "a job and a PATTERN, or -a and a PATTERN"),
        (["restore", "etc", "--at", "soon"], "'soon' is no time\nhint: write "),
        (["restore", "etc", "--at", "now", "--snapshot", "ffff"], "--at and --snapshot exclude each other"),
        (["restore", "etc/backups"], 'etc has no backup "backups"\nhint: name one of them: etc/backup'),
        (["restore", "etc", ""], "a PATH is empty\nhint: leave it out, and everything comes back"),
        (["restore", "etc", "../passwd"], '"../passwd" is no path in a backup\nhint: write paths from '),
        (["restore", "etc", "--snapshot", ""], "--snapshot is empty\nhint: see: cncopctl snapshots"),
        (["ls", "etc", ""], 'etc has no snapshot ""\nhint: the latest are '),
        (["ls", "etc", "", "ssh"], 'etc has no snapshot ""\nhint: the latest are '),
        (["diff", "etc", ""], 'etc has no snapshot ""\nhint: the latest are '),
        (["find", "etc", ""], "\"\" is no PATTERN\nhint: '*' fits every name"),
        (["find", "etc", "ssh/[a"], '"ssh/[a" is no PATTERN\nhint: '),
        (["check", ""], 'there is no job ""'),
        (["verify", "etc", "--max-age", "old"], "'old' is no time span"),
    ],
)
def test_what_is_not_there_gets_a_hint(cncop: Cncop, words: list[str], said: str) -> None:
    assert said in cncop.run(*words, status=2)


def test_diff_shows_what_differs(cncop: Cncop) -> None:
    older, newer = ids(cncop)
    assert cncop.run("diff", "etc").splitlines()[0] == "-  passwd"
    assert f"etc: 1 removed from {older[:8]} of " in cncop.run("diff", "etc", older[:8], newer[:8])
    told = cncop.json("diff", "etc", newer, older)
    assert told["changes"] == [{"path": "passwd", "change": "+"}]
    assert "no difference" in cncop.run("diff", "etc", newer, newer)


def test_find_tells_each_state_of_a_file_once(cncop: Cncop) -> None:
    found = cncop.json("find", "etc", "*s*")
    assert [(entry["path"], len(entry["snapshots"])) for entry in found] == [
        ("esc\x1b[31m", 2),
        ("hosts", 2),
        ("passwd", 1),
        ("ssh", 2),
        ("ssh/sshd_config", 2),
    ]
    table = cncop.run("find", "-a", "ssh/*").splitlines()
    assert table[0].split() == ["JOB", "PATH", "SIZE", "MODIFIED", "SNAPSHOTS", "NEWEST"]
    assert table[1].split()[:2] == ["etc", "ssh/sshd_config"]
    assert "nothing in any snapshot fits" in cncop.run("find", "etc", "other", "nowhere")
    assert "warning: other has no snapshot yet; take one with: " in cncop.run("find", "other", "nowhere")
    for pattern in ("/ssh", f"{cncop.source}/ssh", "[^a-r]s[h\\]]"):
        assert [entry["path"] for entry in cncop.json("find", "etc", pattern)] == ["ssh", "ssh/sshd_config"]


def test_find_looks_into_the_others_where_the_disk_of_one_is_away(cncop: Cncop, tmp_path: Path) -> None:
    other = cncop.root.parent / "other"
    other.rename(tmp_path / "other")
    try:
        said = cncop.run("find", "other", "etc", "hosts", status=12)
    finally:
        (tmp_path / "other").rename(other)
    assert f"warning: not looked into: other: {other} does not exist; is its disk mounted?" in said
    assert "etc  hosts" in said


def test_a_restore_goes_to_any_point_in_time_and_a_dry_run_says_what_it_would_do(
    cncop: Cncop, tmp_path: Path
) -> None:
    older, _ = cncop.json("snapshots", "etc")
    then = older["time"]
    dry = cncop.json("restore", "etc", "--at", then, "--to", str(tmp_path / "to"), "-n")
    assert (dry["snapshot"], dry["files"], dry["bytes"], dry["overwritten"]) == (older["id"], 4, 22, 0)
    assert dry["phrase"].startswith("would restore the snapshot of ")
    assert not (tmp_path / "to").exists()
    cncop.run("restore", "etc", "--at", then, "--to", str(tmp_path / "to"))
    assert (tmp_path / "to" / "passwd").read_text() == "root\n"


def test_a_snapshot_is_named_by_a_time_and_everything_by_the_source(cncop: Cncop, tmp_path: Path) -> None:
    older, newer = cncop.json("snapshots", "etc")
    for number, everything in enumerate(("/", ".", str(cncop.source), f"{cncop.source}/")):
        to = str(tmp_path / str(number))
        told = cncop.json("restore", "etc", everything, "--snapshot", older["time"], "--to", to)
        assert told["snapshot"] == older["id"]
        assert set(contents(Path(to))) == {"esc\x1b[31m", "hosts", "passwd", "ssh/sshd_config"}
    by_now = cncop.json("restore", "etc", "--snapshot", "now", "--to", f"{tmp_path}/now")
    assert by_now["snapshot"] == newer["id"]


def test_what_a_drill_is_about_is_what_its_name_stands_for(cncop: Cncop, tmp_path: Path) -> None:
    assert cncop.json("snapshots", "drill") == cncop.json("snapshots", "etc")
    assert cncop.run("ls", "drill").startswith("etc, snapshot ")
    assert cncop.run("verify", "drill").startswith("etc: repository sound, all data read; 2 files ")
    assert cncop.run("restore", "drill", "ssh", "--to", str(tmp_path / "to")).startswith("etc: ssh of ")


def test_what_was_deleted_comes_back_to_its_place_and_nothing_else_is_touched(cncop: Cncop) -> None:
    before = contents(cncop.source)
    older = ids(cncop)[0]
    told = cncop.run("restore", "etc", "--snapshot", older[:8], "passwd")
    assert f"restored to {cncop.source}: 1 file, 5 bytes" in told
    assert contents(cncop.source) == before | {"passwd": b"root\n"}
    (cncop.source / "passwd").write_text("mine")
    refused = cncop.run("restore", "etc", "--snapshot", older[:8], f"{cncop.source}/passwd", status=3)
    assert f"etc: {cncop.source}/passwd is there already" in refused
    dry = cncop.run("restore", "etc", "--snapshot", older[:8], "passwd", "--force", "-n")
    assert "1 file, 5 bytes, 1 of them over what is there" in dry
    assert (cncop.source / "passwd").read_text() == "mine"
    cncop.run("restore", "etc", "--snapshot", older[:8], "passwd", "--force")
    assert (cncop.source / "passwd").read_text() == "root\n"
    (cncop.source / "passwd").unlink()


def test_a_path_that_is_nearly_right_gets_a_hint(cncop: Cncop, tmp_path: Path) -> None:
    told = cncop.run("restore", "etc", "ssh/sshdconfig", "--to", str(tmp_path / "to"), status=3)
    assert "has no ssh/sshdconfig" in told
    assert "hint: did you mean ssh/sshd_config?" in told


def test_a_drill_by_hand_ends_as_it_went(cncop: Cncop) -> None:
    assert "etc: repository sound, all data read; 3 files (17 bytes) restored in " in cncop.run(
        "verify", "etc"
    )
    failed = cncop.json("verify", "etc", "--min-files", "1000", "--sample", "0", status=3)
    assert failed["drill"]["faults"] == ["the latest snapshot has 3 files, and should have 1,000"]
    assert "the drill failed: " in cncop.run(
        "verify", "etc", "--min-files", "1000", "--sample", "0", status=3
    )


def test_accept_says_what_there_is_to_accept(cncop: Cncop) -> None:
    assert cncop.run("accept", "etc").startswith("etc: nothing to accept")
    assert "keeps no repository to accept" in cncop.run("accept", "away", status=3)


def test_a_snapshot_that_restic_passes_over_is_told(cncop: Cncop, tmp_path: Path) -> None:
    cncop.back_up("spoilt")
    (taken,) = (repository_of(cncop) / "snapshots").iterdir()
    cncop.back_up("spoilt")
    sound = taken.read_bytes()
    taken.chmod(0o600)
    taken.write_text("junk")
    warning = f"the repository at {repository_of(cncop)} is damaged: snapshot {taken.name[:8]} cannot be read"
    for words in (["snapshots"], ["ls"], ["restore", "--to", str(tmp_path / "to")]):
        assert f"warning: {warning}\n" in cncop.run(words[0], "spoilt", *words[1:])
    taken.write_bytes(sound)


@pytest.mark.parametrize(
    ("lost", "words", "status", "told"),
    [
        ("index", "find spoilt hosts", 0, "warning: the repository at {where} is damaged: snapshot "),
        ("index", "ls spoilt", 12, "spoilt: the repository at {where} is damaged\nhint: keep it as it is"),
        ("config", "snapshots spoilt", 12, "the repository at {where} is damaged: without its file config"),
        ("config", "ls spoilt", 12, "the repository at {where} is damaged: without its file config"),
        ("config", "find spoilt hosts", 12, "the repository at {where} is damaged: without its file config"),
        ("config", "restore spoilt --to /nowhere", 3, "the repository at {where} is damaged: without its"),
        ("config", "verify spoilt", 3, "the repository at {where} is damaged: without its file config"),
        ("config", "check spoilt", 3, "the repository at {where} is damaged: without its file config"),
    ],
)
def test_a_damaged_repository_is_told_by_whoever_looks_into_it(
    cncop: Cncop, tmp_path: Path, lost: str, words: str, status: int, told: str
) -> None:
    if not (repository_of(cncop) / "config").exists():
        cncop.back_up("spoilt")
    aside = tmp_path / lost
    (repository_of(cncop) / lost).rename(aside)
    if lost == "index":
        (repository_of(cncop) / lost).mkdir()
    said = cncop.run(*words.split(), status=status)
    assert told.format(where=repository_of(cncop)) in said
    if lost == "index":
        (repository_of(cncop) / lost).rmdir()
    aside.rename(repository_of(cncop) / lost)


def repository_of(cncop: Cncop) -> Path:
    return cncop.root.parent / "spoilt" / "repository"
