"""A run in the middle of which something happens, and what has to be true of it afterwards."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from pathlib import Path
from typing import Any

from .installation import Installation

SAID = "copying the first file"
AGENT = """trap 'kill $!; exit 143' TERM
echo '{said}' >&2
echo began >{up}
cat {down} & wait $!
echo 'copying the last file' >&2
echo '{{"phase": "mirror", "phrase": "nearly done"}}' >/dev/fd/$CNCOP_PROGRESS_FD
echo '{{"phrase": "all is copied"}}' >$CNCOP_RESULT"""


class Agent:
    """An agent of all jobs, which says a word, waits, and is OK when it is let go on."""

    def __init__(self, cncop: Installation) -> None:
        self.cncop = cncop
        self.up, self.down = cncop.manager.home / "up", cncop.manager.home / "down"
        for pipe in (self.up, self.down):
            os.mkfifo(pipe)
        cncop.agent(AGENT.format(said=SAID, up=self.up, down=self.down))


class Victim:
    """A job with its runs: `begin` returns when its agent is at work, `wait` when the service is down."""

    def __init__(self, agent: Agent, job_id: str) -> None:
        self.cncop, self.job_id, self._agent = agent.cncop, job_id, agent
        self.manager = agent.cncop.manager
        self.service = f"cncop-job-{job_id}.service"

    def begin(self) -> None:
        self._start = self.manager.popen("systemctl", "--user", "start", self.service)
        self.is_at_work()

    def is_at_work(self) -> None:
        """Return when the agent says so."""
        assert self.manager.run("cat", self._agent.up, timeout=30).stdout == "began\n"

    def fail_to_begin(self) -> None:
        """Start it; it ends before its agent is at work."""
        self.manager.systemctl("start", self.service, check=False)
        self.manager.systemctl("stop", self.service)

    def go_on(self) -> None:
        """Let the agent end as it should."""
        self.manager.run("sh", "-c", f"echo >{self._agent.down}", timeout=30)

    def wait(self) -> None:
        """Return when the last line of the service is done."""
        self._start.wait(timeout=60)
        self.manager.systemctl("stop", self.service)

    def dispatcher(self) -> int:
        return int(self.manager.property(self.service, "MainPID"))

    def agent(self) -> int:
        (child,) = Path(f"/proc/{self.dispatcher()}/task/{self.dispatcher()}/children").read_text().split()
        return int(child)

    def kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def control_group(self) -> Path:
        group = self.manager.property(self.service, "ControlGroup").lstrip("/")
        return Path(f"/proc/{self.manager.pid}/root/sys/fs/cgroup", group)

    def history(self) -> list[dict[str, Any]]:
        return [run for run in self.cncop.history() if run["job"] == self.job_id]

    def reports(self, kind: str) -> list[dict[str, Any]]:
        found = self.cncop.all_reports(kind)
        return [report for report in found if report["run"]["job"] == self.job_id]

    def closed_once(self) -> dict[str, Any]:
        """The one run of the job: in the history, reported once, its log kept, nothing of it left behind."""
        (run,) = self.history()
        (finished,) = self.reports("JF")
        (statistics,) = self.reports("JS")
        assert finished["run"] == run
        assert statistics["statistics"]["outcome"] == run["outcome"]
        assert statistics["statistics"]["seconds"] >= 0
        self.leaves_nothing()
        log = Path(run["log"]).read_text()
        assert SAID in log
        assert run["outcome"] in log.splitlines()[-1]
        return run

    def leaves_nothing(self) -> None:
        """No lock is held, no run is open, no process is left."""
        assert self.manager.property(self.service, "ActiveState") in ("inactive", "failed")
        for lock in (self.manager.runtime / "cncop").rglob("*.lock"):
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not self.is_open()

    def is_open(self) -> bool:
        """Whether a run of the job has not been closed."""
        runs = [json.loads(path.read_text()) for path in (self.cncop.state / "runs").glob("*/run.json")]
        return any(run["job"] == self.job_id for run in runs)

    def runs_again(self) -> None:
        """The next run is as good as any."""
        self.begin()
        self.go_on()
        self.wait()
        assert self.history()[-1]["outcome"] == "OK"
        assert len(self.reports("JF")) == len(self.reports("JS")) == 2
