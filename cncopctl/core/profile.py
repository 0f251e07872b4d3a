"""From parsed profile documents to a profile: every fault of every document at once, or none.

The schema has seen the documents before: what arrives here has known keys and the right types, unless a
fault says otherwise about that very job. What is checked here is what a schema cannot say: ids across
files, schedules, paths, agents and commands that must exist.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cncopctl.core.action_tables import Part, action_faults, parts_of, table_of_another
from cncopctl.core.configuration import Configuration
from cncopctl.core.faults import Fault, ProfileError, nearest, shown
from cncopctl.core.host import Host
from cncopctl.core.job import Job, Profile, TranslatedSchedule
from cncopctl.core.job_checks import Found, place_faults, run_faults
from cncopctl.core.job_tables import job_from_table
from cncopctl.core.role import Role
from cncopctl.core.schedule import ScheduleError, Seed, parse, translate

if TYPE_CHECKING:
    from cncopctl.core.calendars import Blackout, Calendar


@dataclass(frozen=True, slots=True)
class Document:
    """One profile file: its name as messages show it, its values, and what the schema says of it."""

    file: str
    values: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pending:
    """A job without faults of its own, to be built once all that its actions may be about is known."""

    file: str
    label: str
    table: Mapping[str, Any]
    parts: Sequence[Part]
    schedules: tuple[TranslatedSchedule, ...]
    blackout: Blackout | None


@dataclass(slots=True)
class _Reading:
    """What has been read so far, in order."""

    host: Host
    repositories: PurePosixPath
    settings: Configuration
    calendars: Mapping[str, Calendar | None] = field(default_factory=dict)
    pending: dict[str, _Pending] = field(default_factory=dict)
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
    jobs = {job_id: _build(pending, reading) for job_id, pending in reading.pending.items()}
    reading.faults += _clashes(reading)
    if reading.faults:
        raise ProfileError(reading.faults)
    return Profile(_role(documents), {job_id: job for job_id, job in jobs.items() if job}, settings)


def _clashes(reading: _Reading) -> Iterator[Fault]:
    """Jobs whose backups go to one directory, or into one another's: each mirror would undo the other."""
    places: dict[PurePosixPath, str] = {}
    own = [
        (pending, part, PurePosixPath(posixpath.normpath(part.table["destination"])))
        for pending in reading.pending.values()
        for part in pending.parts
        if part.is_own_backup() and part.table.get("direction", "PULL") == "PULL"
    ]
    for pending, _, place in own:
        places.setdefault(place, pending.table["id"])
    for pending, part, place in own:
        owners = {places.get(above, "") for above in (place, *place.parents)} - {"", pending.table["id"]}
        for owner in sorted(owners)[:1]:
            what = f"{shown(str(place))} is where the backups of job {shown(owner)} go already"
            remedy = "give each job a destination of its own"
            yield Fault(pending.file, what, remedy, pending.label, part.place("destination"))


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
        elif isinstance(table, dict):
            keys = [fault.key for fault in document.faults if fault.job == label]
            if "schedule" in table and not any(key.startswith(("schedule", "timezone")) for key in keys):
                reading.faults += _schedule_faults(document.file, label, table, reading.host)


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
    parts = parts_of(table, reading.repositories)
    faults: list[Fault] = []
    for key, what, remedy in _all_faults(table, parts, reading.host):
        fault = Fault(file, what, remedy, label, key)
        faults += [fault] if fault not in faults else []
    schedules = _schedules(file, label, table, reading.host, faults)
    blackout = _blackout(file, label, table, reading, faults)
    reading.faults += faults
    if not faults and table["id"] not in reading.pending:
        reading.pending[table["id"]] = _Pending(file, label, table, parts, schedules, blackout)


def _all_faults(table: Mapping[str, Any], parts: Sequence[Part], host: Host) -> Found:
    yield from run_faults(table, host)
    yield from action_faults(parts)
    for part in (part for part in parts if not part.of):
        yield from ((part.place(key), what, remedy) for key, what, remedy in place_faults(part.table, host))


def _build(pending: _Pending, reading: _Reading) -> Job | None:
    """The job, with all its actions; None where one of them is about a job that is not there."""
    tables = [_table(part, pending, reading) for part in pending.parts]
    if not all(tables):
        return None
    jobs = [
        job_from_table(pending.file, table, pending.schedules, reading.settings) for table in tables if table
    ]
    first = next((number for number, part in enumerate(pending.parts) if part.is_own_backup()), 0)
    own = {"id": pending.table["id"], "title": pending.table.get("title", pending.table["id"])}
    job = replace(jobs[first], **own, blackout=pending.blackout)
    if "actions" not in pending.table:
        return job
    return replace(job, actions=tuple(map(Part.job_action, pending.parts, jobs)))


def _table(part: Part, pending: _Pending, reading: _Reading) -> Mapping[str, Any] | None:
    """The whole table that an action amounts to."""
    if not part.of:
        return part.table
    if other := reading.pending.get(part.of):
        backup = next((found for found in other.parts if found.is_own_backup()), None)
        if backup:
            return table_of_another(part, backup.table)
        what, remedy = f"the job {shown(part.of)} backs up nothing", "name a job that has a backup of its own"
    elif part.of in reading.seen:
        return None  # its own faults are told
    else:
        near = nearest(part.of, reading.seen)
        what = f"there is no job {shown(part.of)}"
        remedy = f"did you mean {near}?" if near else f"the jobs are: {', '.join(sorted(reading.seen))}"
    reading.faults.append(Fault(pending.file, what, remedy, pending.label, part.place("of")))
    return None


def _schedule_faults(file: str, label: str, table: Mapping[str, Any], host: Host) -> list[Fault]:
    """What is wrong with the schedules of a job of which something else is wrong: all is told in one round."""
    faults: list[Fault] = []
    _schedules(file, label, {"id": "", **table}, host, faults)
    return faults


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
