"""What an agent is asked to do: the JSON object on its stdin, checked and typed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cncopctl.agentkit.failure import AgentError, ExitStatus
from cncopctl.core.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTRACT = 1
REPOSITORY_PASSWORD = "repository-password"  # noqa: S105 - the name of a credential
KNOWN_HOSTS = "ssh-known-hosts"
PASSWORD_FILE = "CNCOP_PASSWORD_FILE"  # noqa: S105 - the name of a variable
"""Set where ssh starts the agent's executable to be told a password: the file in which that is."""

DEFAULT_SAMPLE = 20
DEFAULT_SILENCE = 600

Value = TypeVar("Value")


class Action(StrEnum):
    """What an agent can be asked to do."""

    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "verify"
    PRUNE = "prune"
    CHECK = "check"
    ACCEPT = "accept"


class Direction(StrEnum):
    """PULL fetches a source into this machine's repository, PUSH sends a local source away."""

    PULL = "PULL"
    PUSH = "PUSH"


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill restores and asks for: how many files, most seconds since the newest snapshot, its least files.

    0 asks for nothing.
    """

    sample: int
    max_age: int
    min_files: int


@dataclass(frozen=True, slots=True)
class Job:
    """The job as the contract hands it over; `bandwidth` is bytes a second, 0 for no limit."""

    id: str
    title: str
    type: str
    direction: Direction
    source: str
    destination: str
    exclude: tuple[str, ...]
    credential: str
    keep: Mapping[str, int | str]
    bandwidth: int
    guard: Guard
    drill: Drill


@dataclass(frozen=True, slots=True)
class Restore:
    """What to restore: `paths` from the root of the backup, all of it where there are none.

    With `at`, the last snapshot that was taken by then, whatever `snapshot` says.
    """

    snapshot: str
    at: datetime | None
    to: Path
    paths: tuple[str, ...]
    force: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one job. `restore` is there for that action only.

    `silence` is how many seconds the other side may send nothing while it transfers.
    """

    action: Action
    job: Job
    run_id: str
    attempt: int
    dry_run: bool
    cache_directory: Path | None
    credentials: Path | None
    restore: Restore | None
    silence: int

    def wanted(self) -> Restore:
        """What to restore.

        Raises:
            AgentError: the request does not say.
        """
        if self.restore is None:
            raise _misuse("restore is missing")
        return self.restore

    def credential(self, name: str) -> Path:
        """The file of a credential.

        Raises:
            AgentError: it was not handed over.
        """
        path = self.credentials / name if self.credentials else None
        if path is None or not path.is_file():
            raise AgentError(
                f"the credential {name} is missing", f"store it with: cncopctl credential set {name}"
            )
        return path

    def optional_credential(self, name: str) -> Path | None:
        """The file of a credential that may be missing."""
        path = self.credentials / name if self.credentials else None
        return path if path is not None and path.is_file() else None


def parse_request(text: bytes, environment: Mapping[str, str] = os.environ) -> Request:
    """The request in `text`.

    Raises:
        AgentError: it is not one of this contract's; the exit status is 64.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _misuse(f"the request is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _misuse("the request is not a JSON object")
    version = document.get("contract")
    if version != CONTRACT:
        raise _misuse(f"the request is of contract {version}, this agent knows contract {CONTRACT}")
    action = _action(document.get("action"))
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    cache = _get(document, "cache_directory", str, "")
    return Request(
        action=action,
        job=_job(_get(document, "job", dict)),
        run_id=_get(document, "run_id", str, ""),
        attempt=_get(document, "attempt", int, 1),
        dry_run=_get(document, "dry_run", bool, False),
        cache_directory=Path(cache) if cache else None,
        credentials=Path(credentials) if credentials else None,
        restore=_restore(_get(document, "restore", dict)) if action is Action.RESTORE else None,
        silence=_silence(environment.get("CNCOP_SILENCE", "")),
    )


def _silence(seconds: str) -> int:
    if not seconds:
        return DEFAULT_SILENCE
    if not seconds.isdecimal() or not int(seconds):
        raise _misuse(f"CNCOP_SILENCE is not a number of seconds: {seconds!r}")
    return int(seconds)


def _action(name: object) -> Action:
    try:
        return Action(str(name))
    except ValueError as error:
        known = ", ".join(Action)
        raise _misuse(f"there is no action {name!r}; this agent knows {known}") from error


def _job(document: dict[str, Any]) -> Job:
    direction = _get(document, "direction", str)
    if direction not in list(Direction):
        raise _misuse(f"there is no direction {direction!r}")
    return Job(
        id=_get(document, "id", str),
        title=_get(document, "title", str, ""),
        type=_get(document, "type", str, ""),
        direction=Direction(direction),
        source=_get(document, "source", str),
        destination=_get(document, "destination", str),
        exclude=_strings(document, "exclude"),
        credential=_file_name(_get(document, "credential", str, "")),
        keep=_keep(_get(document, "keep", dict, {})),
        bandwidth=_get(document, "bandwidth", int, 0),
        guard=_guard(document.get("guard") or {}),
        drill=Drill(
            _get(document, "sample", int, DEFAULT_SAMPLE),
            _get(document, "max_age", int, 0),
            _get(document, "min_files", int, 0),
        ),
    )


def _guard(written: Any) -> Guard:
    try:
        return Guard.from_written(written)
    except (TypeError, ValueError) as error:
        raise _misuse(f"guard has an unfit value: {error}") from error


def _file_name(name: str) -> str:
    """A credential is a file in one directory: anything else would read another file."""
    if "/" in name or name in (".", "..") or "\0" in name:
        raise _misuse(f"{name!r} is not the name of a credential")
    return name


_KEEP_RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "within")


def _keep(rules: dict[str, Any]) -> dict[str, int | str]:
    for name, value in rules.items():
        if name not in _KEEP_RULES:
            raise _misuse(f"there is no retention rule {name!r}")
        if isinstance(value, bool) or not isinstance(value, str if name == "within" else int):
            raise _misuse(f"the retention rule {name!r} has an unfit value")
    return {name: value for name, value in rules.items() if value}


def _restore(document: dict[str, Any]) -> Restore:
    to = _get(document, "to", str)
    if not to.startswith("/"):
        raise _misuse(f"restore.to is not an absolute path: {to!r}")
    return Restore(
        snapshot=_get(document, "snapshot", str, "latest"),
        at=_instant(_get(document, "at", str, "")),
        to=Path(to),
        paths=tuple(_relative(path) for path in _strings(document, "paths")),
        force=_get(document, "force", bool, False),
    )


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        at = None
    if text and (at is None or at.tzinfo is None):
        raise _misuse(f"restore.at is not an instant with its offset from UTC: {text!r}")
    return at


def _relative(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise _misuse(f"{path!r} is not a path in a backup")
    return "/".join(parts)


def _get(document: dict[str, Any], key: str, kind: type[Value], default: Value | None = None) -> Value:
    value = document.get(key, default)
    if value is None:
        value = default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _misuse(f"{key} is missing" if value is None else f"{key} has an unfit value: {value!r}")
    return value


def _strings(document: dict[str, Any], key: str) -> tuple[str, ...]:
    values = _get(document, key, list, [])
    if not all(isinstance(value, str) for value in values):
        raise _misuse(f"{key} has something in it that is not text")
    return tuple(values)


def _misuse(phrase: str) -> AgentError:
    return AgentError(phrase, "agents/README.md describes requests", exit_status=ExitStatus.USAGE)
