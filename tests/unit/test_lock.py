"""One instance for each job."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.edges.lock import JobLock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_lock_is_taken_once_and_says_by_whom(tmp_path: Path) -> None:
    with JobLock(tmp_path / "locks", "a") as first, JobLock(tmp_path / "locks", "a") as second:
        assert first.take("run-1", NOW)
        assert not second.take("run-2", NOW)
        assert second.holder() == f"run run-1 (process {os.getpid()}) since 2026-03-01T12:00:00+00:00"


def test_locks_of_different_jobs_do_not_meet(tmp_path: Path) -> None:
    with JobLock(tmp_path, "a") as first, JobLock(tmp_path, "b") as second:
        assert first.take()
        assert second.take()


def test_a_lock_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    with JobLock(tmp_path, "a") as first:
        assert first.take("x" * 300, NOW)
    with JobLock(tmp_path, "a") as second, JobLock(tmp_path, "a") as third:
        assert second.take("y", NOW)
        assert third.holder().startswith("run y ")


def test_whoever_inherits_the_lock_holds_it(tmp_path: Path) -> None:
    with JobLock(tmp_path, "a") as lock:
        assert lock.take("run-1", NOW)
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor]
        )
    with JobLock(tmp_path, "a") as other:
        assert not other.take()
        child.communicate(b"\n")
        assert other.take()


def test_a_holder_that_left_no_note_is_told_by_the_file(tmp_path: Path) -> None:
    with JobLock(tmp_path, "a") as lock:
        assert lock.holder() == f"a process that has {tmp_path}/a.lock open"
        (tmp_path / "a.lock").write_text("[1]")
        assert lock.holder() == f"a process that has {tmp_path}/a.lock open"
