"""why: gather what bears on one job, and have it answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cncopctl.core.calendars import Blackout, InBlackout
from cncopctl.core.choice import choose_job
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import CncopError, UsageError
from cncopctl.core.job import Job
from cncopctl.core.layout import Layout
from cncopctl.core.naming import move_timer_name, service_name, timer_name
from cncopctl.core.overdue import next_due
from cncopctl.core.why import Answer, Reason, Show, TimerFacts, WhyFacts, answer
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.halts import read_halts
from cncopctl.edges.lock import JobLock
from cncopctl.edges.pauses import read_pause
from cncopctl.edges.systemd import LoadedUnit, Systemd
from cncopctl.verbs.installation import observe_host
from cncopctl.verbs.load_profile import load_profile, profile_files
from cncopctl.verbs.standing import gather, observe_timers


def why(layout: Layout, systemd: Systemd | None, word: str, show: Show) -> tuple[str, Answer]:
    """The id of the job that `word` names by id or title, and why it does what it does, or does not.

    Raises:
        UsageError: there is no such job, neither installed nor in the profile.
        InstallError: what is known of it cannot be read.
        SystemdError: the manager does not answer.
    """
    installed = read_compiled_jobs(layout.compiled_jobs)
    try:
        job = choose_job(word, installed)
    except UsageError:
        if known := _not_installed(layout, systemd, word):
            return known
        raise
    found = answer(_facts(layout, systemd, job), show)
    return job.id, replace(found, hint=layout.typed(found.hint))


def _not_installed(layout: Layout, systemd: Systemd | None, word: str) -> tuple[str, Answer] | None:
    """The answer about a job that was removed, or that the profile has and no sync has installed."""
    for halt in read_halts(layout.halts).values():
        if word in (halt.job, halt.title):
            hint = f"run: cncopctl job start {halt.job}"
            return halt.job, Answer(Reason.STOPPED, f"is {halt.sentence()}", hint)
    for job in _profile(layout, systemd).values():
        if job.id == word or job.title.casefold() == word.casefold():
            what = f"is in {job.file}, but no sync has installed it yet"
            return job.id, Answer(Reason.NOT_SYNCED, what, "run: cncopctl sync-profile")
    return None


def _profile(layout: Layout, systemd: Systemd | None) -> dict[str, Job]:
    """The jobs of the profile as it is now; none where it is not valid."""
    try:
        host = observe_host(layout, systemd.version() if systemd else 0)
        return dict(load_profile(layout, host, profile_files(layout)).jobs)
    except CncopError:
        return {}


def _facts(layout: Layout, systemd: Systemd | None, job: CompiledJob) -> WhyFacts:
    now = datetime.now(UTC)
    timers = observe_timers(systemd, [job])
    (known,) = gather(layout, [job], timers, now)
    written = _profile(layout, systemd).get(job.id)
    halt, pause = read_halts(layout.halts).get(job.id), read_pause(layout.pauses, job.id, now)
    blackout = Blackout.from_document(job.blackout) if job.blackout else None
    service = systemd.state_of(service_name(job.id)) if systemd else None
    units = systemd.units([f"{service_name(job.id).removesuffix('.service')}*"]) if systemd else {}
    next_run = _next_run(systemd, job, units) if systemd else next_due(known, now)
    excuse = known.excuse(next_run) if next_run else None
    return WhyFacts(
        known,
        now,
        timers.up_since,
        has_systemd=systemd is not None,
        next_run=next_run,
        is_target_active=timers.is_target_active,
        timers=_timers(systemd, job) if systemd else (),
        service_load_state=service.load_state if service else "loaded",
        refused_at=service.refused_at if service else None,
        is_enabled=written.enabled if written else None,
        halt=halt.sentence() if halt else "",
        pause=pause.sentence() if pause else "",
        blackout=_inside(blackout, now),
        next_excuse=excuse.sentence if excuse else "",
        lock=_lock(layout, job),
    )


def _timers(systemd: Systemd, job: CompiledJob) -> tuple[TimerFacts, ...]:
    names = [timer_name(job.id, number + 1) for number in range(len(job.schedules))]
    states = {name: systemd.state_of(name) for name in names}
    return tuple(TimerFacts(name, state.load_state, state.active_state) for name, state in states.items())


def _next_run(systemd: Systemd, job: CompiledJob, units: dict[str, LoadedUnit]) -> datetime | None:
    """When a timer starts it next; the end of a blackout is no time of the job's own."""
    end = move_timer_name(job.id, len(job.schedules)) if job.blackout else ""
    timers = [
        unit for name, unit in units.items() if name.endswith(".timer") and unit.is_up() and name != end
    ]
    return min(systemd.next_elapses(timers).values(), default=None)


def _inside(blackout: Blackout | None, now: datetime) -> str:
    if blackout is None or blackout.effect is InBlackout.REPORT or not (inside := blackout.around(now)):
        return ""
    return f"in the blackout {inside[0]} until {inside[1].astimezone():%Y-%m-%d %H:%M %Z}"


def _lock(layout: Layout, job: CompiledJob) -> str:
    """Who holds the job's lock; "" where nobody does, or where we may not look."""
    try:
        if not (layout.locks / f"{job.id}.lock").exists():
            return ""
        with JobLock(layout.locks, job.id) as lock:
            return lock.holder() if lock.is_held() else ""
    except OSError:
        return ""
