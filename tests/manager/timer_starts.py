"""Starts of a job by its timer, one after another, as tests wait for them."""

from __future__ import annotations

import os
from typing import Any

from .installation import Installation

EVERY_SECOND = "* * * * * *"


class TimerStarts:
    """The starts of job `a`: each waits at its end, after its close, until a test asks for it."""

    def __init__(self, cncop: Installation) -> None:
        self._cncop = cncop
        self._ended = cncop.manager.home / "ended"
        os.mkfifo(self._ended)
        drop_in = cncop.units / "cncop-job-a.service.d/tell.conf"
        drop_in.parent.mkdir()
        drop_in.write_text(f"[Service]\nExecStopPost=sh -c 'echo $$TRIGGER_UNIT >{self._ended}'\n")

    def next(self) -> dict[str, Any]:
        """The next run of a timer, as the history has it."""
        while self._cncop.manager.run("cat", self._ended, timeout=20).stdout != "cncop-job-a.timer\n":
            pass  # somebody else's start
        return self._cncop.history()[-1]

    def let_pass(self) -> None:
        """Let whatever start is under way end."""
        self._cncop.manager.run("cat", self._ended, timeout=20)
