"""A user's installation of cncop on a private manager, as tests see it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from report_schema import valid_report

from .user_manager import UserManager

CNCOPCTL = Path(sys.executable).with_name("cncopctl")
READ_UNITS = Path(__file__).with_name("read_units.py")

# Elapses in a far month, so that no timer fires while a test looks.
NEVER_SOON = "30 2 1 1 *"

# What the agent does whose run is OK.
OK = """echo '{"phrase": "all is copied"}' >$CNCOP_RESULT"""

Job = Mapping[str, Any]


def job(job_id: str, **values: Any) -> dict[str, Any]:
    """A job of a profile; what matters to the test is in `values`."""
    return {"id": job_id, "type": "RSYNC", "schedule": NEVER_SOON, "source": "/usr/share/doc"} | values


@dataclass(frozen=True)
class Trace:
    """One file as it lies on disk: what it says, and by what one would notice that it was written anew."""

    content: str
    inode: int
    changed: int


class Installation:
    """What an administrator does with cncop, and looks at."""

    def __init__(self, manager: UserManager) -> None:
        self.manager = manager
        self.config = manager.config / "cncop"
        self.state = manager.state / "cncop"
        self.units = manager.units
        self.profile = self.config / "profile.toml"
        self.config.mkdir(exist_ok=True)

    def write(self, *jobs: Job, **tables: Any) -> None:
        """Write a profile of these jobs."""
        self.profile.write_text(tomli_w.dumps({"schema": 1, **tables, "job": list(jobs)}))

    def sync(self, *options: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run sync-profile, which is to end with `status`, without a traceback."""
        done = self.manager.run(CNCOPCTL, "sync-profile", "--user", *options, check=False)
        assert done.returncode == status, f"status {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def steps(self, *options: str, status: int = 0) -> dict[str, str]:
        """What a sync tells about its steps: reason by action and name, `write cncop-job-a.timer`."""
        told = json.loads(self.sync("--json", *options, status=status).stdout)
        return {f"{step['action']} {step['name']}".strip(): step["reason"] for step in told["steps"]}

    def synced(self, *jobs: Job) -> None:
        """Write a profile of these jobs and sync."""
        self.write(*jobs)
        self.sync()

    def traces(self) -> dict[str, Trace]:
        """Every file and link below the units, the configuration and the state."""
        found = {}
        for base in (self.units, self.config, self.state):
            for directory, directories, names in os.walk(base):
                for name in [*names, *directories]:
                    path = Path(directory, name)
                    found[str(path)] = _trace(path)
        return found

    def unit_files(self) -> dict[str, str]:
        """What is in the directory of units: texts, and where links lead."""
        return {
            str(Path(path).relative_to(self.units)): trace.content
            for path, trace in self.traces().items()
            if Path(path).is_relative_to(self.units) and trace.content != "directory"
        }

    def compiled(self) -> dict[str, dict[str, Any]]:
        """The compiled jobs by name of the file, but for the age of their schedules."""
        documents = {path.name: tomllib.loads(path.read_text()) for path in (self.state / "jobs").iterdir()}
        return {name: {**document, "schedule_since": None} for name, document in documents.items()}

    def show(self, *names: str, pattern: str = "cncop-job-*.timer") -> dict[str, tuple[str, ...]]:
        """Properties of all loaded units that match, by unit."""
        listed = self.manager.systemctl(
            "show", "--all", f"--property={','.join(['Id', *names])}", "--", pattern
        )
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in listed.split("\n\n")]
        return {block["Id"]: tuple(block[name] for name in names) for block in blocks if block.get("Id")}

    def active_timers(self) -> set[str]:
        """Jobs' timers that are active."""
        return {unit for unit, (state,) in self.show("ActiveState").items() if state == "active"}

    def starts(self) -> dict[str, tuple[str, ...]]:
        """When each timer was started and stopped, to the microsecond: any restart would show."""
        return self.show("ActiveEnterTimestampMonotonic", "ActiveExitTimestampMonotonic")

    def next_elapse(self, timer: str) -> str:
        return self.manager.property(timer, "NextElapseUSecRealtime")

    def loaded_at(self) -> str:
        """When the manager last read its units."""
        return self.manager.systemctl("show", "--value", "--property=UnitsLoadTimestampMonotonic")

    def agent(self, script: str) -> Path:
        """Give jobs of type RSYNC an agent that runs this shell script."""
        return _executable(self.config / "agents.d/backupagentrsync", script)

    def command(self, name: str, script: str) -> Path:
        """Give jobs a user command."""
        path = _executable(self.config / "bin" / name, script)
        path.parent.chmod(0o755)
        return path

    def history(self) -> list[dict[str, Any]]:
        """All finished runs, oldest first."""
        with contextlib.closing(sqlite3.connect(self.state / "history.sqlite")) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'run'").fetchall():
                return []
            rows = database.execute("SELECT document FROM run ORDER BY started, id").fetchall()
        return [json.loads(document) for (document,) in rows]

    def all_reports(self, kind: str = "*") -> list[dict[str, Any]]:
        """The reports of that kind that wait in the spool or were archived, oldest first; each is valid."""
        spool = self.state / "spool"
        while True:
            paths = [*spool.glob(f"Messages/{kind}-*.json"), *spool.glob(f"Archive/*/{kind}-*.json")]
            try:
                texts = {path.name: path.read_text() for path in paths}
            except FileNotFoundError:
                continue  # was archived meanwhile
            return [valid_report(name, text) for name, text in sorted(texts.items())]

    def reports(self) -> list[dict[str, Any]]:
        """The runs that job-finished reports tell about."""
        self.all_reports()
        return [report["run"] for report in self.all_reports("JF")]


def _trace(path: Path) -> Trace:
    status = path.lstat()
    if path.is_symlink():
        content = f"-> {os.readlink(path)}"
    else:
        content = "directory" if path.is_dir() else path.read_text(errors="backslashreplace")
    return Trace(content, status.st_ino, status.st_ctime_ns)


def _executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def cncopctl(cncop: Installation, *words: str, status: int = 0) -> str:
    """What a command says, which is to end with `status`."""
    done = cncop.manager.run(CNCOPCTL, *words, "--user", check=False)
    assert done.returncode == status, f"{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def read_units(manager: UserManager, units: Iterable[str], properties: Sequence[str]) -> dict[str, Any]:
    """Properties of units as D-Bus has them, by unit and by property, in one connection."""
    request = json.dumps({"units": list(units), "properties": list(properties)})
    return dict(json.loads(manager.run(sys.executable, READ_UNITS, input=request).stdout))
