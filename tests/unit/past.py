"""An installation under a directory with a past: jobs, and runs that have ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w

from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History

PROGRAMS = Path(sys.executable).parent
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Past:
    """The installation, and what an administrator sees of it; `now` is when it was made."""

    root: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def layout(self) -> Layout:
        return Layout.directory(self.root)

    def daily(self, ago: timedelta) -> str:
        """A schedule that was last due so long ago, in UTC, or up to a minute earlier."""
        return f"{self.now - ago:%-M %-H} * * *"

    def job(self, job_id: str, *schedules: object, title: str = "", **document: Any) -> None:
        """Install a job whose timers follow `schedules` (in UTC) since long ago.

        It does not catch up: how late it is would depend on when the machine that runs the tests was booted.
        """
        values = {
            "id": job_id,
            "title": title or job_id,
            "type": "RSYNC",
            "direction": "PULL",
            "catch_up": False,
        }
        compiled = {
            "compiled": 1,
            "agent": "/bin/true",
            "role": "LOCAL",
            "schedules": [{"text": schedule, "zone": "UTC"} for schedule in schedules],
            "schedule_since": datetime(2020, 1, 1, tzinfo=UTC),
            "job": {**values, "max_retries": 0, "retry_interval": 60, "timeout": 3600},
            **document,
        }
        self.layout.compiled_jobs.mkdir(parents=True, exist_ok=True)
        (self.layout.compiled_jobs / f"{job_id}.toml").write_text(tomli_w.dumps(compiled))

    def run(
        self, job_id: str, ago: timedelta, outcome: Outcome = Outcome.OK, run_id: str = "", **more: Any
    ) -> Run:
        """Add a run that began so long ago and took ten minutes."""
        began = self.now - ago
        ended = began + timedelta(minutes=10)
        run = Run(
            run_id or f"{job_id}-{began:%d%H%M}", job_id, job_id, began, ended=ended, outcome=outcome, **more
        )
        assert History(self.layout.history).add(run) == ""
        return run

    def say(self, *words: str | Path, status: int = 0, program: str = "cncopctl", **environment: str) -> str:
        """What a program of ours prints, given these words; on stderr, where it ends with another status than 0."""
        done = subprocess.run(
            [PROGRAMS / program, *words, "--root", self.root],
            env={**os.environ, "TZ": "UTC", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, f"{done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr
