"""What somebody asks about one schedule, and the answer.

A question is a cron string or a table of a schedule's keys, as a line of JSON or of a crontab brings it;
one that cannot be read carries its fault, so that its answer keeps its place among the others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from cncopctl.core.schedule import Dialect, Dst, Schedule, ScheduleError, Seed, Translation, parse, translate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# Beside the keys of a schedule: `id` comes back with the answer, `job` decides what H and ~ choose.
_OWN_KEYS = ("id", "job", "dialect")
_PLAIN = {"cron", "timezone"}
# Nested deeper, Python could not write what it has read; no schedule nests more than twice.
_MOST_BRACKETS = 100
_CHOSEN = re.compile(r"~|(?<![A-Za-z])[Hh](?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Question:
    """One schedule to translate; `about` comes back with the answer, `error` says why it cannot be read."""

    spec: str | Mapping[str, object] | None
    zone: str | None = None
    job: str | None = None
    dialect: Dialect | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: ScheduleError | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a question takes from where it is asked, where it does not say so itself; `now` is aware."""

    now: datetime
    machine_id: str = ""
    zone: str | None = None
    job: str | None = None
    dialect: Dialect = Dialect.CRON
    dst: Dst = Dst.CRON


@dataclass(frozen=True, slots=True)
class Answer:
    """A translation with its schedule, or the reason for which there is none."""

    question: Question
    schedule: Schedule | None = None
    translation: Translation | None = None
    error: ScheduleError | None = None
    warnings: tuple[str, ...] = ()

    def text(self) -> str:
        """What was asked, on one line."""
        spec = self.question.spec
        if isinstance(spec, str):
            return spec
        return json.dumps(spec) if spec is not None else ""

    def document(self) -> dict[str, Any]:
        """The answer as JSON has it; what there is nothing to say about is left out, but for the first four."""
        spec, translation = self.question.spec, self.translation
        document: dict[str, Any] = {
            **self.question.about,
            "cron": spec if isinstance(spec, str) or spec is None else spec.get("cron"),
            "oncalendar": list(translation.oncalendar) if translation else [],
            "explain": self.schedule.explain() if self.schedule else None,
            "error": self.error.message if self.error else None,
        }
        if not isinstance(spec, str) and spec is not None:
            document["schedule"] = dict(spec)
        if self.error:
            document |= _faults(self.error)
        if self.schedule and self.schedule.zone:
            document["timezone"] = self.schedule.zone
        if self.warnings:
            document["warnings"] = list(self.warnings)
        return document | (_beyond_calendar(translation) if translation else {})


def _faults(error: ScheduleError) -> dict[str, Any]:
    """Where a fault is, and what to write instead."""
    known = {"hint": error.hint, "field": error.field, "position": error.position}
    return {key: value for key, value in known.items() if value not in ("", None)}


def _beyond_calendar(translation: Translation) -> dict[str, Any]:
    """What a timer needs beside its calendar lines, and until when they are exact."""
    document: dict[str, Any] = {}
    if translation.horizon_end:
        document["exact_until"] = translation.horizon_end.isoformat()
    if translation.on_boot is not None:
        document["on_boot_seconds"] = int(translation.on_boot.total_seconds())
    if translation.on_inactive is not None:
        document["on_inactive_seconds"] = int(translation.on_inactive.total_seconds())
    return document


def unreadable(spec: str | None, message: str, hint: str, about: Mapping[str, Any] | None = None) -> Question:
    """A question that is none, in the place of one."""
    return Question(spec, about=about or {}, error=ScheduleError(message, hint))


def read_question(line: str) -> Question:
    """The question of a line: a JSON object, or else a cron string; no cron string begins with a brace."""
    text = line.strip(" \t\r")
    if text[:1] not in ("{", '"'):
        return Question(text)
    try:
        if text.count("[") + text.count("{") > _MOST_BRACKETS:
            raise ValueError(text[:80])
        spec = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        hint = 'write {"cron": "30 2 * * *", "timezone": "Europe/Berlin"} on one line'
        return unreadable(None, "the line is no JSON object", hint)
    if isinstance(spec, str):
        return Question(spec)
    return _of_object(spec)


def _refuse_constant(name: str) -> NoReturn:
    """Python reads NaN and Infinity, which JSON does not have and nobody else would read back."""
    raise ValueError(name)


def _of_object(given: dict[str, object]) -> Question:
    about = {"id": given["id"]} if "id" in given else {}
    spec = {key: value for key, value in given.items() if value is not None and key not in _OWN_KEYS}
    zone, job, dialect = spec.get("timezone"), given.get("job"), given.get("dialect")
    try:
        if job is not None and not isinstance(job, str):
            raise ScheduleError(f"job: {job!r} is no text", "write the id of a job", field="job")
        chosen = _dialect_of(dialect) if dialect is not None else None
    except ScheduleError as error:
        return Question(spec, about=about, error=error)
    cron = spec.get("cron")
    if spec.keys() <= _PLAIN and isinstance(cron, str) and (zone is None or isinstance(zone, str)):
        return Question(cron, zone, job, chosen, about)
    return Question(spec, None, job, chosen, about)


def _dialect_of(value: object) -> Dialect:
    try:
        return Dialect(str(value))
    except ValueError:
        raise ScheduleError(
            f"dialect {value!r} is not known", f"write {' or '.join(Dialect)}", field="dialect"
        ) from None


def answer(question: Question, here: Circumstances) -> Answer:
    """The answer to a question; a refusal is one, too."""
    if question.error or question.spec is None:
        return Answer(question, error=question.error)
    job = question.job if question.job is not None else here.job
    try:
        schedule = parse(
            question.spec,
            zone=question.zone or here.zone,
            seed=Seed(here.machine_id, job or ""),
            dialect=question.dialect or here.dialect,
            dst=here.dst,
        )
        translation = translate(schedule, now=here.now)
    except ScheduleError as error:
        return Answer(question, error=error)
    warnings = (*question.warnings, *translation.warnings)
    if job is None and _CHOSEN.search(str(question.spec)):
        warnings = (*warnings, "H and ~ are chosen for each job: --job ID shows what a job of that id gets")
    return Answer(question, schedule, translation, warnings=warnings)
