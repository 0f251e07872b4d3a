"""Carrying out a plan, in its order."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cncopctl.core.errors import InstallError, SystemdError
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.naming import TARGET, is_drop_in, job_of
from cncopctl.core.plan import NEW_JOB, Action, Plan, Step, Wanted, is_running
from cncopctl.edges import files
from cncopctl.edges.systemd import Systemd
from cncopctl.edges.verification import Verification
from cncopctl.verbs.credential_store import make_repository_password
from cncopctl.verbs.installation import account_gid

# Group and set-group-ID: root:cncop.
_SHARED = 0o2750


def make_directories(layout: Layout, wanted: Wanted) -> bool:
    """Make what runs need and nobody else makes: our directories and the repositories' password.

    Returns whether that password is a new one.

    Raises:
        InstallError: something cannot be made.
    """
    private = (
        layout.spool,
        layout.messages,
        layout.mail,
        layout.archive,
        layout.logs,
        layout.runs,
        layout.cache,
        layout.credentials,
    )
    try:
        for directory in (layout.units, layout.state, layout.compiled_jobs):
            directory.mkdir(parents=True, exist_ok=True)
        for directory in private:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if layout.scope is Scope.SYSTEM and (group := account_gid()) is not None:
            _share_state(layout, group)
        if not wanted.compiled:
            return False
        layout.repositories.mkdir(mode=0o700, parents=True, exist_ok=True)
        places = [Path(place, "repository") for job in wanted.destinations.values() for place in job]
        return make_repository_password(layout, places)
    except OSError as error:
        raise _failed(error) from error


def _share_state(layout: Layout, group: int) -> None:
    """Let the group of the console's user read jobs, runs and history, and nobody else (docs/decisions/0007).

    With the set-group-ID bit, what is made in these directories later belongs to that group by itself. A sync by its
    timer may not change groups (sync.service.j2); one by root's hand, or the package, has done so before.
    """
    for directory in (layout.state, layout.compiled_jobs, layout.runs):
        status = directory.stat()
        if status.st_gid == group and stat.S_IMODE(status.st_mode) == _SHARED:
            continue
        with contextlib.suppress(PermissionError):
            os.chown(directory, -1, group)
            directory.chmod(_SHARED)
            for path in (layout.history, *directory.glob("*.toml")):
                if path.exists():
                    os.chown(path, -1, group)
                    path.chmod(0o640)


def remove_leftovers(layout: Layout) -> None:
    """Remove what a killed sync has left half made.

    Raises:
        InstallError: it cannot be removed.
    """
    try:
        for directory in (layout.units, layout.units / f"{TARGET}.wants", layout.compiled_jobs, layout.state):
            files.remove_leftovers(directory)
    except OSError as error:
        raise _failed(error) from error


def verify_plan(plan: Plan, layout: Layout) -> None:
    """Have systemd read the units that `plan` writes, in a scratch directory.

    Raises:
        InstallError: it finds fault with one.
    """
    units = {step.name: step.text for step in plan.of(Action.WRITE)}
    try:
        with tempfile.TemporaryDirectory(prefix="cncop-verify-") as scratch:
            if any(not is_drop_in(name) for name in units):
                _verification(files.Staging(Path(scratch), units).directory, units, layout).require()
    except OSError as error:
        raise _failed(error) from error


def _verification(directory: Path, units: Iterable[str], layout: Layout) -> Verification:
    names = [name for name in units if not is_drop_in(name)]
    return Verification(directory, names, user=layout.scope is Scope.USER)


def apply_plan(plan: Plan, wanted: Wanted, layout: Layout, systemd: Systemd | None) -> Plan:
    """Do all steps of `plan`, unless systemd finds fault with one of its units: then nothing is changed.

    Returns the plan as it was carried out: what a timer has started since it was made is left to the next sync.

    Raises:
        InstallError: a unit is not valid, or a file cannot be written or removed.
        SystemdError: the manager refuses a step.
    """
    try:
        staged = _stage(plan, wanted, layout)
        for action in Action:
            if steps := plan.of(action):
                _do(action, steps, layout, systemd, staged)
            if action is Action.STOP and systemd:
                plan = _without_begun(plan, systemd)
    except OSError as error:
        raise _failed(error) from error
    return plan


def _without_begun(plan: Plan, systemd: Systemd) -> Plan:
    """The plan less the removal of services that are running, now that their timers are stopped.

    A unit file that goes away in the middle of a run takes its next command with it (systemd: "no 'start' task").
    """
    removed = [step.name for step in plan.of(Action.DELETE) if job_of(step.name)]
    units = systemd.units(removed) if removed else {}
    begun = [name for name, unit in units.items() if name.endswith(".service") and unit.is_at_work()]
    jobs = {job_of(name) for name in begun}
    left = {Action.DELETE: begun, Action.FORGET: jobs}
    steps = tuple(step for step in plan.steps if step.name not in left.get(step.action, ()))
    return replace(plan, steps=steps, notes=(*plan.notes, *map(is_running, begun)))


def _stage(plan: Plan, wanted: Wanted, layout: Layout) -> Mapping[Action, files.Staging]:
    """Write what is new beside its place and sync it, and do what else does no harm, while systemd reads it."""
    units = {step.name: step.text for step in plan.of(Action.WRITE)}
    compiled = {f"{step.name}.toml": step.text for step in plan.of(Action.COMPILE)}
    staged = {Action.WRITE: files.Staging(layout.units, units)}
    is_to_verify = any(not is_drop_in(name) for name in units)
    verification = _verification(staged[Action.WRITE].directory, units, layout) if is_to_verify else None
    # The console, which is not root, reads them as a member of their directory's group.
    mode = 0o640 if layout.scope is Scope.SYSTEM else 0o600
    staged[Action.COMPILE] = files.Staging(layout.compiled_jobs, compiled, mode)
    _make_destinations(plan, wanted, layout)
    files.sync_all(staged.values())
    try:
        if verification:
            verification.require()
    except InstallError:
        for staging in staged.values():
            staging.discard()
        raise
    return staged


def _make_destinations(plan: Plan, wanted: Wanted, layout: Layout) -> None:
    """Make the directories that take the backups of new jobs.

    Only of new ones: where one is missing later, its disk is probably not mounted, and backups must not fill
    the file system below.
    """
    for step in plan.of(Action.COMPILE):
        if step.reason == NEW_JOB:  # one of its name may have been removed, with its backups
            with contextlib.suppress(OSError):
                (layout.cache / "places" / step.name).unlink(missing_ok=True)
        for destination in map(Path, wanted.destinations.get(step.name, ())):
            if step.reason == NEW_JOB and destination.parent.is_dir():
                destination.mkdir(mode=0o700, exist_ok=True)


def _do(
    action: Action,
    steps: Sequence[Step],
    layout: Layout,
    systemd: Systemd | None,
    staged: Mapping[Action, files.Staging],
) -> None:
    match action:
        case Action.COMPILE | Action.WRITE:
            staged[action].put()
        case Action.LINK:
            _link(steps, layout)
        case Action.UNLINK | Action.DELETE:
            files.remove_all(layout.units / step.name for step in steps)
            _sync_parents(steps, layout.units)
            for step in (step for step in steps if is_drop_in(step.name) and step.action is Action.DELETE):
                with contextlib.suppress(OSError):  # somebody else's drop-ins are in it
                    (layout.units / step.name).parent.rmdir()
        case Action.FORGET:
            files.remove_all(layout.compiled_jobs / f"{step.name}.toml" for step in steps)
        case Action.STOP | Action.CLEAN | Action.RELOAD | Action.START | Action.RESTART:
            if systemd:
                _tell(systemd, action, steps)


def _tell(systemd: Systemd, action: Action, steps: Sequence[Step]) -> None:
    match action:
        case Action.STOP:
            jobs = [systemd.stop(step.name, wait=False) for step in steps]
            systemd.wait_for(jobs)
        case Action.CLEAN:
            for step in steps:
                systemd.clean_state(step.name)
        case Action.RELOAD:
            systemd.reload()
        case Action.RESTART:
            # A port that is taken is no reason to fail: the timers are right by now (see sync_profile).
            with contextlib.suppress(SystemdError):
                systemd.wait_for([systemd.restart(step.name) for step in steps])
        case _:
            # Starting the target starts every timer that it wants and that is not active, in one transaction.
            for step in steps:
                systemd.start(step.name)


def _link(steps: Sequence[Step], layout: Layout) -> None:
    for parent in {step.name.rpartition("/")[0] for step in steps}:
        (layout.units / parent).mkdir(exist_ok=True)
    for step in steps:
        files.link_atomically(layout.units / step.name, step.text)
    _sync_parents(steps, layout.units)


def _sync_parents(steps: Sequence[Step], units: Path) -> None:
    for parent in {step.name.rpartition("/")[0] for step in steps}:
        if (units / parent).is_dir():
            files.sync_directory(units / parent)


def _failed(error: OSError) -> InstallError:
    hint = "try again with sudo, or with --user for jobs of your own"
    if not isinstance(error, PermissionError) or os.geteuid() == 0:
        hint = "mend that, then run sync-profile again: it completes what was begun"
    return InstallError(f"{error.filename}: {error.strerror}", hint)
