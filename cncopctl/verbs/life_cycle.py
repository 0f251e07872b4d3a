"""The events of a job's life: stop, start, abort, remove.

What somebody has said is written down before anything is done about it, so that a kill in between leaves what the
next sync completes. What is done is a plan like that of a sync, over the units that are installed: it needs no
valid profile, since a job has to be stopped above all when something is wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from cncopctl.core.choice import Named
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.life_cycle import Halt, Status, held_back
from cncopctl.core.naming import TARGET, is_timer, job_of, service_name
from cncopctl.core.plan import Installed, Loaded, Wanted, make_plan
from cncopctl.core.seal import Seal
from cncopctl.edges.aborts import note_abort, person
from cncopctl.edges.files import write_atomically
from cncopctl.edges.halts import halt_file, read_halts, remove_halt
from cncopctl.edges.history import History
from cncopctl.edges.pauses import remove_pause
from cncopctl.edges.systemd import Systemd
from cncopctl.edges.unit_dir import read_installed
from cncopctl.verbs.apply_plan import apply_plan
from cncopctl.verbs.sync_profile import alone, read_loaded, sync_profile

_UP = ("active", "activating", "reloading")


def halt_jobs(layout: Layout, systemd: Systemd | None, jobs: Iterable[Named], status: Status) -> list[Halt]:
    """Stop `jobs`, or remove them: nothing schedules them until they are started; a run under way goes on.

    Raises:
        InstallError: units or state cannot be changed.
        LockedError: a sync is at work.
        SystemdError: the manager refuses.
    """
    now = datetime.now(UTC)
    halts = [Halt(job.id, job.title, status, now) for job in jobs]
    with alone(layout, dry_run=False):
        try:
            layout.halts.mkdir(parents=True, exist_ok=True)
            for halt in halts:
                write_atomically(halt_file(layout.halts, halt.job), json.dumps(halt.document()) + "\n")
                if status is Status.REMOVED:
                    remove_pause(layout.pauses, halt.job)
        except OSError as error:
            raise _failed(error) from error
        _settle(layout, systemd, {halt.job for halt in halts}, {halt.job: halt for halt in halts})
    return halts


def start_jobs(layout: Layout, systemd: Systemd | None, jobs: Sequence[Named]) -> dict[str, bool]:
    """Schedule `jobs` again, each as its profile says; by job, whether it was stopped or removed.

    What was not run meanwhile is not made up for. A job that was removed comes back by a sync.

    Raises:
        ProfileError: a job was removed, and the profile that has it is not valid.
        InstallError, LockedError, SystemdError: as for halt_jobs().
    """
    with alone(layout, dry_run=False):
        halts = read_halts(layout.halts)
        found = {job.id: job.id in halts for job in jobs}
        try:
            for job in jobs:
                remove_halt(layout.halts, job.id)
        except OSError as error:
            raise _failed(error) from error
        _settle(layout, systemd, set(found), {})
    if any(halts[job].status is Status.REMOVED for job, was_halted in found.items() if was_halted):
        sync_profile(layout, systemd, prune=True, dry_run=False)
    return found


def abort_jobs(layout: Layout, systemd: Systemd, jobs: Sequence[CompiledJob]) -> dict[str, str]:
    """Stop the runs of `jobs` that are under way; by job, how it ended, "" where there was none.

    All are told to stop before the first is waited for. Their services close the runs: each is ABORTED, and reported.

    Raises:
        SystemdError: the manager refuses.
    """
    services = {job.id: service_name(job.id) for job in jobs}
    states = {unit.name: unit.active_state for unit in systemd.units(services.values()).values()}
    running = [job for job, service in services.items() if states.get(service, "inactive") in (*_UP, _ENDING)]
    now, who = datetime.now(UTC), person(os.environ)
    for job in running:
        note_abort(layout.aborts, job, f"{who} with cncopctl job abort")
    stops = [systemd.stop(services[job], wait=False) for job in running]
    systemd.wait_for(stops)
    ended = {}
    for job in running:
        systemd.wait_until_ended(services[job])
        runs = History(layout.history).last_runs()
        run = runs.get(job)
        is_its = run is not None and run.ended is not None and run.ended >= now
        ended[job] = f"{run.outcome}: {run.phrase}" if run and is_its else "had ended"
    return {job.id: ended.get(job.id, "") for job in jobs}


_ENDING = "deactivating"


def _settle(
    layout: Layout, systemd: Systemd | None, jobs: Collection[str], halts: Mapping[str, Halt]
) -> None:
    """Make the installed units of `jobs` follow what was said."""
    try:
        installed = _of(jobs, read_installed(layout.units, layout.compiled_jobs))
    except OSError as error:
        raise _failed(error) from error
    wanted = held_back(_as_installed(installed), halts)
    loaded = _loaded_of(jobs, read_loaded(systemd, is_first=False))
    apply_plan(make_plan(wanted, installed, loaded), wanted, layout, systemd)


def _of(jobs: Collection[str], installed: Installed) -> Installed:
    """What is installed of `jobs` and is ours to change: what somebody has masked or written is left to a sync."""
    units = {
        name: unit
        for name, unit in installed.units.items()
        if job_of(name) in jobs and unit.seal is not Seal.FOREIGN
    }
    return Installed(
        units=units,
        links={link: to for link, to in installed.links.items() if job_of(_unit(link)) in jobs},
        compiled={job: text for job, text in installed.compiled.items() if job in jobs},
    )


def _as_installed(installed: Installed) -> Wanted:
    """What is there, with every timer enabled."""
    return Wanted(
        units={name: unit.text for name, unit in installed.units.items()},
        links={f"{TARGET}.wants/{name}": f"../{name}" for name in installed.units if is_timer(name)},
        compiled=installed.compiled,
    )


def _loaded_of(jobs: Collection[str], loaded: Loaded | None) -> Loaded | None:
    if loaded is None:
        return None

    def concerns(name: str) -> bool:
        return name == TARGET or job_of(name) in jobs

    return Loaded(
        active={name: state for name, state in loaded.active.items() if concerns(name)},
        from_files=frozenset(filter(concerns, loaded.from_files)),
        loaded_at=loaded.loaded_at,
        resumes=loaded.resumes,
    )


def _unit(link: str) -> str:
    return link.rpartition("/")[2]


def _failed(error: OSError) -> InstallError:
    hint = "try again with sudo, or with --user for jobs of your own" if os.geteuid() else "is the disk full?"
    return InstallError(f"{error.filename}: {error.strerror}", hint)
