"""An agent that is stopped or killed: nothing of it lives on, and the next run is none the worse."""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contract_trees import contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Asker

MOMENTS = int(os.environ.get("CNCOP_MOMENTS", "2"))
"""Into how many parts the time of a run is divided, to kill it once in each: 100 by hand."""

LONGEST = 2.5  # seconds, of which a run takes most
SLOW = 1 << 20  # bytes a second: a tree of 24 MiB takes half a minute, whatever the machine


@pytest.fixture(scope="session")
def large_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large") / "source"
    root.mkdir()
    for number in range(24):
        (root / f"{number}").write_bytes(os.urandom(1 << 20))
    return root


class Slow:
    """A backup that is in the middle of copying, and the programs that it started."""

    def __init__(self, asker: Asker, source: Path, descriptors: tuple[int, ...] = ()) -> None:
        reader, writer = os.pipe()
        job = {"source": asker.at(source), "bandwidth": SLOW}
        self.process = asker.start(
            asker.request("backup", job=job),
            pass_fds=(writer, *descriptors),
            env={"CNCOP_PROGRESS_FD": str(writer)},
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as progress:
            while b"bytes_done" not in progress.readline():
                pass
        self.programs = descendants(self.process.pid)

    def end_of_programs(self) -> None:
        """Wait for the end of every program that the agent started."""
        for program in self.programs:
            try:
                descriptor = os.pidfd_open(program)
            except ProcessLookupError:
                continue
            assert select.select([descriptor], [], [], 20)[0], f"{program} lives on"
            os.close(descriptor)


def descendants(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return children + [grandchild for child in children for grandchild in descendants(child)]


def test_sigterm_ends_the_run_with_a_result_and_without_a_snapshot(asker: Asker, large_tree: Path) -> None:
    slow = Slow(asker, large_tree)
    assert slow.programs
    slow.process.send_signal(signal.SIGTERM)
    outcome = asker.finish(slow.process)
    assert (outcome.status, outcome.phrase) == (143, "stopped before it was done")
    slow.end_of_programs()
    assert asker.snapshots() == []


def test_nothing_of_a_killed_agent_lives_on_and_the_next_run_succeeds(asker: Asker, large_tree: Path) -> None:
    slow = Slow(asker, large_tree)
    slow.process.kill()
    slow.process.communicate()
    slow.end_of_programs()
    assert asker.snapshots() == []
    asker.backup(job={"source": asker.at(large_tree)})
    assert contents(asker.mirror) == contents(large_tree)


def test_the_lock_that_was_handed_down_is_held_by_the_engine_too(
    asker: Asker, large_tree: Path, tmp_path: Path
) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        slow = Slow(asker, large_tree, (lock.fileno(),))
    holders = [
        program
        for program in slow.programs
        if any(
            os.path.realpath(path) == str(tmp_path / "lock") for path in Path(f"/proc/{program}/fd").iterdir()
        )
    ]
    slow.process.terminate()
    asker.finish(slow.process)
    assert holders == slow.programs


def test_no_secret_is_in_an_argument_or_an_environment(asker: Asker, large_tree: Path) -> None:
    asker.give("module", "pass word of the module")
    slow = Slow(asker, large_tree)
    seen = b"".join(
        Path(f"/proc/{pid}/{what}").read_bytes()
        for pid in [slow.process.pid, *slow.programs]
        for what in ("cmdline", "environ")
    )
    slow.process.terminate()
    asker.finish(slow.process)
    secrets = [
        path for path in asker.credentials.iterdir() if path.name in ("repository-password", "login", "key")
    ]
    for secret in [line for path in secrets for line in path.read_bytes().splitlines()]:
        assert secret not in seen
    assert b"pass word" not in seen


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_instant_no_snapshot_lies_and_the_next_run_succeeds(
    asker: Asker, tree: Path, tmp_path: Path, moment: int
) -> None:
    request = asker.request("backup", job={"source": asker.at(tree)})
    child = asker.start(request)
    ended = os.pidfd_open(child.pid)
    select.select([ended], [], [], (moment + random.random()) / MOMENTS * LONGEST)  # noqa: S311
    os.close(ended)
    child.kill()
    child.communicate()
    for snapshot in asker.snapshots():
        assert asker.restore(tmp_path / snapshot["id"], snapshot=snapshot["id"]).status == 0
        assert asker.carried(tmp_path / snapshot["id"]) == asker.carried(tree)
    asker.backup(job={"source": asker.at(tree)})
    assert asker.restore(tmp_path / "after").status == 0
    assert asker.carried(tmp_path / "after") == asker.carried(tree)


def holding_a_lock(asker: Asker, through: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A restic that is backing up its stdin, which does not end: it holds a lock until it is killed."""
    where = ["--no-cache", "--repo", str(asker.destination / "repository")]
    password = ["--password-file", str(asker.credentials / "repository-password")]
    holder = subprocess.Popen(
        [*through, "restic", *where, *password, "backup", "--stdin", "--json"],
        env=os.environ | {"RESTIC_PROGRESS_FPS": "20"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin
    assert holder.stdout
    holder.stdin.write(b"x" * 4096)
    holder.stdin.flush()
    assert b"status" in holder.stdout.readline()
    return holder


def test_a_repository_in_use_is_worth_another_try_and_a_dead_ones_lock_is_not_in_the_way(
    asker: Asker, small_tree: Path
) -> None:
    job = {"source": asker.at(small_tree), "keep": {"last": 1}}
    asker.backup(job=job)
    holder = holding_a_lock(asker)
    busy = asker.ask("prune", job=job)
    holder.kill()
    holder.communicate()
    assert (busy.status, "is in use by another restic" in busy.phrase) == (75, True), busy
    assert asker.backup(job=job).result["warnings"] == []
    assert asker.ask("verify", job=job).status == 0
    assert list((asker.destination / "repository" / "locks").iterdir()) == []
