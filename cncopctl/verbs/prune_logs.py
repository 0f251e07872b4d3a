"""Removing old logs at the end of a run, as many days of them as cncop3.ini says are kept."""

from __future__ import annotations

from pathlib import Path

from cncopctl.core.errors import CncopError
from cncopctl.core.layout import Layout
from cncopctl.edges.run_log import prune_logs


def prune(layout: Layout, days: int) -> str:
    """Remove logs older than `days`; what there is to say about it. It is no reason for a run to fail.

    Besides logs in use, that of each installed job's last failure stays: it is what somebody comes back for.
    """
    try:
        removed = prune_logs(layout.logs, days, lambda: _last_failures(layout))
    except CncopError as error:
        return f"old logs are not removed: {error.message}"
    except OSError as error:
        return f"old logs are not removed: {error.filename or layout.logs}: {error.strerror}"
    return f"{len(removed)} old logs were removed" if removed else ""


def _last_failures(layout: Layout) -> frozenset[str]:
    from cncopctl.edges.history import History  # only when a log is old enough

    installed = {path.stem for path in layout.compiled_jobs.glob("*.toml")}
    failures = History(layout.history).last_failures()
    return frozenset(Path(run.log).name for job, run in failures.items() if job in installed)
