"""uninstall: stop what runs, and remove every unit that a sync has made.

Profile, credentials, backups, logs and history stay: the next sync brings everything back.
"""

from __future__ import annotations

import contextlib

from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.naming import CONSOLE_SOCKET, PATTERN, STATIC, TARGET
from cncopctl.core.plan import Action, Installed, Loaded, Plan, Step, Wanted, make_plan
from cncopctl.edges.systemd import Systemd
from cncopctl.edges.unit_dir import read_installed
from cncopctl.verbs import last_sync
from cncopctl.verbs.apply_plan import apply_plan, remove_leftovers
from cncopctl.verbs.sync_profile import alone


def uninstall(layout: Layout, systemd: Systemd | None) -> Plan:
    """Remove all units of ours, with their links and stamps, and return the steps that did it.

    Args:
        layout: the installation.
        systemd: the manager whose units these are; None where none runs, as in an image.

    Raises:
        InstallError: units cannot be read or removed.
        LockedError: a sync is at work.
        SystemdError: the manager does not answer, or refuses.
    """
    if not layout.state.is_dir():
        return Plan()
    if systemd:
        _stop(systemd)
    with alone(layout, dry_run=False):
        remove_leftovers(layout)
        try:
            nothing = _nothing(layout)
            plan = _plan(nothing, read_installed(layout.units, layout.compiled_jobs), _loaded(systemd))
            apply_plan(plan, nothing, layout, systemd)
            last_sync.forget(layout)
            with contextlib.suppress(OSError):  # it is not empty, or was never there
                (layout.units / f"{TARGET}.wants").rmdir()
        except OSError as error:
            raise InstallError(f"{error.filename}: {error.strerror}", "try again with sudo") from error
    return plan


def _nothing(layout: Layout) -> Wanted:
    """No unit at all; what a package has enabled stays enabled, since only the package would do that again."""
    is_packaged = (layout.packaged_units / CONSOLE_SOCKET).exists()
    return Wanted(units={}, links={}, compiled={}, has_packaged_console=is_packaged)


def _plan(nothing: Wanted, installed: Installed, loaded: Loaded | None) -> Plan:
    """The steps of a sync that wants nothing, and those that no sync takes: the target goes, too."""
    plan = make_plan(nothing, installed, loaded)
    deleted = {step.name for step in plan.of(Action.DELETE)}
    links = [link for link in installed.links if link.endswith(f"/{TARGET}") and TARGET in deleted]
    unlinked = [Step(Action.UNLINK, link, "uninstalled") for link in links]
    notes = [note for note in plan.notes if not note.startswith(f"{TARGET} was stopped")]
    return Plan((*plan.steps, *unlinked), tuple(notes))


def _stop(systemd: Systemd) -> None:
    """Stop the target, and with it everything; runs are given the time to close."""
    if TARGET in systemd.units([TARGET]):
        systemd.stop(TARGET)
    for name, unit in systemd.units([PATTERN, *STATIC]).items():
        if unit.is_up():
            systemd.stop(name)
        systemd.wait_until_ended(name)
    for name, unit in systemd.units([PATTERN, *STATIC]).items():
        if unit.active_state == "failed":
            systemd.reset_failed(name)


def _loaded(systemd: Systemd | None) -> Loaded | None:
    if systemd is None:
        return None
    units = systemd.units([PATTERN, *STATIC])
    return Loaded(
        active={unit.name: unit.active_state for unit in units.values()},
        from_files=frozenset(unit.name for unit in units.values() if unit.load_state == "loaded"),
        loaded_at=systemd.units_loaded_at(),
        resumes=False,
    )
