"""The history: every run that has ended, in SQLite."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from cncopctl.core.run import Run

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, started TEXT NOT NULL, outcome TEXT NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS run_of_job ON run (job, started);
"""


class History:
    """The database of finished runs; it is made when the first run is added."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, run: Run) -> None:
        """Keep `run`; adding it once more changes nothing, so that a close may be repeated.

        Raises:
            OSError: the database cannot be written.
        """
        row = (run.id, run.job, run.started.isoformat(), run.outcome, json.dumps(run.document()))
        with self._open("rwc") as database:
            database.executescript(_SCHEMA)
            database.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?)", row)
            database.commit()

    def find(self, run_id: str) -> Run | None:
        """The run of that id."""
        found = self._select("WHERE id = ?", run_id)
        return found[0] if found else None

    def since(self, job_id: str, started: datetime) -> Run | None:
        """The last run of the job that began at `started` or later."""
        condition = "WHERE job = ? AND started >= ? ORDER BY started DESC LIMIT 1"
        found = self._select(condition, job_id, started.astimezone(UTC).isoformat())
        return found[0] if found else None

    def has_run_since(self, job_id: str, started: datetime) -> bool:
        """Whether a run of the job that was not skipped began at `started` or later."""
        condition = "WHERE job = ? AND started >= ? AND outcome != 'SKIPPED' LIMIT 1"
        return bool(self._select(condition, job_id, started.astimezone(UTC).isoformat()))

    def last_runs(self) -> dict[str, Run]:
        """The last run of each job that was not skipped, by job."""
        newest = "WHERE outcome != 'SKIPPED' GROUP BY job HAVING started = max(started)"
        return {run.job: run for run in self._select(newest)}

    def usual_durations(self, last: int = 30) -> dict[str, timedelta]:
        """How long runs take, by job: the median of the last ones that were OK."""
        of_job = "row_number() OVER (PARTITION BY job ORDER BY started DESC)"
        recent = f"SELECT id FROM (SELECT id, {of_job} AS age FROM run WHERE outcome = 'OK') WHERE age <= ?"  # noqa: S608 - ours
        durations: dict[str, list[float]] = {}
        for run in self._select(f"WHERE id IN ({recent})", last):
            if run.ended:
                durations.setdefault(run.job, []).append((run.ended - run.started).total_seconds())
        return {job: timedelta(seconds=median(taken)) for job, taken in durations.items()}

    def _select(self, condition: str, *values: str | int) -> list[Run]:
        if not self._path.exists():
            return []
        with self._open("rw") as database:
            rows = database.execute(f"SELECT document FROM run {condition}", values).fetchall()  # noqa: S608 - ours
        return [Run.from_document(json.loads(row[0])) for row in rows]

    @contextlib.contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(f"file:{_escaped(self._path)}?mode={mode}", uri=True, timeout=30)
            with contextlib.closing(database):
                yield database
        except sqlite3.Error as error:
            raise OSError(None, f"the history cannot be used: {error}", str(self._path)) from error


def _escaped(path: Path) -> str:
    """`path` for a URI of SQLite (sqlite.org/uri.html)."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
