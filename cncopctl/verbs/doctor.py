"""doctor: gather the facts of an installation that may go wrong, and have them judged."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.doctor import Facts, Finding, JobFacts, Space, Spooled, findings
from cncopctl.core.errors import CncopError, InstallError
from cncopctl.core.faults import ProfileError
from cncopctl.core.job import Job
from cncopctl.core.layout import Layout
from cncopctl.core.mail import obstacle
from cncopctl.core.naming import PATTERN, STATIC, is_trigger, job_of, service_name
from cncopctl.core.plan import Plan
from cncopctl.core.schedule import Seed, parse
from cncopctl.edges import machine
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.configuration_file import read_configuration
from cncopctl.edges.history import History
from cncopctl.edges.mail_queue import MailQueue
from cncopctl.edges.run_files import unclosed
from cncopctl.edges.systemd import Systemd
from cncopctl.verbs import last_sync
from cncopctl.verbs.credential_store import stored
from cncopctl.verbs.installation import observe_host
from cncopctl.verbs.load_profile import load_profile, profile_files
from cncopctl.verbs.sync_profile import sync_profile

_TOLD = "doctor-told-password"
_PROGRAMS = ("rsync", "restic", "ssh")
_RUNS_ON = ("active", "activating", "deactivating", "reloading")


@dataclass(frozen=True, slots=True)
class _Desired:
    """What a sync would want, or why there is nothing to want."""

    jobs: Mapping[str, Job]
    plan: Plan = field(default_factory=Plan)
    timers: Sequence[str] = ()
    refusal: tuple[str, str] | None = None


def examine(layout: Layout, systemd: Systemd | None) -> list[Finding]:
    """Everything about the installation that is wrong, or will be.

    Raises:
        InstallError: a compiled job cannot be read.
        SystemdError: the manager does not answer.
    """
    compiled = read_compiled_jobs(layout.compiled_jobs)
    desired = _desired(layout, systemd)
    states = _states(systemd)
    last = last_sync.read(layout)
    found = findings(
        Facts(
            now=datetime.now(UTC),
            jobs=[_job(job, desired.jobs.get(job.id)) for job in compiled],
            plan=desired.plan,
            refusal=desired.refusal,
            states=states,
            timers=desired.timers,
            synced_at=last_sync.written_at(layout),
            machine_id=machine.machine_id(),
            synced_machine_id=last.machine_id if last else "",
            is_clock_synchronised=machine.is_clock_synchronised() if systemd else None,
            programs=machine.installed_programs(_PROGRAMS),
            space={job.values["destination"]: _space(job) for job in compiled if job.is_pull()},
            leftovers=_leftovers(layout, states) if systemd else {},
            history_obstacle=_history_obstacle(layout),
            unrecorded=len(History(layout.history).unrecorded()),
            spooled=_spooled(layout),
            boots=machine.boots_since(datetime.now(UTC) - timedelta(days=7)) if systemd else 0,
            has_unsaved_password=_is_to_be_told(layout),
            mail_obstacle=_mail_obstacle(layout, compiled),
            waiting_mails=len(MailQueue(layout.mail).failures()),
        )
    )
    return [replace(finding, hint=layout.typed(finding.hint)) for finding in found]


def _history_obstacle(layout: Layout) -> tuple[str, str]:
    try:
        History(layout.history).last_runs()
    except InstallError as error:
        return error.message, error.hint
    return "", ""


def _mail_obstacle(layout: Layout, jobs: Sequence[CompiledJob]) -> tuple[str, str]:
    if not any(job.notify for job in jobs):
        return "", ""
    try:
        settings = read_configuration(layout.settings).mail
    except ProfileError:
        return "", ""  # told with the profile's faults
    return obstacle(settings, stored(layout))


def _desired(layout: Layout, systemd: Systemd | None) -> _Desired:
    try:
        synced = sync_profile(layout, systemd, prune=True, dry_run=True)
        host = observe_host(layout, systemd.version() if systemd else 0)
        profile = load_profile(layout, host, profile_files(layout))
    except ProfileError as error:
        first, *others = error.faults
        more = f" (and {len(others)} more)" if others else ""
        return _Desired({}, refusal=(f"{first}{more}", first.remedy or "see: cncopctl check"))
    except CncopError as error:
        return _Desired({}, refusal=(error.message, error.hint))
    halted = synced.wanted.halted
    timers = [name for name in synced.wanted.units if is_trigger(name) and job_of(name) not in halted]
    return _Desired(profile.jobs, synced.plan, timers)


def _states(systemd: Systemd | None) -> dict[str, str]:
    if systemd is None:
        return {}
    return {unit.name: unit.active_state for unit in systemd.units([PATTERN, *STATIC]).values()}


def _job(job: CompiledJob, written: Job | None) -> JobFacts:
    seed = Seed(machine.machine_id(), job.id)
    return JobFacts(
        job.id,
        tuple(parse(text, zone=zone, seed=seed) for text, zone in job.schedules),
        _programs(job),
        job.values["destination"] if job.is_pull() else "",
        is_catching_up=bool(job.values.get("catch_up")),
        random_delay=written.random_delay if written else timedelta(),
    )


def _programs(job: CompiledJob) -> frozenset[str]:
    """The engines that the job needs, as far as they are programs (agents/README.md)."""
    ends = [str(job.values[key]) for key in ("source", "destination")]
    far = any(":" in end.partition("/")[0] and "://" not in end for end in ends)
    needed = {"rsync": job.values["type"] == "RSYNC", "restic": job.is_pull(), "ssh": far}
    return frozenset(program for program, is_needed in needed.items() if is_needed)


def _space(job: CompiledJob) -> Space | None:
    try:
        status = os.statvfs(job.values["destination"])
    except OSError:
        return None
    return Space(status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize)


def _leftovers(layout: Layout, states: Mapping[str, str]) -> dict[str, str]:
    return {
        run: job
        for run, job in unclosed(layout.runs).items()
        if states.get(service_name(job), "inactive") not in _RUNS_ON
    }


def _spooled(layout: Layout) -> Spooled:
    waiting = [*_ages(layout.messages), *_ages(layout.mail)]
    return Spooled(len(waiting), max(waiting, default=timedelta()), len(_ages(layout.spool / "Bad")))


def _ages(directory: Path) -> list[timedelta]:
    """How long each file in it has been there; a clock that was set back makes none younger than new."""
    now, ages = time.time(), []
    for path in directory.glob("[!.]*"):
        with contextlib.suppress(OSError):  # was handed on meanwhile
            ages.append(timedelta(seconds=max(0.0, now - path.lstat().st_mtime)))
    return ages


def _is_to_be_told(layout: Layout) -> bool:
    """Whether nobody has been told yet to keep a copy of the password; asking counts as telling."""
    told: Path = layout.state / _TOLD
    if told.exists() or REPOSITORY_PASSWORD not in stored(layout):
        return False
    with contextlib.suppress(OSError):
        told.touch()
    return True
