"""From parsed profile documents to a profile: every fault of every document at once, or none.

The schema has seen the documents before: what arrives here has known keys and the right types, unless a
fault says otherwise about that very job. What is checked here is what a schema cannot say: ids across
files, schedules, paths, agents and commands that must exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cncopctl.core.configuration import Configuration
from cncopctl.core.faults import Fault, ProfileError, shown
from cncopctl.core.guard import Guard
from cncopctl.core.host import Host
from cncopctl.core.job import (
    Commands,
    Direction,
    Drill,
    Job,
    JobType,
    Limits,
    Notification,
    Priority,
    Profile,
    Retention,
    Role,
    TranslatedSchedule,
)
from cncopctl.core.schedule import ScheduleError, Seed, parse, translate
from cncopctl.core.spans import parse_size, parse_span, restic_span
from cncopctl.core.unit_text import refusal

if TYPE_CHECKING:
    from cncopctl.core.calendars import Blackout, Calendar

# What the units' TimeoutStartSec= and the dispatcher's arithmetic are meant for.
_LONGEST_SPAN = timedelta(days=366)
# MemoryMax= takes 64 bits (systemd.resource-control(5)), and so do the engines.
_LARGEST_SIZE = 2**63 - 1
# NAME_MAX and PATH_MAX without its closing zero (limits.h); systemd refuses what is longer.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095

_TEXTS = ("title", "description", "source", "destination", "credential")


@dataclass(frozen=True, slots=True)
class Document:
    """One profile file: its name as messages show it, its values, and what the schema says of it."""

    file: str
    values: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What has been read so far, in order."""

    host: Host
    repositories: PurePosixPath
    settings: Configuration
    calendars: Mapping[str, Calendar | None] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def job_label(table: Any, number: int) -> str:
    """How a message names the job: by its id in quotes, or `#3` where it has none that can be shown."""
    job_id = table.get("id") if isinstance(table, dict) else None
    return shown(job_id) if isinstance(job_id, str) and job_id else f"#{number}"


def build_profile(
    documents: Sequence[Document],
    host: Host,
    repositories: PurePosixPath,
    calendar_files: Mapping[str, str | Fault] | None = None,
    configuration: Configuration | ProfileError | None = None,
) -> Profile:
    """The profile that `documents` describe, in their order.

    Args:
        documents: the hub's profile and the administrator's own, each with the schema's faults.
        host: the machine that the jobs are for.
        repositories: where a PULL job that names no destination keeps its backups, under its id.
        calendar_files: texts of the files that calendars may name, or why they cannot be read.
        configuration: the settings of cncop3.ini, or what is wrong with them.

    Raises:
        ProfileError: with every fault of every document.
    """
    settings = configuration if isinstance(configuration, Configuration) else Configuration()
    reading = _Reading(host, PurePosixPath(settings.repository.directory or repositories), settings)
    if isinstance(configuration, ProfileError):
        reading.faults += configuration.faults
    if any("calendar" in document.values for document in documents):
        from cncopctl.core.calendar_tables import read_calendars  # most profiles have none

        reading.calendars, faults = read_calendars(documents, host, calendar_files or {})
        reading.faults += faults
    for document in documents:
        _read_document(document, reading)
    if reading.faults:
        raise ProfileError(reading.faults)
    return Profile(_role(documents), reading.jobs, settings)


def _role(documents: Iterable[Document]) -> Role:
    roles = [document.values.get("device", {}).get("role") for document in documents]
    return Role(next((role for role in roles if role), Role.LOCAL))


def _read_document(document: Document, reading: _Reading) -> None:
    reading.faults += document.faults
    faulty = {fault.job for fault in document.faults}
    tables = document.values.get("job", [])
    for number, table in enumerate(tables if isinstance(tables, list) else [], 1):
        label = job_label(table, number)
        _note_id(document.file, label, table, reading)
        if label not in faulty:
            _read_job(document.file, label, table, reading)


def _note_id(file: str, label: str, table: Any, reading: _Reading) -> None:
    job_id = table.get("id") if isinstance(table, dict) else None
    if not isinstance(job_id, str):
        return
    if first := reading.seen.get(job_id):
        where = "earlier in this file" if first == file else f"in {first}"
        reading.faults.append(
            Fault(file, f"the id is taken already, {where}", "give each job an id of its own", label, "id")
        )
    reading.seen.setdefault(job_id, file)


def _read_job(file: str, label: str, table: Mapping[str, Any], reading: _Reading) -> None:
    faults = [
        Fault(file, what, remedy, label, key)
        for key, what, remedy in (
            *_text_faults(table),
            *_span_faults(table),
            *_size_faults(table),
            *_place_faults(table),
            *_path_faults(table),
            *_agent_faults(table, reading.host),
            *_command_faults(table, reading.host),
            *_credential_faults(table, reading.host),
            *_effect_faults(table),
        )
    ]
    schedules = _schedules(file, label, table, reading.host, faults)
    blackout = _blackout(file, label, table, reading, faults)
    reading.faults += faults
    if not faults and table["id"] not in reading.jobs:
        job = _job(file, table, schedules, reading)
        reading.jobs[table["id"]] = replace(job, blackout=blackout) if blackout else job


def _text_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    excluded = [("exclude", pattern) for pattern in table.get("exclude", [])]
    for key, value in [(key, table[key]) for key in _TEXTS if key in table] + excluded:
        if reason := refusal(value):
            yield key, reason, "leave that character out"


def _span_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in ("timeout", "retry_interval", "random_delay", "max_age"):
        text = table.get(key, "1s")
        span = _span(text)
        if span > _LONGEST_SPAN:
            yield key, f"{shown(text)} is longer than a year", f'write a shorter span, as in {key} = "6h"'
        if not span and key == "timeout":
            yield (
                key,
                "a run without any time cannot do anything",
                'write how long a run may take, as in timeout = "6h"',
            )


def _span(text: str) -> timedelta:
    try:
        return parse_span(text)
    except OverflowError:
        return timedelta.max


def _size_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in ("memory", "bandwidth"):
        text = table.get("limits", {}).get(key, "1")
        if parse_size(text) > _LARGEST_SIZE:
            what = f"{shown(text)} is more than any machine has"
            yield f"limits.{key}", what, f'write a smaller size, as in {key} = "2G"'


def _place_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if table.get("direction", "PULL") == "PUSH":
        if "destination" not in table:
            yield (
                "destination",
                "is missing, and a PUSH job needs one",
                'write where the copy goes, as in destination = "backup@store:/srv/www"',
            )
        return
    destination = table.get("destination", "/unset")
    if not destination.startswith("/"):
        yield (
            "destination",
            f"{shown(destination)} is not an absolute path",
            'write the whole path of a directory of this machine, as in destination = "/srv/backup/web-01"',
        )


def _path_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Paths of this machine stand in units, where systemd takes only those that are normalized."""
    for key in ("source", "destination"):
        path = table.get(key, "")
        if not path.startswith("/"):
            continue
        parts = PurePosixPath(path).parts
        if ".." in parts:
            yield key, f'{shown(path)} has ".." in it', "write the path that it leads to"
        longest = max(len(part.encode()) for part in parts)
        if longest > _LONGEST_NAME or len(path.encode()) > _LONGEST_PATH:
            what = f"{shown(path)} is longer than Linux allows"
            yield key, what, "255 bytes for each name and 4095 for the whole path are the most"


def _agent_faults(table: Mapping[str, Any], host: Host) -> Iterator[tuple[str, str, str]]:
    if JobType(table["type"]).agent() not in host.agents:
        installed = [kind for kind in JobType if kind.agent() in host.agents]
        yield (
            "type",
            f"no agent for {table['type']} is installed ({JobType(table['type']).agent()})",
            f"installed are the agents for: {', '.join(installed) or 'no type at all'}",
        )


def _command_faults(table: Mapping[str, Any], host: Host) -> Iterator[tuple[str, str, str]]:
    for key in ("run_before", "run_after_success", "run_after_failure"):
        if key in table and (reason := host.commands.get(table[key], "there is no such file")):
            yield (
                key,
                f"{shown(table[key])}: {reason}",
                "user commands are executable files in the bin directory beside the profile, "
                "which only root (or, for a user's jobs, that user) can write",
            )


def _credential_faults(table: Mapping[str, Any], host: Host) -> Iterator[tuple[str, str, str]]:
    name = table.get("credential")
    if name and name not in host.credentials:
        yield "credential", f"{shown(name)} is not stored", f"store it with: cncopctl credential set {name}"


def _schedules(
    file: str, label: str, table: Mapping[str, Any], host: Host, faults: list[Fault]
) -> tuple[TranslatedSchedule, ...]:
    written = table["schedule"] if isinstance(table["schedule"], list) else [table["schedule"]]
    seed = Seed(host.machine_id, str(table["id"]))
    parsed = []
    for number, spec in enumerate(written, 1):
        key = "schedule" if len(written) == 1 else f"schedule {number}"
        try:
            schedule = parse(spec, zone=table.get("timezone", host.zone), seed=seed)
            parsed.append(TranslatedSchedule(spec, schedule, translate(schedule, now=host.now)))
        except ScheduleError as error:
            own_zone = isinstance(spec, dict) and "timezone" in spec
            at_fault = "timezone" if error.field == "timezone" and not own_zone else key
            fault = Fault(file, error.message, error.hint, label, at_fault)
            faults += [fault] if fault not in faults else []
    return tuple(parsed)


def _effect_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "in_blackout" in table and "blackout" not in table:
        yield (
            "in_blackout",
            "has no effect, as the job has no blackout",
            'name the calendar too, as in blackout = "holidays"',
        )


def _blackout(
    file: str, label: str, table: Mapping[str, Any], reading: _Reading, faults: list[Fault]
) -> Blackout | None:
    if "blackout" not in table:
        return None
    from cncopctl.core.calendar_tables import blackout_of

    names = table["blackout"] if isinstance(table["blackout"], list) else [table["blackout"]]
    effect = table.get("in_blackout", "drop")
    blackout, wrong = blackout_of(names, effect, reading.calendars, reading.host.now)
    faults += [Fault(file, what, remedy, label, "blackout") for what, remedy in wrong]
    return blackout


def _job(
    file: str,
    table: Mapping[str, Any],
    schedules: tuple[TranslatedSchedule, ...],
    reading: _Reading,
) -> Job:
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
        source=table["source"],
        destination=table.get("destination") or str(reading.repositories / table["id"]),
        exclude=tuple(table.get("exclude", ())),
        credential=table.get("credential", ""),
        max_retries=table.get("max_retries", 3),
        retry_interval=parse_span(table.get("retry_interval", "1m")),
        timeout=parse_span(table.get("timeout", "1d")),
        commands=Commands(
            table.get("run_before", ""),
            table.get("run_after_success", ""),
            table.get("run_after_failure", ""),
        ),
        keep=_retention(table.get("keep", reading.settings.repository.keep)),
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
