"""`cncopctl uninstall`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from cncopctl.cli.options import installation_options, json_option, manager_of
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.plan import Action
from cncopctl.verbs.uninstall import uninstall


@click.command("uninstall")
@json_option
@installation_options
def command(layout: Layout, *, as_json: bool) -> int:
    """Stop all jobs and timers, and remove their units.

    Removes what sync-profile has made: units with its digest, their links, their timers' stamps, and the
    compiled jobs. A run that is under way is stopped, and closed as ABORTED. Profile, credentials, backups, logs
    and history stay, so that the next sync-profile brings everything back.

    Removing the Debian package does this.

    \b
    Examples:
      cncopctl uninstall
      cncopctl uninstall --user
    """
    # In an image or a chroot, where systemd is installed but does not run (sd_booted(3)), files are all there is.
    offline = layout.scope is Scope.SYSTEM and not Path("/run/systemd/system").is_dir()
    with contextlib.nullcontext() if offline else manager_of(layout) as systemd:
        plan = uninstall(layout, systemd)
    removed = sorted(step.name for step in plan.of(Action.DELETE))
    if as_json:
        click.echo(json.dumps({"removed": removed, "notes": list(plan.notes)}, indent=2))
        return 0
    for note in plan.notes:
        click.echo(f"note: {note}")
    click.echo(f"{len(removed)} units removed from {layout.units}")
    return 0
