"""From a profile to everything that is to be installed for it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from cncopctl.core.compiled import VERSION
from cncopctl.core.configuration import Configuration, Defaults
from cncopctl.core.host import Host
from cncopctl.core.job import Direction, Job, Profile
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.naming import (
    CONSOLE_PORT,
    CONSOLE_SERVICE,
    CONSOLE_SOCKET,
    REPORTER_SERVICE,
    TARGET,
    is_trigger,
)
from cncopctl.core.plan import Wanted
from cncopctl.core.seal import sealed
from cncopctl.core.units import (
    console_port,
    console_text,
    job_units,
    recover_units,
    reporter_units,
    sync_units,
)
from cncopctl.edges.share import share
from cncopctl.edges.templates import UnitTemplates


def render(profile: Profile, host: Host, layout: Layout, compiled: Mapping[str, str]) -> Wanted:
    """Units, links and compiled jobs of `profile`.

    Args:
        compiled: the compiled jobs that are installed now: a schedule that stays keeps its age.
    """
    templates = UnitTemplates(share("units", "templates"))
    units = static_units(host, layout, templates, profile.configuration.mail.credential)
    units |= _console(profile.configuration, host, layout, units)
    for job in profile.jobs.values():
        for facts in job_units(job, host, layout):
            units[facts.name] = sealed(templates.render(facts))
    return Wanted(
        units=units,
        links=_links(units, layout),
        compiled={
            job.id: _compiled_text(job, profile, host, compiled.get(job.id, ""))
            for job in profile.jobs.values()
        },
        has_packaged_console=_is_packaged(CONSOLE_SOCKET, layout),
        destinations={job.id: _destinations(job) for job in profile.jobs.values()},
    )


def _destinations(job: Job) -> list[str]:
    """Directories that take the job's backups, after the one of its own in which several have theirs."""
    places = [PurePosixPath(part.destination) for part in job.parts() if part.direction is Direction.PULL]
    outer = [place.parent for place in places if place.parent.name == job.id]
    return [str(place) for place in dict.fromkeys(outer + places)]


def static_units(
    host: Host, layout: Layout, templates: UnitTemplates, mail_credential: str = ""
) -> dict[str, str]:
    """The units that belong to no job, without those that a package has installed and that need no setting."""
    directory = ("units", "user") if layout.scope is Scope.USER else ("units",)
    units = {TARGET: sealed(share(*directory, TARGET).read_text(encoding="utf-8"))}
    facts_of_all = (
        *sync_units(host, layout),
        *recover_units(host, layout),
        *reporter_units(host, layout, mail_credential),
    )
    for facts in facts_of_all:
        units[facts.name] = sealed(templates.render(facts))
    for name in (CONSOLE_SOCKET, CONSOLE_SERVICE):
        text = share(*directory, name).read_text(encoding="utf-8")
        units[name] = sealed(console_text(text, host, layout))
    ours = {REPORTER_SERVICE} if mail_credential else set()
    return {name: text for name, text in units.items() if name in ours or not _is_packaged(name, layout)}


def _is_packaged(name: str, layout: Layout) -> bool:
    return (layout.packaged_units / name).exists()


def _console(
    configuration: Configuration, host: Host, layout: Layout, units: dict[str, str]
) -> dict[str, str]:
    """The drop-in for the console's port; where there is to be no console, its units are taken out of `units`."""
    port, is_user = configuration.defaults.scheduler_port, layout.scope is Scope.USER
    own = [name for name in (CONSOLE_SOCKET, CONSOLE_SERVICE) if name in units]
    if host.console_hindrance or not configuration.console.listens(port, is_user=is_user):
        for name in own:
            del units[name]
        return {}
    return {CONSOLE_PORT: sealed(console_port(port))} if port != Defaults().scheduler_port else {}


def _links(units: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """What `systemctl enable` would make of the units' [Install] sections."""
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in units if is_trigger(name)}
    if TARGET in units:
        boot = "default.target" if layout.scope is Scope.USER else "multi-user.target"
        links[f"{boot}.wants/{TARGET}"] = f"../{TARGET}"
    return links


def _compiled_text(job: Job, profile: Profile, host: Host, before: str) -> str:
    import tomli_w  # a sync that changes nothing compiles nothing

    schedules = [schedule.compiled() for schedule in job.schedules if job.enabled]
    document = {
        "compiled": VERSION,
        "role": str(profile.role),
        "max_parallel_jobs": profile.configuration.defaults.max_parallel_jobs,
        "days_of_logs": profile.configuration.defaults.days_of_logs,
        "days_of_history": profile.configuration.defaults.days_of_history,
        "agent": host.agents[job.type.agent()],
        "schedules": schedules,
        "schedule_since": _schedule_since(before, schedules, host.now),
        "job": job.compiled(),
    }
    if job.actions:
        document["actions"] = [action.compiled(host.agents) for action in job.actions]
    if job.blackout:
        document["blackout"] = job.blackout.document()
    if job.random_delay:
        document["random_delay"] = int(job.random_delay.total_seconds())
    if job.notify:
        document["notify"] = {**job.notify.document(), "repeat": profile.configuration.mail.repeat}
    return tomli_w.dumps(document)


def _schedule_since(before: str, schedules: list[dict[str, object]], now: datetime) -> datetime:
    """When the job's present schedules were first installed: now, unless it had them already."""
    try:
        document: dict[str, Any] = tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return now
    same = document.get("schedules") == schedules
    since = document.get("schedule_since")
    return since if same and isinstance(since, datetime) else now
