"""What the units of a job have to say: the values that the templates in units/templates/ write out.

Everything here is quoted already, so that a template only chooses lines. A directive that is younger than
systemd 252, the oldest one supported, is only given where the host's systemd knows it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cncopctl.core.credential_names import KNOWN_HOSTS, REPOSITORY_PASSWORD
from cncopctl.core.faults import printable
from cncopctl.core.host import Host
from cncopctl.core.job import Direction, Job, JobType, Priority, TranslatedSchedule
from cncopctl.core.layout import ENCRYPTED, Layout, Scope
from cncopctl.core.naming import (
    RECOVER_SERVICE,
    RECOVER_TIMER,
    REPORTER_PATH,
    REPORTER_SERVICE,
    REPORTER_TIMER,
    SYNC_SERVICE,
    SYNC_TIMER,
    TARGET,
    move_timer_name,
    service_name,
    timer_name,
)
from cncopctl.core.schedule import Translation
from cncopctl.core.unit_text import Place, quote

if TYPE_CHECKING:
    from cncopctl.core.calendars import Blackout

# Certificates of authorities that FTPS servers are signed by, besides those that the system knows.
CA_CERTIFICATES = "ca-certificates"

# Seconds for what a run does besides its agent and the user's commands.
_CLOSING = 120

# What PrivateTmp= hides.
_PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 - named, not used

# What rsync and restic need to read what belongs to others and to give it back to them in the mirror.
_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_SETFCAP",
)


_PACKAGED_CONSOLE = "/usr/bin/python3 -I -S /usr/lib/python3/dist-packages/cncopctl/console/__main__.py"


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit to be rendered: its name, its template and the values that the template takes."""

    name: str
    template: str
    values: dict[str, object]


def job_units(job: Job, host: Host, layout: Layout) -> Iterator[UnitFacts]:
    """The service of `job`, and a timer for each of its schedules that has anything left to do."""
    yield UnitFacts(service_name(job.id), "job.service.j2", _service_values(job, host, layout))
    if job.enabled:
        for number, schedule in enumerate(job.schedules, 1):
            if not schedule.translation.is_over:
                values = _timer_values(job, schedule, layout)
                yield UnitFacts(timer_name(job.id, number), "job.timer.j2", values)
        if job.blackout and not all(schedule.translation.is_over for schedule in job.schedules):
            yield from _move_unit(job, job.blackout, host, layout)


def sync_units(host: Host, layout: Layout) -> Iterator[UnitFacts]:
    """What syncs again each week, and when the machine's clock or time zone is changed."""
    program = f"{quote(host.python, Place.WORD)} -I -m cncopctl.cli.main sync-profile {_flag(layout)}"
    writable = " ".join(quote(f"-{path}", Place.WORD) for path in (layout.units, layout.configuration))
    sandbox = layout.scope is not Scope.USER
    values = {"target": TARGET, "program": program, "sandbox": sandbox, "writable": writable}
    yield UnitFacts(SYNC_SERVICE, "sync.service.j2", values)
    yield UnitFacts(SYNC_TIMER, "sync.timer.j2", values)


def reporter_units(host: Host, layout: Layout, mail_credential: str = "") -> Iterator[UnitFacts]:
    """What hands reports and mail on: as soon as there are any, and now and then what could not be handed on."""
    hidden = (layout.credentials, layout.repositories, layout.cache)
    suffix = ENCRYPTED if mail_credential and host.is_encrypted(mail_credential) else ""
    values: dict[str, object] = {
        "target": TARGET,
        "program": f"{quote(host.python, Place.WORD)} -I -m cncopctl.reporter {_flag(layout)}",
        "credential": mail_credential,
        "credential_path": quote(f"{layout.credentials}/{mail_credential}{suffix}", Place.TEXT),
        "is_encrypted": bool(suffix),
        "wake": quote(f"{layout.spool}/wake", Place.TEXT),
        "watched": [quote(str(path), Place.TEXT) for path in (layout.messages, layout.mail)],
        "sandbox": layout.scope is not Scope.USER,
        "writable": " ".join(quote(f"-{path}", Place.WORD) for path in (layout.spool, layout.logs)),
        "hidden": " ".join(quote(f"-{path}", Place.WORD) for path in hidden),
    }
    yield UnitFacts(REPORTER_SERVICE, "reporter.service.j2", values)
    yield UnitFacts(REPORTER_PATH, "reporter.path.j2", values)
    yield UnitFacts(REPORTER_TIMER, "reporter.timer.j2", values)


def _dispatcher(host: Host) -> str:
    """The dispatcher's program: without site (-S), as it needs nothing but Python's own modules and ours."""
    if not host.dispatcher:
        return f"{quote(host.python, Place.WORD)} -I -m cncopctl.dispatcher"
    return f"{quote(host.python, Place.WORD)} -I -S {quote(host.dispatcher, Place.WORD)}"


def recover_units(host: Host, layout: Layout) -> Iterator[UnitFacts]:
    """What closes, at boot and each hour, the runs that were cut off."""
    writable = (layout.logs, layout.spool, layout.state)
    values: dict[str, object] = {
        "target": TARGET,
        "program": f"{_dispatcher(host)} {_flag(layout)} recover",
        "runs": quote(str(layout.runs), Place.TEXT),
        "sandbox": layout.scope is not Scope.USER,
        "writable": " ".join(quote(f"-{path}", Place.WORD) for path in writable),
    }
    yield UnitFacts(RECOVER_SERVICE, "recover.service.j2", values)
    yield UnitFacts(RECOVER_TIMER, "recover.timer.j2", values)


def console_text(text: str, host: Host, layout: Layout) -> str:
    """One of the console's static units, which name the package's program, for this host and layout."""
    if host.console:
        program = f"{quote(host.python, Place.WORD)} -I -S {quote(host.console, Place.WORD)}"
        text = text.replace(_PACKAGED_CONSOLE, program)
    return text.replace(" --system\n", f" {_flag(layout)}\n").replace(" --user\n", f" {_flag(layout)}\n")


def console_port(port: int) -> str:
    """The drop-in that moves the console to `port`: an empty value forgets those of the unit (systemd.socket(5))."""
    return (
        "# Made by cncopctl sync-profile from scheduler_port in cncop3.ini.\n[Socket]\n"
        f"ListenStream=\nListenStream=127.0.0.1:{port}\nListenStream=[::1]:{port}\n"
    )


def _timer_values(job: Job, translated: TranslatedSchedule, layout: Layout) -> dict[str, object]:
    schedule, translation = translated.schedule, translated.translation
    return {
        "explain": f"{printable(schedule.text)}: {printable(schedule.explain())}",
        "title": quote(job.title, Place.TEXT),
        "source_path": _source_path(job, layout),
        "target": TARGET,
        "service": service_name(job.id),
        "oncalendar": translation.oncalendar,
        "monotonic": list(_monotonic(translation)),
        "persistent": "yes" if job.catch_up else "no",
        "random_delay": int(job.random_delay.total_seconds()),
    }


def _move_unit(job: Job, blackout: Blackout, host: Host, layout: Layout) -> Iterator[UnitFacts]:
    """The timer that elapses whenever a blackout ends, where runs are moved there."""
    from cncopctl.core.calendars import InBlackout, end_lines
    from cncopctl.core.schedule.translate import HORIZON, window

    ahead = window(host.now, HORIZON)
    lines = end_lines(blackout, ahead.start, ahead.end)
    if blackout.effect is not InBlackout.MOVE or not lines:
        return
    values: dict[str, object] = {
        "explain": "whenever a blackout ends: the gate lets those runs pass that fell into it",
        "title": quote(job.title, Place.TEXT),
        "source_path": _source_path(job, layout),
        "target": TARGET,
        "service": service_name(job.id),
        "oncalendar": lines,
        "monotonic": [],
        "persistent": "yes" if job.catch_up else "no",
        "random_delay": int(job.random_delay.total_seconds()),
    }
    yield UnitFacts(move_timer_name(job.id, len(job.schedules)), "job.timer.j2", values)


def _monotonic(translation: Translation) -> Iterator[tuple[str, str]]:
    for name, span in (("OnBootSec", translation.on_boot), ("OnUnitInactiveSec", translation.on_inactive)):
        if span is not None:
            yield name, f"{span.total_seconds():g}s"


def _service_values(job: Job, host: Host, layout: Layout) -> dict[str, object]:
    own = layout.scope is Scope.SYSTEM
    is_local = all(map(_is_local, job.parts()))
    return {
        "id": job.id,
        "title": quote(job.title, Place.TEXT),
        "source_path": _source_path(job, layout),
        "target": TARGET,
        "program": f"{_dispatcher(host)} {_flag(layout)}",
        "has_before": bool(job.commands.before),
        "has_after": bool(job.commands.after_success or job.commands.after_failure),
        "timeout": int(job.timeout.total_seconds()),
        "stop_timeout": _stop_timeout(job),
        "mounts": " ".join(_mounts(job)) if layout.scope is not Scope.USER else "",
        "needs_network": own and not is_local,
        "credentials": _credential_files(job, host, layout, encrypted=False),
        "encrypted_credentials": _credential_files(job, host, layout, encrypted=True),
        "low_priority": job.priority is Priority.LOW,
        "limits": list(_limits(job)),
        "sandbox": layout.scope is not Scope.USER,
        "writable": " ".join(_writable(job, layout)),
        "private_tmp": not _touches_tmp(job),
        "capabilities": " ".join(_CAPABILITIES),
        "address_families": "AF_UNIX" if is_local else "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    }


def _stop_timeout(job: Job) -> int:
    """Seconds that each ExecStopPost= line may take: a user's command ends by its own limit, the close in no time."""
    has_after = job.commands.after_success or job.commands.after_failure
    return _CLOSING + (int(job.commands.timeout.total_seconds()) if has_after else 0)


def _credential_files(job: Job, host: Host, layout: Layout, *, encrypted: bool) -> list[tuple[str, str]]:
    suffix = ENCRYPTED if encrypted else ""
    names = [name for name in credentials_of(job, host) if host.is_encrypted(name) is encrypted]
    return [(name, quote(f"{layout.credentials}/{name}{suffix}", Place.TEXT)) for name in names]


def credentials_of(job: Job, host: Host) -> list[str]:
    """Names of the credentials that a run of `job` is given."""
    parts = job.parts()
    names = [REPOSITORY_PASSWORD] if any(part.direction is Direction.PULL for part in parts) else []
    names += [part.credential for part in parts if part.credential]
    wanted = [KNOWN_HOSTS] if not all(map(_is_local, parts)) else []
    wanted += [CA_CERTIFICATES] if any(part.type is JobType.FTPS for part in parts) else []
    return list(dict.fromkeys(names + [name for name in wanted if name in host.credentials]))


def _source_path(job: Job, layout: Layout) -> str:
    return quote(f"{layout.configuration}/{job.file}", Place.TEXT)


def _flag(layout: Layout) -> str:
    return quote(layout.flag(), Place.ARGUMENT)


def _is_local(job: Job) -> bool:
    return job.is_local_source() and job.destination.startswith("/")


def _mounts(job: Job) -> Iterator[str]:
    for path in _paths(job):
        yield quote(path, Place.WORD)


def _paths(job: Job) -> list[str]:
    """The places on this machine that the job's actions are about, each once."""
    paths = [path for part in job.parts() for path in (part.source, part.destination)]
    targets = [action.target for action in job.actions]
    return list(dict.fromkeys(path for path in paths + targets if path.startswith("/")))


def _writable(job: Job, layout: Layout) -> Iterator[str]:
    """The places that a run writes.

    The hyphen lets the run begin where one of them is missing: the agent says so in better words than
    systemd's "failed at step NAMESPACE", and the run is closed and reported.
    """
    own = [str(path) for path in (layout.logs, layout.spool, layout.state, layout.cache)]
    places = [part.destination for part in job.parts()] + [action.target for action in job.actions]
    for path in dict.fromkeys(own + [place for place in places if place.startswith("/")]):
        yield quote(f"-{path}", Place.WORD)


def _touches_tmp(job: Job) -> bool:
    """Whether a private /tmp would hide what the job is about: it would find its source empty."""
    places = [posixpath.normpath(path) for path in _paths(job)]
    return any(_is_within(place, tmp) or _is_within(tmp, place) for place in places for tmp in _PRIVATE)


def _is_within(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/".replace("//", "/"))


def _limits(job: Job) -> Iterator[tuple[str, str]]:
    if job.limits.cpu:
        yield "CPUQuota", f"{job.limits.cpu}%"
    if job.limits.memory:
        yield "MemoryMax", str(job.limits.memory)
    if job.limits.io_weight:
        yield "IOWeight", str(job.limits.io_weight)
