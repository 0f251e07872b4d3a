"""What a job is: the values that a valid profile gives, and nothing that can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from cncopctl.core.guard import Guard
from cncopctl.core.role import Role

if TYPE_CHECKING:
    from cncopctl.core.calendars import Blackout
    from cncopctl.core.configuration import Configuration
    from cncopctl.core.schedule import Schedule, Translation


class JobType(StrEnum):
    """What kind of thing a job backs up; each kind has one agent."""

    CCS = "CCS"
    CIFS = "CIFS"
    FTP = "FTP"
    FTPS = "FTPS"
    MSSQL = "MSSQL"
    RSYNC = "RSYNC"
    SFTP = "SFTP"
    WIMG = "WIMG"

    def agent(self) -> str:
        """Name of the executable that performs jobs of this type (cncopagent's table of job types)."""
        return {JobType.CCS: "backupagentnq", JobType.FTPS: "backupagentftp"}.get(
            self, f"backupagent{self.lower()}"
        )


class Direction(StrEnum):
    """PULL fetches a source into this machine's repository, PUSH sends a local source away."""

    PULL = "PULL"
    PUSH = "PUSH"


class Priority(StrEnum):
    """LOW lets everything else on the machine go first."""

    LOW = "low"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class Retention:
    """How many snapshots stay; nothing given keeps everything."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: str = ""

    def rules(self) -> dict[str, int | str]:
        """The rules that keep anything, by name; empty where everything stays.

        `within` is as restic has it (`1y6m14d12h`: there `m` is months).
        """
        return {rule.name: value for rule in fields(self) if (value := getattr(self, rule.name))}


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill (the action verify) restores and asks for; None leaves that to the agent."""

    sample: int | None = None
    max_age: timedelta | None = None
    min_files: int | None = None

    def compiled(self) -> dict[str, int]:
        """What is given, as the agent gets it; a span is seconds."""
        age = int(self.max_age.total_seconds()) if self.max_age is not None else None
        values = {"sample": self.sample, "max_age": age, "min_files": self.min_files}
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take of the machine; None is no limit.

    `cpu` is per cent of one processor, `memory` bytes, `io_weight` 1 to 10000 with 100 for everyone
    else, `bandwidth` bytes a second.
    """

    cpu: int | None = None
    memory: int | None = None
    io_weight: int | None = None
    bandwidth: int | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """Who gets a mail when a run has ended, and after which ends: `failure`, `recovery`, `always`."""

    to: tuple[str, ...]
    on: tuple[str, ...] = ("failure", "recovery")

    def document(self) -> dict[str, list[str]]:
        """The notification as compiled jobs have it."""
        return {"to": list(self.to), "on": list(self.on)}


@dataclass(frozen=True, slots=True)
class Commands:
    """The user's own commands around a run: names relative to Bin/, "" for none; each may take `timeout`."""

    before: str = ""
    after_success: str = ""
    after_failure: str = ""
    timeout: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TranslatedSchedule:
    """One schedule of a job, and what a timer needs to follow it."""

    written: str | Mapping[str, object]
    schedule: Schedule
    translation: Translation

    def compiled(self) -> dict[str, object]:
        """What it means, in few words: two of the same elapse at the same instants."""
        return {"text": self.written, "zone": self.schedule.zone or "UTC"}


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a valid profile; with `actions` in place of one backup, it is the first backup among them.

    `destination` is absolute for PULL: the directory that holds the mirror and the repository.
    `schedules` are in the order of the profile; `file` says where the job was written.
    """

    id: str
    title: str
    description: str
    type: JobType
    direction: Direction
    enabled: bool
    schedules: tuple[TranslatedSchedule, ...]
    catch_up: bool
    random_delay: timedelta
    source: str
    destination: str
    exclude: tuple[str, ...]
    credential: str
    max_retries: int
    retry_interval: timedelta
    timeout: timedelta
    commands: Commands
    keep: Retention
    limits: Limits
    priority: Priority
    file: str
    blackout: Blackout | None = None
    guard: Guard = field(default_factory=Guard)
    drill: Drill = field(default_factory=Drill)
    notify: Notification | None = None
    actions: tuple[JobAction, ...] = ()

    def parts(self) -> tuple[Job, ...]:
        """What its actions are about: itself where it has no list of them."""
        return tuple(action.job for action in self.actions) or (self,)

    def is_local_source(self) -> bool:
        """Whether the source is a path of this machine."""
        return self.source.startswith("/")

    def compiled(self) -> dict[str, object]:
        """The job as agents and the dispatcher read it: plain values, defaults filled in.

        Spans are seconds. What the job leaves open (credential, bandwidth) is left out.
        """
        values: dict[str, object] = {
            "id": self.id,
            "title": self.title,
            "type": str(self.type),
            "direction": str(self.direction),
            "source": self.source,
            "destination": self.destination,
            "exclude": list(self.exclude),
            "keep": self.keep.rules(),
            "catch_up": self.catch_up,
            "max_retries": self.max_retries,
            "retry_interval": int(self.retry_interval.total_seconds()),
            "timeout": int(self.timeout.total_seconds()),
        }
        optional: Mapping[str, object] = {
            "description": self.description,
            "credential": self.credential,
            "bandwidth": self.limits.bandwidth,
            "run_before": self.commands.before,
            "run_after_success": self.commands.after_success,
            "run_after_failure": self.commands.after_failure,
            "command_timeout": int(self.commands.timeout.total_seconds()),
            "guard": self.guard.document() if self.guard != Guard() else None,
        }
        return values | {key: value for key, value in optional.items() if value} | self.drill.compiled()


@dataclass(frozen=True, slots=True)
class JobAction:
    """One action of a job that has several: backup, verify, prune, check or restore.

    Once a `mandatory` one has failed, those after it do not run. `job` is what it is about, `target` the directory
    that a restore of `snapshot` goes to.
    """

    name: str
    action: str
    mandatory: bool
    max_retries: int
    retry_interval: timedelta
    job: Job
    target: str = ""
    snapshot: str = ""

    def compiled(self, agents: Mapping[str, str]) -> dict[str, object]:
        """The action as the dispatcher reads it; `agents` has the paths of agents by name."""
        values: dict[str, object] = {
            "name": self.name,
            "action": self.action,
            "mandatory": self.mandatory,
            "max_retries": self.max_retries,
            "retry_interval": int(self.retry_interval.total_seconds()),
            "agent": agents[self.job.type.agent()],
            "job": self.job.compiled(),
        }
        if self.action != "restore":
            return values
        return values | {
            "restore": {"snapshot": self.snapshot, "to": self.target, "paths": [], "force": True}
        }


@dataclass(frozen=True, slots=True)
class Profile:
    """All jobs of a device, by id in the order of reading, its role, and the settings that they run by."""

    role: Role
    jobs: Mapping[str, Job]
    configuration: Configuration
