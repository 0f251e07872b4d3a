"""The life of a job between runs: stopped, scheduled, running, aborting, removed.

The words are those of the jobs' document in freezer's API, from which fleets are managed: a status tells how a job
stands, an event what somebody wants to become of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from cncopctl.core.naming import job_of
from cncopctl.core.outcome import Outcome
from cncopctl.core.plan import Wanted


class Status(StrEnum):
    """How a job stands. STOP is also a job that nothing starts because it is disabled or its schedule is over."""

    STOP = "stop"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    ABORTING = "aborting"
    REMOVED = "removed"


class Event(StrEnum):
    """What somebody wants to become of a job and has not come about yet, as its run is still under way."""

    NONE = ""
    STOP = "stop"
    ABORT = "abort"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Halt:
    """Somebody has said that `job` is not to be scheduled: STOP, or REMOVED with its units, until it is started."""

    job: str
    title: str
    status: Status
    since: datetime

    @property
    def id(self) -> str:
        """The job's id, by which a command line may name it even when it is removed."""
        return self.job

    def sentence(self) -> str:
        """What it is, in words."""
        word = "stopped" if self.status is Status.STOP else "removed"
        return (
            f"{word} since {self.since.astimezone():%Y-%m-%d %H:%M %Z}, until: cncopctl job start {self.job}"
        )

    def document(self) -> dict[str, Any]:
        """The halt as JSON has it."""
        return {
            "job": self.job,
            "title": self.title,
            "status": str(self.status),
            "since": self.since.isoformat(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The halt that `document` made of it.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it is not such a document.
        """
        status, since = Status(document["status"]), datetime.fromisoformat(document["since"])
        if status not in (Status.STOP, Status.REMOVED) or since.tzinfo is None:
            raise ValueError("is no halt")
        if not isinstance(document["title"], str):
            raise TypeError("the title is no text")
        return cls(document["job"], document["title"], status, since)


def held_back(wanted: Wanted, halts: Mapping[str, Halt]) -> Wanted:
    """What is wanted of the profile while these jobs are halted.

    A stopped job keeps its units and is compiled, but no link starts its timers; a removed one has nothing.
    """
    halted = {job: halt.sentence() for job, halt in halts.items()}
    removed = {job for job, halt in halts.items() if halt.status is Status.REMOVED}
    return replace(
        wanted,
        units={name: text for name, text in wanted.units.items() if job_of(name) not in removed},
        links={
            link: target
            for link, target in wanted.links.items()
            if job_of(link.rpartition("/")[2]) not in halted
        },
        compiled={job: text for job, text in wanted.compiled.items() if job not in removed},
        halted=halted,
    )


def status_of(service: str, sub_state: str, halt: Halt | None, *, is_scheduled: bool) -> Status:
    """How a job stands.

    Args:
        service: the active state of its service, as systemd has it.
        sub_state: the sub state of its service.
        halt: what somebody has said about it.
        is_scheduled: whether a timer of it is up.
    """
    if service == "deactivating" and sub_state in _ABORTING:
        return Status.ABORTING
    if service not in ("inactive", "failed"):
        return Status.RUNNING
    if halt:
        return halt.status
    return Status.SCHEDULED if is_scheduled else Status.STOP


# A service on its way down because it was told to (systemd's ServiceState); its commands after the end, stop-post,
# run after every end.
_ABORTING = (
    "stop",
    "stop-watchdog",
    "stop-sigterm",
    "stop-sigkill",
    "final-watchdog",
    "final-sigterm",
    "final-sigkill",
)


def event_of(status: Status, halt: Halt | None) -> Event:
    """What is still to come about."""
    if status is Status.ABORTING:
        return Event.ABORT
    if status is Status.RUNNING and halt:
        return Event.STOP if halt.status is Status.STOP else Event.REMOVE
    return Event.NONE


def result_of(outcome: Outcome | None) -> str:
    """The result of the last run: "" for none, success, fail or aborted."""
    if outcome is None:
        return ""
    return {Outcome.OK: "success", Outcome.ABORTED: "aborted"}.get(outcome, "fail")
