"""The compiled job: one TOML file for each job, which the dispatcher reads instead of the profile.

Nothing of the profile's grammar is needed to run it, so that a run imports little, and what was synced is
what runs, whatever has become of the profile since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cncopctl.core.errors import InstallError
from cncopctl.core.role import Role

VERSION = 1


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """One step of a run: what its agent is asked to do, about the job in `values`.

    Once a `mandatory` one has failed, those after it do not run. `details` is what the agent's request holds
    besides, such as where a restore goes.
    """

    name: str
    action: str
    agent: str
    mandatory: bool
    max_retries: int
    retry_interval: int
    values: Mapping[str, Any]
    details: Mapping[str, Any]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CompiledAction:
        """The action from its table in the compiled job."""
        return cls(
            name=document["name"],
            action=document["action"],
            agent=document["agent"],
            mandatory=document["mandatory"],
            max_retries=document["max_retries"],
            retry_interval=document["retry_interval"],
            values=document["job"],
            details={key: document[key] for key in ("restore",) if key in document},
        )


@dataclass(frozen=True, slots=True)
class CompiledJob:
    """What a run needs to know of its job; spans are seconds.

    `schedule_since` is when the schedule that the timers follow was installed: an instant before it is
    none of theirs, even where systemd, having reloaded, believes that it was missed. `schedules` has each
    as it was written, with its time zone. `values` is the job as its agent gets it, `blackout`
    the document of a core.calendars.Blackout, `notify` that of a core.job.Notification. `max_parallel_jobs`,
    `days_of_logs` and `days_of_history` are the settings of cncop3.ini at the last sync. Timers elapse up to
    `random_delay` seconds later. `actions` are the steps of a run: one backup, or what the profile lists.
    """

    id: str
    title: str
    role: Role
    agent: str
    max_retries: int
    retry_interval: int
    timeout: int
    schedules: tuple[tuple[Any, str], ...]
    schedule_since: datetime
    values: Mapping[str, Any]
    blackout: Mapping[str, Any] | None = None
    max_parallel_jobs: int = 2
    days_of_logs: int = 90
    days_of_history: int = 400
    notify: Mapping[str, Any] | None = None
    actions: tuple[CompiledAction, ...] = ()
    random_delay: int = 0

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CompiledJob:
        """The compiled job from its parsed file.

        Raises:
            InstallError: it was written by another version, or is not a compiled job.
        """
        try:
            if document["compiled"] != VERSION:
                raise InstallError(
                    f"the compiled job is of version {document['compiled']}, this program reads {VERSION}",
                    "write it anew with: cncopctl sync-profile",
                )
            job = document["job"]
            return cls(
                id=job["id"],
                title=job["title"],
                role=Role(document["role"]),
                agent=document["agent"],
                max_retries=job["max_retries"],
                retry_interval=job["retry_interval"],
                timeout=job["timeout"],
                schedules=tuple((entry["text"], entry["zone"]) for entry in document["schedules"]),
                schedule_since=document["schedule_since"],
                values=job,
                actions=_actions(document),
                blackout=document.get("blackout"),
                max_parallel_jobs=document.get("max_parallel_jobs", 2),
                days_of_logs=document.get("days_of_logs", 90),
                days_of_history=document.get("days_of_history", 400),
                notify=document.get("notify"),
                random_delay=document.get("random_delay", 0),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InstallError(
                f"the compiled job is damaged: {error} is missing",
                "write it anew with: cncopctl sync-profile",
            ) from error

    def agent_values(self) -> dict[str, Any]:
        """The job as the agent contract hands it over."""
        return dict(self.values)

    def is_pull(self) -> bool:
        """Whether the job keeps a repository on this machine."""
        return bool(self.values["direction"] == "PULL")


def _actions(document: Mapping[str, Any]) -> tuple[CompiledAction, ...]:
    job = document["job"]
    backup = {
        "name": "backup",
        "action": "backup",
        "agent": document["agent"],
        "mandatory": False,
        "job": job,
    }
    retries = {"max_retries": job["max_retries"], "retry_interval": job["retry_interval"]}
    return tuple(map(CompiledAction.from_document, document.get("actions", [backup | retries])))
