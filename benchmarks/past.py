"""What a long past costs: looking back over 1,000 jobs, 100,000 runs and 10,000 logs; and what an agent may say.

python benchmarks/past.py [--jobs 1000] [--days 100] [--logs 10000]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tomli_w

from cncopctl.core.layout import Layout
from cncopctl.core.log_line import Level, LogLine, begin_text, end_text
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.edges.history import History
from cncopctl.edges.run_log import RunLog
from cncopctl.verbs.prune_logs import prune

NOW = datetime.now(UTC)
COMMANDS = (
    "check-backups",
    "check-backups j7",
    "status",
    "why j7",
    "history",
    "history j7 --failed",
    "jobs",
    "logs",
    "logs j7",
)
# What no agent should say, and how much of it.
SAID = {
    "1 GB without an end": "head -c 1000000000 /dev/zero",
    "20 MB of noise": "head -c 20000000 /dev/urandom",
    "1,000,000 lines": "seq 1 1000000",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--logs", type=int, default=10_000)
    options = parser.parse_args(sys.argv[1:] if __name__ == "__main__" else [])
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout.directory(Path(directory))
        prepare(layout, options.jobs, options.days, options.logs)
        for words in COMMANDS:
            report(f"cncopctl {words}", [sys.executable, "-m", "cncopctl.cli.main", *words.split()], layout)
        before = time.process_time()
        prune(layout, 36500)
        print(f"{'pruning that finds nothing':32} {(time.process_time() - before) * 1e3:7.1f} ms of CPU")
        before = time.perf_counter()
        History(layout.history).add(run("j0", NOW, "last"))
        print(f"{'adding a run, durably':32} {(time.perf_counter() - before) * 1e3:7.1f} ms")
        for what, script in SAID.items():
            write_agent(layout, script)
            dispatcher = [sys.executable, "-I", "-m", "cncopctl.dispatcher"]
            report(what, [*dispatcher, f"--root={layout.units.parent}", "run", "j0"], None)
    return 0


def prepare(layout: Layout, jobs: int, days: int, logs: int) -> None:
    for place in (layout.compiled_jobs, layout.logs, layout.runs, layout.messages, layout.run):
        place.mkdir(parents=True, exist_ok=True)
    for number in range(jobs):
        (layout.compiled_jobs / f"j{number}.toml").write_text(compiled(layout, number))
    History(layout.history).add(run("j0", NOW - timedelta(days=days), "first"))
    past = past_runs(jobs, days)
    rows = ((each.id, each.job, each.started.isoformat(), "OK", json.dumps(each.document())) for each in past)
    with contextlib.closing(sqlite3.connect(layout.history)) as database:
        database.executemany(
            "INSERT INTO run (id, job, started, outcome, document) VALUES (?, ?, ?, ?, ?)", rows
        )
        database.commit()
    for number in range(logs):
        began = NOW - timedelta(minutes=10 * number)
        log = RunLog.create(layout.logs, began)
        texts = (
            begin_text(f"r{number}", f"j{number % jobs}", "x"),
            end_text(f"j{number % jobs}", Outcome.OK, "fine"),
        )
        log.write(LogLine(began, Level.INFO, "cncop", text) for text in texts)
        log.close()


def compiled(layout: Layout, number: int) -> str:
    values = {
        "id": f"j{number}",
        "title": f"job {number}",
        "type": "RSYNC",
        "direction": "PULL",
        "catch_up": True,
    }
    document = {
        "compiled": 1,
        "agent": str(layout.state / "agent"),
        "role": "LOCAL",
        "schedules": [{"text": f"{number % 60} {number % 24} * * *", "zone": "Europe/Berlin"}],
        "schedule_since": datetime(2020, 1, 1, tzinfo=UTC),
        "job": {**values, "max_retries": 0, "retry_interval": 60, "timeout": 3600},
    }
    return tomli_w.dumps(document)


def past_runs(jobs: int, days: int) -> Iterator[Run]:
    for day in range(days):
        for number in range(jobs):
            began = NOW - timedelta(days=day, minutes=number)
            yield run(f"j{number}", began, f"{day}-{number}")


def run(job: str, began: datetime, run_id: str) -> Run:
    return Run(
        run_id,
        job,
        job,
        began,
        ended=began + timedelta(minutes=3),
        outcome=Outcome.OK,
        phrase="1,204 files, 1.2 GiB; 3 changed",
        attempts=1,
        files=1204,
        bytes=1_288_490_188,
    )


def write_agent(layout: Layout, script: str) -> None:
    agent = layout.state / "agent"
    agent.write_text(f"#!/bin/sh\n{script} >&2\n")
    agent.chmod(0o755)


def report(what: str, argv: list[str], layout: Layout | None) -> None:
    """Run a command; how long it took, the CPU time of it and its children, and the most memory that it had."""
    words = [*argv, "--root", str(layout.units.parent)] if layout else argv
    begun = time.perf_counter()
    environment = {**os.environ, "INVOCATION_ID": f"run{begun}"}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, _, used = os.wait4(process.pid, 0)
    took, cpu = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    print(
        f"{what:32} {took * 1e3:7.0f} ms {cpu * 1e3:7.0f} ms of CPU {used.ru_maxrss / 1024:5.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
