"""`cncopctl snapshots`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.cli.terminal import print_table, show_left, show_time
from cncopctl.core.choice import choose_job
from cncopctl.core.errors import UsageError
from cncopctl.core.layout import Layout
from cncopctl.core.spans import show_size
from cncopctl.core.units import REPOSITORY_PASSWORD
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.restic import snapshots


@click.command("snapshots")
@click.argument("job", shell_complete=complete_job)
@json_option
@installation_options
def command(layout: Layout, *, job: str, as_json: bool) -> int:
    """Show what JOB (id or title) can be restored from, oldest first.

    \b
    Examples:
      cncopctl snapshots web-01
      cncopctl restore web-01 --snapshot 1a2b3c4d --to /tmp/web
    """
    chosen = choose_job(job, read_compiled_jobs(layout.compiled_jobs))
    if not chosen.is_pull():
        raise UsageError(
            f"{chosen.id} is a PUSH job, which keeps no repository on this machine",
            f"what it keeps is at {chosen.values['destination']}",
        )
    repository = Path(chosen.values["destination"], "repository")
    found = snapshots(repository, layout.credentials / REPOSITORY_PASSWORD, chosen.id)
    if as_json:
        click.echo(json.dumps([snapshot.as_dict() for snapshot in found], indent=2))
    elif found:
        print_table(
            ("SNAPSHOT", "TAKEN", "", "FILES", "SIZE"),
            (
                (
                    snapshot.short_id,
                    show_time(snapshot.time),
                    show_left(snapshot.time),
                    "-" if snapshot.files is None else f"{snapshot.files:,}",
                    "-" if snapshot.bytes is None else show_size(snapshot.bytes),
                )
                for snapshot in found
            ),
            right=("FILES", "SIZE"),
        )
    else:
        click.echo(f"{chosen.id} has no snapshot yet; take one with: cncopctl runjob {chosen.id}")
    return 0
