"""One instance for each job, by flock(2)."""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Self

# Seconds after which a lock that is not free is held by a run, and not by somebody who only asks.
_ASKING = 0.2


class JobLock:
    """The lock of one job; `take` tries, `holder` says who has it.

    Its descriptor is handed on to the agent and everything that it starts, so that the lock is held as long
    as anything of the run lives. The file is never removed: whoever had it open would hold a lock that
    nobody else sees. Strangers cannot open it, since whoever can might hold it, and keep the job from running.
    """

    def __init__(self, directory: Path, job_id: str) -> None:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._path = directory / f"{job_id}.lock"
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def is_free(self) -> bool:
        """Whether nobody has the lock. Any number may ask at once, and a `take` outlasts the asking."""
        if not self._try(fcntl.LOCK_SH):
            return False
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        return True

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self.descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take(self, run_id: str = "", now: datetime | None = None) -> bool:
        """Whether the lock is ours now; noted in it is who we are, for `holder`."""
        deadline = time.monotonic() + _ASKING
        while not self._try(fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                return False
            time.sleep(_ASKING / 10)
        if run_id and now:
            note = {"pid": os.getpid(), "run": run_id, "since": now.isoformat(timespec="seconds")}
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, json.dumps(note).encode(), 0)
        return True

    def is_held(self) -> bool:
        """Whether anybody has it, without touching it: whoever tried it for a look would have others skip a run.

        /proc/locks names a file by device and inode (proc(5)).
        """
        inode = os.fstat(self.descriptor).st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        return any(f":{inode} " in line and "FLOCK" in line for line in lines)

    def holder(self) -> str:
        """Who noted down last that the lock is theirs, and since when, in words."""
        try:
            note = json.loads(os.pread(self.descriptor, 4096, 0))
            return f"run {note['run']} (process {note['pid']}) since {note['since']}"
        except (ValueError, KeyError, TypeError):
            return f"a process that has {self._path} open"
