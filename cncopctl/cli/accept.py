"""`cncopctl accept`."""

from __future__ import annotations

import json

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.core.choice import choose_backup
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.call_agent import call_agent


@click.command("accept")
@click.argument("job", shell_complete=complete_job)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be accepted.")
@json_option
@installation_options
def command(layout: Layout, *, job: str, dry_run: bool, as_json: bool) -> int:
    """Say that JOB (id or title) is right, although its source is unlike its past.

    Where a source is suddenly empty, or far smaller or larger than ever, a run keeps old snapshots from being
    pruned. From now on what it saw is usual: the next run prunes again, and is judged by that.

    \b
    Examples:
      cncopctl accept web-01 && cncopctl runjob web-01
    """
    chosen = choose_backup(job, read_compiled_jobs(layout.compiled_jobs))
    result = call_agent(layout, chosen, "accept", {"dry_run": dry_run}, lambda _: None)
    phrase = printable(str(result.get("phrase", "accepted")))
    click.echo(json.dumps(result, indent=2) if as_json else f"{chosen.id}: {phrase}")
    return 0
