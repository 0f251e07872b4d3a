"""From the table of a job without faults to the job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cncopctl.core.configuration import Configuration
from cncopctl.core.guard import Guard
from cncopctl.core.job import (
    Commands,
    Direction,
    Drill,
    Job,
    JobType,
    Limits,
    Notification,
    Priority,
    Retention,
    TranslatedSchedule,
)
from cncopctl.core.remote_places import as_url
from cncopctl.core.spans import parse_size, parse_span, restic_span


def job_from_table(
    file: str,
    table: Mapping[str, Any],
    schedules: tuple[TranslatedSchedule, ...],
    settings: Configuration,
) -> Job:
    """The job that `table` describes; its destination is filled in."""
    return Job(
        id=table["id"],
        title=table.get("title", table["id"]),
        description=table.get("description", ""),
        type=JobType(table["type"]),
        direction=Direction(table.get("direction", "PULL")),
        enabled=table.get("enabled", True),
        schedules=schedules,
        catch_up=table.get("catch_up", True),
        random_delay=parse_span(table.get("random_delay", "0")),
        source=as_url(table["type"], table["source"]),
        destination=as_url(table["type"], table["destination"]),
        exclude=tuple(table.get("exclude", ())),
        credential=table.get("credential", ""),
        max_retries=table.get("max_retries", 3),
        retry_interval=parse_span(table.get("retry_interval", "1m")),
        timeout=parse_span(table.get("timeout", "1d")),
        commands=Commands(
            table.get("run_before", ""),
            table.get("run_after_success", ""),
            table.get("run_after_failure", ""),
            parse_span(table.get("command_timeout", "1h")),
        ),
        keep=_retention(table.get("keep", settings.repository.keep)),
        limits=_limits(table.get("limits", {})),
        priority=Priority(table.get("priority", "low")),
        file=file,
        notify=_notification(table.get("notify")),
        guard=Guard.from_written(table.get("guard", {})),
        drill=_drill(table),
    )


def _retention(table: Mapping[str, Any]) -> Retention:
    return Retention(**{**table, "within": restic_span(table.get("within", ""))})


def _drill(table: Mapping[str, Any]) -> Drill:
    age = parse_span(table["max_age"]) if "max_age" in table else None
    return Drill(table.get("sample"), age, table.get("min_files"))


def _notification(table: Mapping[str, Any] | None) -> Notification | None:
    if table is None:
        return None
    to, on = table["to"], table.get("on", ["failure", "recovery"])
    return Notification(
        to=tuple(dict.fromkeys([to] if isinstance(to, str) else to)),
        on=tuple(dict.fromkeys([on] if isinstance(on, str) else on)),
    )


def _limits(table: Mapping[str, Any]) -> Limits:
    sizes = {key: parse_size(table[key]) for key in ("memory", "bandwidth") if key in table}
    return Limits(cpu=table.get("cpu"), io_weight=table.get("io_weight"), **sizes)
