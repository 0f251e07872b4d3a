"""Files that are there as a whole or not at all, and what is read back of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cncopctl.core.plan import InstalledUnit
from cncopctl.core.seal import Seal, sealed
from cncopctl.edges.files import (
    Staging,
    link_atomically,
    remove_all,
    remove_leftovers,
    sync_all,
    write_atomically,
)
from cncopctl.edges.machine import command_refusal, find_agents, user_commands
from cncopctl.edges.run_files import RunFiles
from cncopctl.edges.spool import spool_report
from cncopctl.edges.unit_dir import read_installed


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("content", ["text ü\udcff\n", b"\0\xff"])
def test_a_file_is_replaced_as_a_whole(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, content, 0o600)
    assert path.read_bytes() == (os.fsencode(content) if isinstance(content, str) else content)
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["file"]


def test_a_leftover_of_a_killed_writer_is_no_obstacle_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("safe")
    (tmp_path / "file.cncop-new").symlink_to("victim")
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "victim").read_text() == "safe"
    assert (tmp_path / "file").read_text() == "new"


def test_a_link_is_made_and_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link_atomically(link, "one")
    link_atomically(link, "two")
    assert (os.readlink(link), names(tmp_path)) == ("two", ["link"])


@pytest.mark.parametrize("count", [1, 16, 17, 40])
def test_staged_files_are_put_into_place_together(tmp_path: Path, count: int) -> None:
    staging = Staging(tmp_path, {f"f{number}": f"text {number}" for number in range(count)}, 0o600)
    assert names(tmp_path) == [".cncop-staging"]
    sync_all([staging])
    staging.put()
    assert names(tmp_path) == sorted(f"f{number}" for number in range(count))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_staged_files_can_be_thrown_away(tmp_path: Path) -> None:
    Staging(tmp_path, {"f": "x"}).discard()
    assert names(tmp_path) == []


def test_nothing_staged_leaves_no_trace(tmp_path: Path) -> None:
    staging = Staging(tmp_path, {})
    sync_all([staging])
    staging.put()
    assert names(tmp_path) == []


def test_what_a_killed_predecessor_left_is_removed(tmp_path: Path) -> None:
    Staging(tmp_path, {"f": "x"})
    (tmp_path / "unit.cncop-new").write_text("")
    (tmp_path / "kept").write_text("")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["kept"]
    remove_leftovers(tmp_path / "nowhere")


def test_files_that_are_gone_already_need_no_removal(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    remove_all([tmp_path / "a", tmp_path / "b"])
    assert names(tmp_path) == []


def test_installed_units_are_read_with_their_seals(tmp_path: Path) -> None:
    units = tmp_path / "units"
    (units / "cncop.target.wants").mkdir(parents=True)
    ours = sealed("[Timer]\n")
    (units / "cncop-job-a.timer").write_text(ours)
    (units / "cncop-job-b.timer").write_bytes(b"\xff")
    (units / "cncop-job-c.timer").symlink_to("/dev/null")
    (units / "ssh.service").write_text("not ours to look at")
    (units / "cncop-job-a.service.d").mkdir()
    (units / "cncop-job-a.service.d/override.conf").write_text("")
    (units / "cncop-job-a.service.d/README").write_text("")
    (units / "cncop.target.wants/cncop-job-a.timer").symlink_to("../cncop-job-a.timer")
    (units / "cncop.target.wants/cncop-job-b.timer").symlink_to(units / "cncop-job-b.timer")
    installed = read_installed(units, tmp_path / "jobs")
    assert installed.units == {
        "cncop-job-a.timer": InstalledUnit(ours, Seal.INTACT),
        "cncop-job-b.timer": InstalledUnit("\udcff", Seal.FOREIGN),
        "cncop-job-c.timer": InstalledUnit("", Seal.FOREIGN, is_masked=True),
    }
    assert installed.links == {
        "cncop.target.wants/cncop-job-a.timer": "../cncop-job-a.timer",
        "cncop.target.wants/cncop-job-b.timer": "../cncop-job-b.timer",
    }
    assert installed.drop_ins == (f"{units}/cncop-job-a.service.d/override.conf",)


def test_where_nothing_is_installed_nothing_is_found(tmp_path: Path) -> None:
    installed = read_installed(tmp_path / "units", tmp_path / "jobs")
    assert (installed.units, installed.links, installed.compiled, installed.changed_at) == ({}, {}, {}, None)


def test_a_damaged_compiled_job_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    (tmp_path / ".hidden.toml").write_text("")
    (tmp_path / ".cncop-staging").mkdir()
    assert read_installed(tmp_path, tmp_path).compiled == {"a": "\udcff"}


def test_the_newest_change_counts_also_that_of_a_drop_in(tmp_path: Path) -> None:
    (tmp_path / "cncop-job-a.timer").write_text("")
    drop_in = tmp_path / "cncop-job-a.timer.d/x.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("")
    before = read_installed(tmp_path, tmp_path / "jobs").changed_at
    assert before
    first = drop_in.stat().st_ctime_ns
    while drop_in.stat().st_ctime_ns < first + 1_000_000:
        drop_in.write_text("edited")  # until the kernel's coarse clock has moved on
    after = read_installed(tmp_path, tmp_path / "jobs").changed_at
    assert after
    assert after > before


@pytest.mark.parametrize("content", ["", "[]", "no json", "[" * 100_000, '"' + "x" * 2_000_000 + '"'])
def test_a_result_that_cannot_be_used_is_no_result(tmp_path: Path, content: str) -> None:
    files = RunFiles(tmp_path, "r")
    files.write_run({})
    files.result.write_text(content)
    assert files.read_result() == {}


def test_a_result_that_is_a_link_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    files = RunFiles(tmp_path, "r")
    files.write_run({})
    (tmp_path / "secret").write_text('{"phrase": "secret"}')
    files.result.symlink_to(tmp_path / "secret")
    assert files.read_result() == {}
    files.forget_result()
    os.mkfifo(files.result)
    assert files.read_result() == {}


def test_a_run_that_is_closed_leaves_nothing(tmp_path: Path) -> None:
    files = RunFiles(tmp_path, "r")
    files.write_run({"id": "r"})
    files.write_progress({"phase": "copying"})
    assert (files.read_run(), files.read_progress()) == ({"id": "r"}, {"phase": "copying"})
    files.remove()
    assert (names(tmp_path), files.read_run()) == ([], {})


def test_a_report_is_spooled_as_a_whole(tmp_path: Path) -> None:
    spool_report(tmp_path, "JF-1.json", {"phrase": "ü 🐘"})
    assert names(tmp_path) == ["JF-1.json"]
    assert json.loads((tmp_path / "JF-1.json").read_text()) == {"phrase": "ü 🐘"}


def make_command(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A directory of commands with one of each kind, writable by nobody else whatever the umask is."""
    directory = tmp_path / "bin"
    make_command(directory / "good")
    make_command(directory / "sub/good")
    make_command(directory / "loose", 0o777)
    make_command(directory / "dull", 0o644)
    (directory / "linked").symlink_to("good")
    (directory / "leading-out").symlink_to("/bin/sh")
    (directory / "nowhere").symlink_to("gone")
    os.mkfifo(directory / "pipe")
    make_command(directory / "open/good")
    directory.chmod(0o755)
    (directory / "sub").chmod(0o755)
    (directory / "open").chmod(0o777)
    return directory


def test_user_commands_are_files_that_nobody_else_can_write(commands: Path) -> None:
    assert user_commands(commands) == {
        "good": "",
        "sub/good": "",
        "linked": "",
        "loose": f"others can write {commands}/loose",
        "dull": "it is not executable",
        "leading-out": f"it leads out of {commands}",
        "nowhere": f"{commands}/gone: No such file or directory",
        "pipe": "it is not a file",
        "open/good": f"others can write {commands}/open",
    }


def test_a_directory_that_others_can_write_spoils_all_its_commands(commands: Path) -> None:
    commands.chmod(0o775)
    assert command_refusal(commands, "good") == f"others can write {commands}"


def test_a_command_that_leaves_the_directory_by_its_name_is_refused(commands: Path) -> None:
    make_command(commands.parent / "outside")
    assert command_refusal(commands, "../outside") == f"it leads out of {commands}"


def test_an_earlier_directory_of_agents_goes_before_a_later_one(tmp_path: Path) -> None:
    for name in ("own/backupagentx", "ours/backupagentx", "ours/backupagenty"):
        make_command(tmp_path / name)
    make_command(tmp_path / "ours/README.md", 0o644)
    assert find_agents(tmp_path / "own", tmp_path / "nowhere", tmp_path / "ours") == {
        "backupagentx": f"{tmp_path}/own/backupagentx",
        "backupagenty": f"{tmp_path}/ours/backupagenty",
    }
