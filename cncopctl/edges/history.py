"""The history: every run that has ended, in SQLite.

A run is in it when `add` has returned, also after a power cut (PRAGMA synchronous=EXTRA, sqlite.org/pragma.html).
While the database cannot be used, runs wait in a directory beside it, and the next one that is added to a good
database takes them along.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cncopctl.core.errors import InstallError
from cncopctl.core.run import Run

# Steps from each version of the database to the next; PRAGMA user_version counts those that were taken. The
# first version did not count yet, and its table is there already.
_STEPS = (
    """CREATE TABLE IF NOT EXISTS run (
        id TEXT PRIMARY KEY, job TEXT NOT NULL, started TEXT NOT NULL, outcome TEXT NOT NULL, document TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS run_of_job ON run (job, started)",
    "CREATE INDEX run_by_time ON run (started)",
    "CREATE INDEX failed_run ON run (job, started) WHERE outcome NOT IN ('OK', 'SKIPPED')",
)
_INSERT = "INSERT OR REPLACE INTO run (id, job, started, outcome, document) VALUES (?, ?, ?, ?, ?)"
_FAILED = "outcome NOT IN ('OK', 'SKIPPED')"
_WAITING = "unrecorded"
_KNOWN = frozenset(field.name for field in fields(Run))
_PATIENCE = 30.0
_AHEAD = timedelta(hours=1)
_DAY = len("2026-11-20")
_OLDEST_DAY = "SELECT DISTINCT substr(started, 1, 10) AS day FROM run ORDER BY day DESC LIMIT 1 OFFSET ?"
_DELETE_OLD = """DELETE FROM run WHERE started < ? AND rowid NOT IN (
    SELECT number FROM (
        SELECT rowid AS number, row_number() OVER (PARTITION BY job, outcome ORDER BY started DESC) AS place
        FROM run WHERE started <= ?
    ) WHERE place = 1
)"""


class History:
    """The database of finished runs; it is made when the first run is added.

    Raises:
        InstallError: from every method that reads, where the database cannot be used.
    """

    def __init__(self, path: Path, *, patience: float = _PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._waiting = path.with_name(_WAITING)

    def add(self, run: Run, days: int | None = None) -> str:
        """Keep `run`; adding it once more changes nothing, so that a close may be repeated.

        With `days`, runs that are older are removed, once for each day on which anything runs: see `_forget`.

        Returns what is wrong with the database, "" where nothing is: the run then waits beside it.

        Raises:
            OSError: it cannot be kept at all.
        """
        try:
            with self._open("rwc") as database:
                self._migrate(database)
                is_new_day = days is not None and _is_first_of_its_day(database, run)
                taken = [waiting for waiting in self._kept_aside() if _insert(database, waiting[1])]
                _insert(database, run.document())
                if days is not None and is_new_day:
                    _forget(database, days)
                database.commit()
        except InstallError as error:
            _write_durably(self._waiting / f"{run.id}.json", json.dumps(run.document()))
            return f"{error.message}; the run is kept in {self._waiting}: {error.hint}"
        for path, _ in taken:
            path.unlink(missing_ok=True)
        return ""

    def unrecorded(self) -> list[Path]:
        """The runs that wait to be taken in, one file for each."""
        return sorted(self._waiting.glob("[!.]*.json")) if self._waiting.is_dir() else []

    def find(self, beginning: str) -> list[Run]:
        """The runs whose ids begin so, newest first."""
        return self._select("WHERE substr(id, 1, ?) = ? ORDER BY started DESC", len(beginning), beginning)

    def runs(
        self,
        jobs: Sequence[str] = (),
        *,
        failed: bool = False,
        since: datetime | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Runs, newest first: of `jobs` if any are named, that `failed`, that began at `since` or later."""
        condition = f"WHERE started >= ?{_among(jobs)}{f' AND {_FAILED}' if failed else ''}"
        order = f"ORDER BY started DESC, id LIMIT {int(limit)}"
        return self._select(f"{condition} {order}", _text(since) if since else "", *jobs)

    def since(self, job_id: str, started: datetime) -> Run | None:
        """The last run of the job that began at `started` or later."""
        condition = "WHERE job = ? AND started BETWEEN ? AND ? ORDER BY started DESC LIMIT 1"
        found = self._select(condition, job_id, _text(started), _soon())
        return found[0] if found else None

    def has_run_since(self, job_id: str, started: datetime) -> bool:
        """Whether a run of the job that was not skipped began at `started` or later."""
        condition = "WHERE job = ? AND started BETWEEN ? AND ? AND outcome != 'SKIPPED' LIMIT 1"
        return bool(self._select(condition, job_id, _text(started), _soon()))

    def before(self, run: Run, most: int = 50) -> list[Run]:
        """The job's runs that ended before `run`, newest first; those that were skipped are left out.

        In the order in which they were added, lest a clock that was set back makes the past the future.
        """
        earlier = "rowid < coalesce((SELECT rowid FROM run WHERE id = ?), 9223372036854775807)"
        condition = f"WHERE job = ? AND outcome != 'SKIPPED' AND {earlier} ORDER BY rowid DESC LIMIT ?"
        return self._select(condition, run.job, run.id, most)

    def last_runs(self, jobs: Sequence[str] = ()) -> dict[str, Run]:
        """The last run that was not skipped of each job, or of each of `jobs` if any are named, by job."""
        return self._last("outcome != 'SKIPPED'", jobs)

    def last_good_runs(self, jobs: Sequence[str] = ()) -> dict[str, Run]:
        """The last run that was OK, likewise."""
        return self._last("outcome = 'OK'", jobs)

    def last_skipped_runs(self, jobs: Sequence[str] = ()) -> dict[str, Run]:
        """The last run that was skipped, likewise."""
        return self._last("outcome = 'SKIPPED'", jobs)

    def last_failures(self, jobs: Sequence[str] = ()) -> dict[str, Run]:
        """The last run that failed, likewise."""
        return self._last(_FAILED, jobs)

    def usual_durations(self, last: int = 30, jobs: Sequence[str] = ()) -> dict[str, timedelta]:
        """How long runs take, likewise: the median of the `last` ones that were OK."""
        from statistics import median  # only forecasts want it

        of_job = "row_number() OVER (PARTITION BY job ORDER BY started DESC)"
        good = f"SELECT id, {of_job} AS age FROM run WHERE outcome = 'OK'{_among(jobs)}"  # noqa: S608 - ours
        recent = f"SELECT id FROM ({good}) WHERE age <= ?"  # noqa: S608 - ours
        durations: dict[str, list[float]] = {}
        for run in self._select(f"WHERE id IN ({recent})", *jobs, last):
            if run.ended:
                durations.setdefault(run.job, []).append((run.ended - run.started).total_seconds())
        return {job: timedelta(seconds=median(taken)) for job, taken in durations.items()}

    def _last(self, condition: str, jobs: Sequence[str]) -> dict[str, Run]:
        newest = (
            f"WHERE started <= ? AND {condition}{_among(jobs)} GROUP BY job HAVING started = max(started)"
        )
        return {run.job: run for run in self._select(newest, _soon(), *jobs)}

    def _select(self, condition: str, *values: str | int) -> list[Run]:
        if not self._is_there():
            return []
        with self._open("rw") as database:
            try:
                rows = database.execute(f"SELECT document FROM run {condition}", values).fetchall()  # noqa: S608 - ours
            except sqlite3.OperationalError:
                if _is_empty(database):
                    return []
                raise
        return [_run(json.loads(row[0])) for row in rows]

    def _is_there(self) -> bool:
        try:
            self._path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InstallError(f"{self._path}: {error.strerror}", "try again with sudo") from error
        return True

    @contextlib.contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        name = f"file:{_escaped(self._path)}?mode={mode}"
        try:
            database = sqlite3.connect(name, uri=True, timeout=self._patience, isolation_level=None)
            with contextlib.closing(database):
                database.execute("PRAGMA synchronous = EXTRA")
                if mode == "rwc":
                    self._share()
                yield database
        except sqlite3.Error as error:
            raise InstallError(
                f"{self._path}: the history cannot be used: {error}", self._hint(error)
            ) from error

    def _hint(self, error: sqlite3.Error) -> str:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"another program has it locked: fuser -v {self._path}"
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return f"move it away, and a new one is begun: mv {self._path} {self._path}.damaged"
        return "is the disk full, or is somebody missing rights? try again with sudo"

    def _migrate(self, database: sqlite3.Connection) -> None:
        """Begin to write, having brought the database to the present version."""
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        for step in _STEPS[version:]:
            database.execute(step)
        if version < len(_STEPS):
            database.execute(f"PRAGMA user_version = {len(_STEPS)}")

    def _share(self) -> None:
        """Let the group read it if its directory is that group's by the set-group-ID bit; a journal follows it."""
        if self._path.parent.stat().st_mode & stat.S_ISGID:
            self._path.chmod(0o640)

    def _kept_aside(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for path in self.unrecorded():
            with contextlib.suppress(OSError, ValueError):
                yield path, json.loads(path.read_bytes())


def _among(jobs: Sequence[str]) -> str:
    return f" AND job IN ({', '.join('?' * len(jobs))})" if jobs else ""


def _insert(database: sqlite3.Connection, document: dict[str, Any]) -> bool:
    """Whether the document is that of a run, which is in the database now."""
    try:
        run = _run(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    row = (run.id, run.job, _text(run.started), str(run.outcome), json.dumps(document))
    database.execute(_INSERT, row)
    return True


def _is_first_of_its_day(database: sqlite3.Connection, run: Run) -> bool:
    (newest,) = database.execute("SELECT max(started) FROM run").fetchone()
    return bool(newest) and newest[:_DAY] != _text(run.started)[:_DAY]


def _forget(database: sqlite3.Connection, days: int) -> None:
    """Remove what began before the newest `days` days on which anything ran, but for the last of each outcome.

    Days are counted, not dated: a clock that is years ahead for an hour costs one day, not all that was kept. The
    file does not shrink: what is free in it is used again (sqlite.org/lang_vacuum.html).
    """
    if oldest := database.execute(_OLDEST_DAY, (days - 1,)).fetchone():
        database.execute(_DELETE_OLD, (oldest[0], _soon()))


def _run(document: dict[str, Any]) -> Run:
    """The run, without what a later version of this program may have noted of it."""
    return Run.from_document({key: value for key, value in document.items() if key in _KNOWN})


def _text(at: datetime) -> str:
    """An instant as the database has it: texts sort as their times do."""
    return at.astimezone(UTC).isoformat()


def _soon() -> str:
    """Runs that begin later are none of the present: a clock that was far ahead would hide all that come after."""
    return _text(datetime.now(UTC) + _AHEAD)


def _is_empty(database: sqlite3.Connection) -> bool:
    """Whether nothing was ever written to it: made, and then the power went."""
    return not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'run'").fetchall()


def _escaped(path: Path) -> str:
    """`path` for a URI of SQLite (sqlite.org/uri.html)."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _write_durably(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
