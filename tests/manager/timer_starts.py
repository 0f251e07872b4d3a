"""Starts of a job by its timers, one after another, as tests wait for them."""

from __future__ import annotations

import os
import select
import subprocess
from datetime import UTC, datetime
from typing import Any, Self

from .installation import Installation

EVERY_SECOND = "* * * * * *"


class TimerStarts:
    """The runs of an installation's only job, in the order of their starts; a context manager."""

    def __init__(self, cncop: Installation) -> None:
        self._cncop = cncop
        self._seen = 0
        self._pending = ""
        follow = ["journalctl", "--follow", "--output=cat"]
        self._journal = cncop.manager.popen(*follow, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.kill()
        if self._journal.stdout:
            self._journal.stdout.close()
        self._journal.wait()

    def next(self, after: datetime | None = None) -> dict[str, Any]:
        """The next run, as the history has it; of those that began `after` an instant, if one is given."""
        while True:
            if (self._cncop.state / "history.sqlite").exists():
                runs = self._cncop.history()[self._seen :]
                for run in runs:
                    self._seen += 1
                    if after is None or datetime.fromisoformat(run["started"]) > after:
                        return run
            self._line()

    def wait_for(self, text: str) -> None:
        """Wait for a line of a run in the journal."""
        while text not in self._line():
            pass

    def _line(self) -> str:
        assert self._journal.stdout
        while "\n" not in self._pending:
            assert select.select([self._journal.stdout], [], [], 60)[0], "no timer has started the job"
            self._pending += os.read(self._journal.stdout.fileno(), 65536).decode(errors="replace")
        line, _, self._pending = self._pending.partition("\n")
        return line


def now() -> datetime:
    return datetime.now(UTC)
