"""An agent that is stopped or killed: nothing of it lives on, and the next run is none the worse."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contract_trees import contents, make_odd_tree_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Asker


MOMENTS = int(os.environ.get("CNCOP_MOMENTS", "2"))
"""Into how many parts the time of a run is divided, to kill it once in each: 100 by hand."""

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

    def __init__(
        self, asker: Asker, source: Path, descriptors: tuple[int, ...] = (), *, silence: int = 600
    ) -> None:
        reader, writer = os.pipe()
        job = {"source": asker.at(source), "bandwidth": SLOW}
        self.process = asker.start(
            asker.request("backup", job=job),
            pass_fds=(writer, *descriptors),
            env={"CNCOP_PROGRESS_FD": str(writer), "CNCOP_SILENCE": str(silence)},
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


@dataclass(frozen=True)
class Before:
    """A destination with one snapshot of a tree that was otherwise, and how many seconds that backup took."""

    destination: Path
    tree: Path
    seconds: float


@pytest.fixture(scope="session")
def befores() -> dict[str, Before]:
    """What was made for an agent already."""
    return {}


@pytest.fixture
def before(
    asker: Asker, befores: dict[str, Before], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Before:
    """The past of this agent's job, which another test may have made."""
    name = asker.agent.name
    if name not in befores:
        root = tmp_path_factory.mktemp("before")
        make_odd_tree_for(name, root / "tree")
        (root / "tree" / "plain").write_text("was otherwise")
        (root / "tree" / "only before").mkdir()
        (root / "tree" / "only before" / "file").write_bytes(os.urandom(1 << 20))
        begun = time.monotonic()
        asker.backup(job={"source": asker.at(root / "tree")})
        befores[name] = Before(root / "destination", root / "tree", time.monotonic() - begun)
        asker.destination.rename(root / "destination")
        shutil.copytree(asker.empty_repository, tmp_path / "destination" / "repository")
    return befores[name]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_instant_no_snapshot_lies_and_the_next_run_succeeds(
    asker: Asker, tree: Path, before: Before, tmp_path: Path, moment: int
) -> None:
    """Half of the runs are a job's first; half of the kills hit all of a run at once, as systemd's do."""
    is_first, hits_all = moment % 2 == 0, moment % 4 in (1, 2)
    if not is_first:
        shutil.rmtree(asker.destination)
        subprocess.run(["cp", "-a", before.destination, asker.destination], check=True)
    known = {snapshot["id"]: before.tree for snapshot in asker.snapshots()}
    job = {"source": asker.at(tree), "keep": {"last": 1}}
    lock = tmp_path / "lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = asker.start(asker.request("backup", job=job), pass_fds=(held.fileno(),))
    latest = before.seconds * (1 if is_first else 1.5)
    was_at_work = kill_within(child, (moment + random.random()) / MOMENTS * latest, hits_all)  # noqa: S311
    # As in the dispatcher, nobody else is at the job before the last engine of a killed run has ended.
    subprocess.run(["flock", "--timeout", "20", lock, "true"], check=True)
    print("killed at work" if was_at_work else "ended before")  # for `pytest -rP`
    for snapshot in asker.snapshots():
        assert asker.restore(tmp_path / snapshot["id"], snapshot=snapshot["id"]).status == 0
        assert asker.carried(tmp_path / snapshot["id"]) == asker.carried(known.get(snapshot["id"], tree))
    asker.backup(job=job)
    assert asker.restore(tmp_path / "after").status == 0
    assert asker.carried(tmp_path / "after") == asker.carried(tree)


def kill_within(child: subprocess.Popen[bytes], seconds: float, hits_all: bool) -> bool:
    """Kill an agent, and perhaps what it started, unless it ends before; whether it was still at work."""
    ended = os.pidfd_open(child.pid)
    was_at_work = not select.select([ended], [], [], seconds)[0]
    os.close(ended)
    victims = descendants(child.pid) if was_at_work and hits_all else []
    for victim in (child.pid, *victims):
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    child.communicate()
    return was_at_work


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
