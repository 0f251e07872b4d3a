"""The actions of a job: what each amounts to, once `action_defaults` and the job itself are merged under it.

A job with one type is a job of one action, its backup. Words and both spellings of the retries' interval are those
of freezer's job documents.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from cncopctl.core.faults import shown
from cncopctl.core.job import Job, JobAction

INTERVALS = ("max_retries_interval", "max_retry_interval")

# What an action says of itself, and what it may say of what it is about.
_OF_ITSELF = ("action", "name", "of", "mandatory", "target", "snapshot", *INTERVALS)
_OF_A_DRILL = ("sample", "max_age", "min_files")
_OF_A_PLACE = ("type", "direction", "source", "destination", "exclude", "credential", "keep", "guard")


@dataclass(frozen=True, slots=True)
class Part:
    """One action of a job.

    `number` counts from 1 and is 0 where the job has no list of actions; `own` is the action's own table,
    `defaults` the job's action_defaults, `table` all that it amounts to, as a job of one action would say it. `of`
    is the other job that it is about, "" for this one.
    """

    number: int
    name: str
    action: str
    of: str
    own: Mapping[str, Any]
    defaults: Mapping[str, Any]
    table: Mapping[str, Any]

    def is_own_backup(self) -> bool:
        """Whether it backs up what the job itself names."""
        return self.action == "backup" and not self.of

    def place(self, key: str) -> str:
        """Where `key` was written, or would be, as messages name it."""
        if key == "retry_interval":
            key = next((name for name in INTERVALS if name in self.own or name in self.defaults), key)
        if not self.number or (key in self.table and key not in self.own and key not in self.defaults):
            return key
        in_defaults = key in self.defaults and key not in self.own
        return f"action_defaults.{key}" if in_defaults else f"actions.#{self.number}.{key}"

    def value(self, key: str, default: Any) -> Any:
        """What the action, or else action_defaults, says of itself."""
        return self.own.get(key, self.defaults.get(key, default))

    def job_action(self, job: Job) -> JobAction:
        """The action, about `job`."""
        return JobAction(
            name=self.name,
            action=self.action,
            mandatory=self.value("mandatory", False),
            max_retries=job.max_retries,
            retry_interval=job.retry_interval,
            job=job,
            target=self.value("target", ""),
            snapshot=self.value("snapshot", "latest"),
        )


def parts_of(table: Mapping[str, Any], repositories: PurePosixPath) -> list[Part]:
    """The actions of the job that `table` describes, in their order.

    Where several back up, each has a directory of its own; any other action is about the backup before it, unless
    it names a job.
    """
    whole = {key: value for key, value in table.items() if key not in ("actions", "action_defaults")}
    if "actions" not in table:
        filled = _with_destination(whole, repositories / table["id"])
        return [Part(0, "backup", "backup", "", {}, {}, filled)]
    defaults = table.get("action_defaults", {})
    words = [own.get("action", defaults.get("action", "backup")) for own in table["actions"]]
    parts: list[Part] = []
    for number, (own, word) in enumerate(zip(table["actions"], words, strict=True), 1):
        name = own.get("name") or (word if words.count(word) == 1 else f"{word}-{number}")
        backups = [part for part in parts if part.is_own_backup()]
        before = backups[-1].table if backups and word != "backup" else {}
        place = {key: before[key] for key in (*_OF_A_PLACE, *_OF_A_DRILL) if key in before}
        merged = whole | _about(defaults) | place | _about(own)
        of_its_own = repositories / table["id"]
        part = Part(number, name, word, own.get("of", ""), own, defaults, merged)
        filled = _with_destination(merged, of_its_own / name if words.count("backup") > 1 else of_its_own)
        parts.append(replace(part, table=filled | _interval(part)))
    return parts


def _about(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _OF_ITSELF}


def _interval(part: Part) -> dict[str, Any]:
    """The interval in the profile's own key, by whichever name and in whichever form it was given."""
    written = next((part.value(key, None) for key in INTERVALS if part.value(key, None) is not None), None)
    return {} if written is None else {"retry_interval": f"{written}"}


def _with_destination(table: Mapping[str, Any], default: PurePosixPath) -> dict[str, Any]:
    is_pull = table.get("direction", "PULL") == "PULL"
    return {"destination": str(default), **table} if is_pull else dict(table)


def table_of_another(part: Part, other: Mapping[str, Any]) -> dict[str, Any]:
    """What an action about another job amounts to: that job's place, under its id, and how this one runs."""
    place = {key: other[key] for key in (*_OF_A_PLACE, *_OF_A_DRILL, "id", "title") if key in other}
    of_runs = {key: value for key, value in part.table.items() if key not in _OF_A_PLACE}
    return (
        of_runs
        | place
        | {key: part.value(key, None) for key in _OF_A_DRILL if part.value(key, None) is not None}
    )


def action_faults(parts: Sequence[Part]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with how the actions go together: the key, what is wrong, and what to write."""
    for part in parts:
        yield from _faults_of_one(part)
        if any(part.name == other.name for other in parts[: part.number - 1]):
            yield (
                part.place("name"),
                f"{shown(part.name)} is taken already",
                "give each action a name of its own",
            )
    backups = [part for part in parts if part.is_own_backup() and "destination" in part.table]
    for number, part in enumerate(backups):
        if any(_clash(part, other) for other in backups[:number]):
            what = f"{shown(part.table['destination'])} is where another action's backup goes already"
            yield part.place("destination"), what, "give each backup a destination of its own"


def _faults_of_one(part: Part) -> Iterator[tuple[str, str, str]]:
    if part.of and part.action == "backup":
        yield (
            part.place("of"),
            "a backup is always of its own job",
            "start the other job itself, by its schedule",
        )
    given = [key for key in INTERVALS if key in part.own]
    if len(given) > 1:
        yield part.place(given[1]), f"says the same as {given[0]}", "keep one of the two"
    target = part.value("target", "")
    if part.action == "restore" and not _is_absolute(target):
        what = f"{shown(target)} is not an absolute path without .." if target else "is missing"
        yield (
            part.place("target"),
            what,
            'write the directory that gets the files, as in target = "/srv/standby"',
        )
    if part.action != "restore" and "target" in part.own:
        yield part.place("target"), f"has no effect on the action {part.action}", "leave it out"


def _is_absolute(path: str) -> bool:
    return path.startswith("/") and ".." not in path.split("/")


def _clash(part: Part, other: Part) -> bool:
    """Whether both go to one directory, other than because they have the same name."""
    places = [posixpath.normpath(found.table["destination"]) for found in (part, other)]
    return places[0] == places[1] and part.name != other.name
