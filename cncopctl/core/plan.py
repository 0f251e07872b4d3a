"""The plan: the steps that make the installed units match the profile, each with its reason.

Order (see `Plan.steps`) keeps two promises at every instant, so that a kill between any two steps leaves a
state that the next sync completes: no job is without the timer that it had or is going to have, and nothing
is deleted while systemd still acts on it.

No step restarts a timer. A daemon-reload already makes systemd compute an active timer anew from its changed
lines, whereas a restart could fire an unchanged one (systemd issues 164, 31914); only timers that are not
active are started, and all of them at once, by starting the target that wants them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cncopctl.core.naming import (
    CONSOLE_PORT,
    CONSOLE_SERVICE,
    CONSOLE_SOCKET,
    STATIC,
    TARGET,
    is_timer,
    is_trigger,
    job_of,
    service_name,
)
from cncopctl.core.seal import Seal

NEW_JOB = "new job"
_REMOVED = "no longer in the profile"


class Action(StrEnum):
    """What a step does, in the order in which a plan does it."""

    COMPILE = "compile"
    STOP = "stop"
    CLEAN = "clean"
    WRITE = "write"
    LINK = "link"
    UNLINK = "unlink"
    DELETE = "delete"
    RELOAD = "reload"
    START = "start"
    RESTART = "restart"
    FORGET = "forget"

    def changes_units(self) -> bool:
        """Whether systemd has to read its files again afterwards."""
        return self in (Action.WRITE, Action.LINK, Action.UNLINK, Action.DELETE)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, to which unit, link or compiled job, and why. `text` is what WRITE and LINK put there."""

    action: Action
    name: str
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the profile asks for.

    `units` maps names to sealed texts; `links` paths below the units' directory to what they point to;
    `compiled` job ids to the compiled jobs' texts; `destinations` the ids of PULL jobs to the directories
    that take their backups, outer ones first; `halted` the ids of jobs that somebody has stopped or removed
    to a word on that; `has_packaged_console` whether a package brings the console's units.
    """

    units: Mapping[str, str]
    links: Mapping[str, str]
    compiled: Mapping[str, str]
    destinations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    halted: Mapping[str, str] = field(default_factory=dict)
    has_packaged_console: bool = False

    def concerns(self, job_id: str) -> bool:
        """Whether the profile has the job, though it may be halted."""
        return job_id in self.compiled or job_id in self.halted

    def reason(self, job_id: str) -> str:
        """Why something of the job is removed."""
        return self.halted.get(job_id, _REMOVED)


@dataclass(frozen=True, slots=True)
class InstalledUnit:
    """A unit file of our name as it was found; `text` is "" for one that is masked (a link to /dev/null)."""

    text: str
    seal: Seal
    is_masked: bool = False


@dataclass(frozen=True, slots=True)
class Installed:
    """What is there now, in the same shape; `changed_at` is when the newest of it was changed.

    `console_changed_at` is that of what says where the console listens.
    """

    units: Mapping[str, InstalledUnit]
    links: Mapping[str, str]
    compiled: Mapping[str, str]
    drop_ins: tuple[str, ...] = ()
    changed_at: datetime | None = None
    console_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What systemd has loaded of ours, and since when.

    `active` maps units to their active states; `from_files` names those that were read from a unit file;
    `resumes` tells whether the target is to be started: not where an administrator has stopped it;
    `console_since` since when the console listens.
    """

    active: Mapping[str, str]
    from_files: frozenset[str]
    loaded_at: datetime
    resumes: bool = True
    console_since: datetime | None = None

    def is_active(self, unit: str) -> bool:
        """Whether `unit` is active, or on its way there or back."""
        return self.active.get(unit, "inactive") not in ("inactive", "failed")


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` in the order of their doing; `notes` for what is worth knowing and is left as it is."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.steps)

    def of(self, action: Action) -> list[Step]:
        """The steps that do `action`."""
        return [step for step in self.steps if step.action is action]


def make_plan(wanted: Wanted, installed: Installed, loaded: Loaded | None, *, prune: bool = True) -> Plan:
    """The steps from `installed` to `wanted`.

    Args:
        wanted: what the profile asks for.
        installed: what is there now.
        loaded: what systemd has loaded; None where no manager is concerned (`--root`).
        prune: whether units of jobs that the profile no longer has are removed; what a job that it has no
            longer wants, such as the timer of one that was disabled, is removed in any case.
    """
    conflicts = tuple(
        name for name in wanted.units if (unit := installed.units.get(name)) and _is_foreign(unit)
    )
    surplus = [name for name in installed.units if name not in wanted.units]
    removable = [
        name
        for name in surplus
        if not _is_foreign(installed.units[name]) and (prune or wanted.concerns(job_of(name)))
    ]
    running = [name for name in removable if _runs_on(name, loaded)]
    removed = [name for name in removable if name not in running]
    ghosts = [
        name
        for name in _ghosts(wanted, installed, loaded)
        if prune or wanted.concerns(job_of(name)) or name == CONSOLE_SOCKET
    ]
    stopped = (name for name in removed if is_timer(name) or name == CONSOLE_SOCKET)
    steps = [
        *_compile(wanted, installed),
        *_retire([*stopped, *_halted(wanted, installed, loaded), *ghosts], wanted, loaded),
        *_write(wanted, installed),
        *_link(wanted, installed),
        *_delete(removed, wanted),
    ]
    if loaded is not None:
        steps += _reload(steps, installed, loaded)
        steps += _start(wanted, installed, loaded)
        steps += _restart(steps, wanted, installed, loaded)
    kept = {job_of(name) for name in surplus if name not in removed}
    steps += _forget(wanted, installed, kept, prune=prune)
    staying = [name for name in surplus if name not in removable]
    return Plan(tuple(steps), tuple(_notes(staying, running, installed, loaded)), conflicts)


def _is_foreign(unit: InstalledUnit) -> bool:
    return unit.seal is Seal.FOREIGN and not unit.is_masked


def _runs_on(name: str, loaded: Loaded | None) -> bool:
    """A service whose run is under way keeps its unit, or systemd would forget how to close the run."""
    return loaded is not None and name.endswith(".service") and loaded.is_active(name)


def _compile(wanted: Wanted, installed: Installed) -> Iterator[Step]:
    for job_id, text in wanted.compiled.items():
        if installed.compiled.get(job_id) != text:
            reason = "changed" if job_id in installed.compiled else NEW_JOB
            yield Step(Action.COMPILE, job_id, reason, text)


def _ghosts(wanted: Wanted, installed: Installed, loaded: Loaded | None) -> list[str]:
    """Timers of ours, or a console, that still run though somebody has deleted them, and nothing wants them."""
    return [
        name
        for name in (loaded.active if loaded else ())
        if (is_timer(name) and job_of(name) in installed.compiled)
        or (name == CONSOLE_SOCKET and not wanted.has_packaged_console)
        if name not in wanted.units and name not in installed.units
    ]


def _halted(wanted: Wanted, installed: Installed, loaded: Loaded | None) -> list[str]:
    """Timers that stay and are still at work, though their job is halted."""
    return [
        name
        for name in wanted.units
        if job_of(name) in wanted.halted and is_timer(name)
        if (loaded and loaded.is_active(name)) or f"{TARGET}.wants/{name}" in installed.links
    ]


def _retire(timers: Sequence[str], wanted: Wanted, loaded: Loaded | None) -> Iterator[Step]:
    if loaded is None:
        return
    for name in timers:
        if loaded.is_active(name):
            yield Step(Action.STOP, name, wanted.reason(job_of(name)))
    # A stamp left behind would make a later job of the same id run at once (systemd.timer(5), Persistent=), or
    # one that was stopped when it is started again. It is systemd that removes it, and only for units that it
    # has loaded.
    for name in timers:
        if name in loaded.from_files and is_timer(name):
            yield Step(Action.CLEAN, name, wanted.reason(job_of(name)))


def _write(wanted: Wanted, installed: Installed) -> Iterator[Step]:
    linked = {link.rpartition("/")[2] for link in installed.links}
    complete = linked | {_service_of(name) for name in linked}
    for name, text in wanted.units.items():
        unit = installed.units.get(name)
        if unit is None:
            # Links are made last: what had one was complete.
            yield Step(Action.WRITE, name, "deleted by hand" if name in complete else "new", text)
        elif reason := _difference(unit, text):
            yield Step(Action.WRITE, name, reason, text)


def _service_of(timer: str) -> str:
    if timer == CONSOLE_SOCKET:
        return CONSOLE_SERVICE
    return f"{timer.rpartition('.')[0]}.service" if timer in STATIC else service_name(job_of(timer))


def _difference(unit: InstalledUnit, text: str) -> str:
    if unit.is_masked:
        return "masked by hand"
    if unit.text == text:
        return ""
    return "edited by hand" if unit.seal is Seal.EDITED else "changed"


def _link(wanted: Wanted, installed: Installed) -> Iterator[Step]:
    for link, target in wanted.links.items():
        if installed.links.get(link) != target:
            known = link.rpartition("/")[2] in installed.units
            yield Step(Action.LINK, link, "disabled by hand" if known else "new", target)
    for link in installed.links:
        unit = link.rpartition("/")[2]
        # Where a package brings the target, enabling it is the package's affair and the administrator's.
        is_packaged = not job_of(unit) and (unit != CONSOLE_SOCKET or wanted.has_packaged_console)
        stays = link in wanted.links or is_packaged
        if not stays and (unit in wanted.units or unit not in installed.units):
            yield Step(Action.UNLINK, link, wanted.reason(job_of(unit)))


def _delete(removed: Iterable[str], wanted: Wanted) -> Iterator[Step]:
    for name in removed:
        reason = wanted.reason(job_of(name))
        if is_trigger(name):
            yield Step(Action.UNLINK, f"{TARGET}.wants/{name}", reason)
        yield Step(Action.DELETE, name, reason)


def _reload(steps: Iterable[Step], installed: Installed, loaded: Loaded) -> Iterator[Step]:
    if any(step.action.changes_units() for step in steps):
        yield Step(Action.RELOAD, "", "units changed")
    elif installed.changed_at is not None and installed.changed_at >= loaded.loaded_at:
        yield Step(Action.RELOAD, "", "units changed after systemd last read them")
    elif forgotten := sorted(
        name for name in loaded.from_files if name not in installed.units and job_of(name)
    ):
        yield Step(Action.RELOAD, "", f"systemd still knows {forgotten[0]}, which is gone")


def _start(wanted: Wanted, installed: Installed, loaded: Loaded) -> Iterator[Step]:
    timers = (name for name in wanted.units if is_trigger(name) and job_of(name) not in wanted.halted)
    waiting = [TARGET, *timers]
    idle = [name for name in waiting if not loaded.is_active(name)]
    if idle and loaded.resumes:
        stopped = [name for name in idle if name in installed.units]
        reason = f"{stopped[0]} was not active" if stopped else "new timers"
        yield Step(Action.START, TARGET, reason)


def _restart(steps: Iterable[Step], wanted: Wanted, installed: Installed, loaded: Loaded) -> Iterator[Step]:
    """A socket keeps the port that it was started with, and after a reload may have none at all (systemd 252)."""
    written = (Action.WRITE, Action.DELETE)
    changed = any(step.action in written and step.name in (CONSOLE_SOCKET, CONSOLE_PORT) for step in steps)
    is_wanted = wanted.has_packaged_console or CONSOLE_SOCKET in wanted.units
    since, at = loaded.console_since, installed.console_changed_at
    if loaded.active.get(CONSOLE_SOCKET) != "active" or not is_wanted:
        return
    if changed or (since is not None and at is not None and at > since):
        yield Step(Action.RESTART, CONSOLE_SOCKET, "its settings were changed")


def _forget(wanted: Wanted, installed: Installed, kept: Collection[str], *, prune: bool) -> Iterator[Step]:
    for job_id in installed.compiled:
        if job_id not in wanted.compiled and job_id not in kept and (prune or wanted.concerns(job_id)):
            yield Step(Action.FORGET, job_id, wanted.reason(job_id))


def is_running(service: str) -> str:
    """The note on a service that is to be removed, and at work."""
    return f"{service} is running: it may finish, and is removed by the next sync"


def _notes(
    staying: Iterable[str], running: Iterable[str], installed: Installed, loaded: Loaded | None
) -> Iterator[str]:
    yield from map(is_running, running)
    for name in staying:
        if _is_foreign(installed.units[name]):
            yield f"{name} was not made by cncop and is left alone"
        else:
            yield f"{name} is {_REMOVED} and stays, as --no-prune asks"
    for path in installed.drop_ins:
        yield f"{path} is an administrator's drop-in and stays"
    if loaded is not None and not loaded.resumes and not loaded.is_active(TARGET):
        yield f"{TARGET} was stopped: nothing fires until it is started again"


def jobs_of(steps: Iterable[Step]) -> list[str]:
    """Ids of the jobs that `steps` concern, in order, each once."""
    names = (step.name if step.action in (Action.COMPILE, Action.FORGET) else _unit(step) for step in steps)
    return list(dict.fromkeys(name for name in names if name))


def _unit(step: Step) -> str:
    return job_of(step.name.rpartition("/")[2])
