"""sync-profile: make the installed units match the profile.

Load the profile, render the units that it wants, have systemd verify what is new, read what is installed,
plan, apply, and return what was done.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.errors import InstallError, LockedError, SystemdError
from cncopctl.core.host import Host
from cncopctl.core.layout import Layout
from cncopctl.core.life_cycle import held_back
from cncopctl.core.naming import CONSOLE_SOCKET, PATTERN, STATIC, TARGET, is_trigger, job_of
from cncopctl.core.plan import Action, Installed, Loaded, Plan, Wanted, make_plan
from cncopctl.edges.halts import read_halts, remove_halts_but
from cncopctl.edges.pauses import read_pauses, remove_pauses_but
from cncopctl.edges.profile_files import ProfileFile
from cncopctl.edges.systemd import LoadedUnit, Systemd
from cncopctl.edges.unit_dir import read_installed
from cncopctl.verbs import last_sync
from cncopctl.verbs.apply_plan import apply_plan, make_directories, remove_leftovers, verify_plan
from cncopctl.verbs.installation import observe_host
from cncopctl.verbs.load_profile import load_profile, profile_files


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync found and did: the plan, what was there before, and how many jobs the profile has."""

    plan: Plan
    wanted: Wanted
    installed: Installed
    jobs: int


def sync_profile(layout: Layout, systemd: Systemd | None, *, prune: bool, dry_run: bool) -> Synced:
    """Sync, or with `dry_run` only say what a sync would do.

    Args:
        layout: the installation.
        systemd: the manager whose units these are; None for an installation under a directory.
        prune: whether jobs that left the profile lose their units.
        dry_run: whether to change nothing.

    Raises:
        ProfileError: the profile is not valid; nothing was changed.
        InstallError: units cannot be read, verified or written.
        LockedError: another sync is at work.
        SystemdError: the manager does not answer, or refuses.
    """
    if reason := layout.refusal():
        raise InstallError(reason, "choose directories without it")
    host = observe_host(layout, systemd.version() if systemd else 0)
    files = profile_files(layout)
    with alone(layout, dry_run=dry_run):
        if not dry_run:
            remove_leftovers(layout)
        installed = _read(layout, files)
        halts = read_halts(layout.halts)
        fingerprint = last_sync.fingerprint(layout, host, files, halts)
        last = last_sync.read(layout)
        loaded = read_loaded(systemd, is_first=last is None)
        if last and last.fingerprint == fingerprint and (unchanged := last.as_wanted(installed)):
            unchanged = held_back(unchanged, halts)
            plan = make_plan(unchanged, installed, loaded, prune=prune)
            if not plan:
                plan = _with_words(plan, layout, host)
                return Synced(plan, unchanged, installed, len(unchanged.compiled))
        asked = _wanted(layout, host, files, installed)
        wanted = held_back(asked, {job: halt for job, halt in halts.items() if job in asked.compiled})
        plan = make_plan(wanted, installed, loaded, prune=prune)
        _refuse_conflicts(layout, plan)
        if dry_run:
            verify_plan(plan, layout)
        else:
            is_password_new = make_directories(layout, wanted)
            plan = replace(plan, notes=(*plan.notes, _KEEP)) if is_password_new else plan
            plan = apply_plan(plan, wanted, layout, systemd)
            if systemd and plan.of(Action.START):
                _check_started(layout, wanted, systemd)
            _note(layout, fingerprint, wanted, host.machine_id)
            if systemd and CONSOLE_SOCKET in wanted.units:
                plan = _with_console(plan, layout, systemd)
        return Synced(_with_words(plan, layout, host), wanted, installed, len(wanted.compiled))


_KEEP = (
    "the repositories have a new password, without which no backup opens: "
    "keep a copy of it elsewhere, see: cncopctl credential show repository-password"
)


def _with_console(plan: Plan, layout: Layout, systemd: Systemd) -> Plan:
    """The plan with a word on a console that does not listen: backups go on without it."""
    socket = systemd.units([CONSOLE_SOCKET]).get(CONSOLE_SOCKET)
    if socket is None or socket.active_state != "failed":
        return plan
    note = f"the console does not listen, its port may be taken; look at: systemctl status {CONSOLE_SOCKET}"
    return replace(plan, notes=(*plan.notes, layout.typed(note)))


def _with_words(plan: Plan, layout: Layout, host: Host) -> Plan:
    """The plan with a word on each job that is paused or halted: nobody should wonder why nothing starts it.

    And on why there is no console, where there cannot be one.
    """
    pauses = read_pauses(layout.pauses, datetime.now(UTC)).values()
    halts = read_halts(layout.halts).values()
    words = [f"{pause.job} is {pause.sentence()}" for pause in pauses]
    words += [f"{halt.job} is {halt.sentence()}" for halt in halts]
    words += [f"there is no console: {host.console_hindrance}"] if host.console_hindrance else []
    return replace(plan, notes=(*plan.notes, *words))


def _note(layout: Layout, fingerprint: str, wanted: Wanted, machine_id: str) -> None:
    try:
        jobs = {path.stem for path in layout.compiled_jobs.glob("*.toml")}
        remove_pauses_but(layout.pauses, jobs)
        remove_halts_but(layout.halts, jobs | wanted.halted.keys())
        last_sync.write(layout, fingerprint, wanted, machine_id)
    except OSError as error:
        raise _not_writable(layout.state, error) from error


def _wanted(layout: Layout, host: Host, files: Sequence[ProfileFile], installed: Installed) -> Wanted:
    from cncopctl.verbs.render import render  # a sync that changes nothing renders nothing

    return render(load_profile(layout, host, files), host, layout, installed.compiled)


def _read(layout: Layout, files: Sequence[ProfileFile]) -> Installed:
    """systemd counts a unit as changed when its SourcePath= is newer, so the profile files matter here too."""
    try:
        sources = [layout.configuration / file.name for file in files if not file.fault]
        return read_installed(layout.units, layout.compiled_jobs, sources)
    except OSError as error:
        raise InstallError(
            f"{error.filename}: {error.strerror}", "try again with sudo, or with --user for jobs of your own"
        ) from error


def read_loaded(systemd: Systemd | None, *, is_first: bool) -> Loaded | None:
    """What the manager has loaded of ours; None where there is none.

    Raises:
        SystemdError: it does not answer.
    """
    if systemd is None:
        return None
    units = systemd.units([PATTERN, *STATIC])
    target = units.get(TARGET)
    is_up = target is not None and target.is_up()
    return Loaded(
        active={unit.name: unit.active_state for unit in units.values()},
        from_files=frozenset(unit.name for unit in units.values() if unit.load_state == "loaded"),
        loaded_at=systemd.units_loaded_at(),
        resumes=is_up or is_first,
        console_since=_console_since(systemd, units),
    )


def _console_since(systemd: Systemd, units: Mapping[str, LoadedUnit]) -> datetime | None:
    console = [units[CONSOLE_SOCKET]] if CONSOLE_SOCKET in units else []
    return systemd.active_since(console).get(CONSOLE_SOCKET)


def _check_started(layout: Layout, wanted: Wanted, systemd: Systemd) -> None:
    """A target becomes active whatever becomes of the timers that it only wants: look at each.

    A console that does not listen is no reason to fail (`_with_console`).
    """
    units = systemd.units([PATTERN, *STATIC])
    idle = [
        name
        for name in wanted.units
        if is_trigger(name) and job_of(name) not in wanted.halted and name != CONSOLE_SOCKET
        if name not in units or not units[name].is_up()
    ]
    if idle:
        raise SystemdError(
            f"{len(idle)} of the timers did not start, first {idle[0]}",
            layout.typed(f"look at: systemctl status {idle[0]}"),
        )


def _refuse_conflicts(layout: Layout, plan: Plan) -> None:
    if plan.conflicts:
        paths = ", ".join(str(layout.units / name) for name in plan.conflicts[:5])
        raise InstallError(
            f"{paths}: is not ours, and a job needs its name; nothing was changed",
            "move it away, or give the job another id",
        )


@contextlib.contextmanager
def alone(layout: Layout, *, dry_run: bool) -> Iterator[None]:
    """Keep other syncs out, by a lock that the kernel releases however we end. A dry run needs none.

    Raises:
        LockedError: another one is at work.
        InstallError: there is no lock to be had.
    """
    if dry_run:
        yield
        return
    path = layout.state / "sync.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise LockedError("another sync-profile is at work", "wait for it, then try again") from error
    finally:
        os.close(descriptor)


def _not_writable(path: Path, error: OSError) -> InstallError:
    hint = "try again with sudo, or with --user for jobs of your own" if os.geteuid() else "is the disk full?"
    return InstallError(f"{path}: {error.strerror}", hint)
