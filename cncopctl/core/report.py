"""Reports: what a run tells the hub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cncopctl.core.run import Run

VERSION = 1


def finished_report(run: Run) -> dict[str, Any]:
    """The job-finished report of a run that has ended; one report has one id, by which the hub takes it once."""
    return {"report": VERSION, "kind": "JF", "id": f"JF-{run.id}", "run": run.document()}


def report_name(kind: str, run_id: str, at: datetime) -> str:
    """Name of the report's file: `PREFIX-<time>-<run id>.json`, the time in UTC so that names sort by age."""
    return f"{kind}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{run_id}.json"
