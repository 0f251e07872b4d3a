"""Logs of runs: whose they are, how the runs ended, and following one that has not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import LogLine, parse_begin, parse_end, parse_line
from cncopctl.core.outcome import Outcome
from cncopctl.edges.inotify import Watch
from cncopctl.edges.run_files import RunFiles, unclosed
from cncopctl.edges.run_log import LogReader, both_ends, is_in_use, logs_by_day

# How long nothing may happen until it is asked whether the run is still there.
_PATIENCE = 10.0
# How long a service that has been started may not have come to its run.
_MOMENT = 1.0


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run as its log tells it; `job` and `run` are "" where the log does not tell.

    `ended` and `outcome` are None while it lasts (`is_open`), where it is yet to be closed though nothing of it
    is alive (`is_left`), and where nobody closed it.
    """

    path: Path
    run: str
    job: str
    title: str
    began: datetime | None
    ended: datetime | None
    outcome: Outcome | None
    phrase: str
    is_open: bool = False
    is_left: bool = False

    def end_sentence(self) -> str:
        """How it ended, in words."""
        if self.outcome:
            return f"{self.outcome} {self.phrase}"
        if self.is_open:
            return "is running"
        if self.is_left:
            return "has ended, and is not closed yet: cncop-recover.service does that within the hour"
        return "was never closed: the machine or its manager went down in it"


def logs_of_day(layout: Layout, jobs: Collection[str], days_ago: int) -> tuple[date | None, list[LoggedRun]]:
    """The runs of the last day of which there are logs, or of the `days_ago`th before it, and that day.

    Days without logs do not count (cncop-facts: the watcher's --daysago); with `jobs`, only theirs do.

    Raises:
        InstallError: the logs cannot be read.
    """
    with _readable():
        found = islice(_days(layout, jobs), days_ago, None)
        return next(found, (None, []))


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: {error.strerror}"
        raise InstallError(what, "try again with sudo, or with --user for jobs of your own") from error


def _days(layout: Layout, jobs: Collection[str]) -> Iterator[tuple[date, list[LoggedRun]]]:
    still_open = unclosed(layout.runs)
    for day, names in logs_by_day(layout.logs).items():
        logged = [_logged(layout.logs / name, still_open) for name in names]
        if chosen := [run for run in logged if run and (not jobs or run.job in jobs)]:
            yield day, chosen


def _logged(path: Path, still_open: Collection[str]) -> LoggedRun | None:
    try:
        first, last = both_ends(path)
    except FileNotFoundError:
        return None  # it has just been pruned
    line = parse_line(first)
    run, job, title = (parse_begin(line) if line else None) or ("", "", "")
    began = line.at if line else None
    for text in reversed(last):
        if (end := parse_line(text)) and (told := parse_end(end)) and told[0] == job:
            return LoggedRun(path, run, job, title, began, end.at, told[1], told[2])
    alive = run in still_open and is_in_use(path)
    return LoggedRun(
        path, run, job, title, began, None, None, "", is_open=alive, is_left=run in still_open and not alive
    )


def runs_by_id(layout: Layout, beginning: str) -> list[LoggedRun]:
    """The runs whose ids begin so, of all logs, the newest first.

    Raises:
        InstallError: the logs cannot be read.
    """
    with _readable():
        return [
            run for _, runs in _days(layout, ()) for run in reversed(runs) if run.run.startswith(beginning)
        ]


def lines_of(path: Path) -> Iterator[LogLine | str]:
    """The lines of a log; a text where it is no line of ours.

    Raises:
        InstallError: it cannot be read.
    """
    with _readable(), LogReader(path) as reader:
        yield from (parse_line(line) or line for line in reader.lines())


def open_runs(layout: Layout, jobs: Collection[str]) -> dict[str, str]:
    """The runs that have not been closed, of `jobs` if any are named: ids with their jobs."""
    return {run: job for run, job in unclosed(layout.runs).items() if not jobs or job in jobs}


def wait_for_run(layout: Layout, job: str, is_alive: Callable[[], bool]) -> dict[str, str]:
    """The job's run that has not been closed, also where its service has only just been started; {} for none.

    Raises:
        InstallError: it cannot be waited for.
    """
    with _readable(), Watch() as watch:
        while not (found := open_runs(layout, [job])) and is_alive():
            places = [layout.runs, *layout.runs.iterdir()] if layout.runs.is_dir() else [layout.state]
            for place in places:
                watch.add(place)
            if not open_runs(layout, [job]):
                watch.wait(_MOMENT)
        return found


def follow(
    layout: Layout, run_id: str, is_alive: Callable[[], bool], patience: float = _PATIENCE
) -> Iterator[LogLine | str]:
    """Yield the lines of a run as they are written, and end with it: when it is closed, and its files are gone.

    `is_alive` is asked, where nothing has happened for a while, whether anything is still there to close it.

    Raises:
        InstallError: it cannot be followed.
    """
    directory = layout.runs / run_id
    with _readable(), Watch() as watch:
        for place in (layout.runs, directory):
            watch.add(place)
        path = _wait_for_log(layout, run_id, watch, is_alive, patience)
        if path is None:
            return
        watch.add(path)
        with LogReader(path) as reader:
            is_over = False
            while not is_over:
                is_over = not directory.exists()
                yield from (parse_line(line) or line for line in reader.lines(is_complete=is_over))
                is_over = is_over or (not watch.wait(patience) and not is_alive())
            yield from (parse_line(line) or line for line in reader.lines())


def _wait_for_log(
    layout: Layout, run_id: str, watch: Watch, is_alive: Callable[[], bool], patience: float
) -> Path | None:
    """The log of a run, which has none before it has its turn; None where it ends without."""
    while (layout.runs / run_id).exists():
        with contextlib.suppress(OSError):
            if log := RunFiles(layout.runs, run_id).read_run().get("log"):
                return Path(str(log))
        if not watch.wait(patience) and not is_alive():
            return None
    return None
