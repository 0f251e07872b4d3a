"""Removing old logs at the end of a run, as many days of them as cncop3.ini says are kept."""

from __future__ import annotations

from pathlib import Path

from cncopctl.core.configuration import Defaults
from cncopctl.core.errors import CncopError
from cncopctl.core.layout import Layout
from cncopctl.edges.run_log import prune_logs


def prune(layout: Layout) -> str:
    """Prune the logs; what kept that from being done, "" where nothing did. It is no reason for a run to fail.

    Besides logs in use, that of each installed job's last failure stays: it is what somebody comes back for.
    """
    try:
        removed = prune_logs(layout.logs, _days(layout), lambda: _last_failures(layout))
    except CncopError as error:
        return f"old logs are not removed: {error.message}"
    except OSError as error:
        return f"old logs are not removed: {error.filename or layout.logs}: {error.strerror}"
    return f"{len(removed)} old logs were removed" if removed else ""


def _days(layout: Layout) -> int:
    if not layout.settings.exists():
        return Defaults().days_of_logs
    from cncopctl.edges.configuration_file import read_configuration  # not every machine has one

    return read_configuration(layout.settings).defaults.days_of_logs


def _last_failures(layout: Layout) -> frozenset[str]:
    from cncopctl.edges.history import History  # only when a log is old enough

    installed = {path.stem for path in layout.compiled_jobs.glob("*.toml")}
    failures = History(layout.history).last_failures()
    return frozenset(Path(run.log).name for job, run in failures.items() if job in installed)
