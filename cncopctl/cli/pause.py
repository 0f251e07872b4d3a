"""`cncopctl pause`."""

from __future__ import annotations

import json

import click

from cncopctl.cli.options import choose, installation_options, json_option
from cncopctl.core.layout import Layout
from cncopctl.verbs.pausing import pause_jobs


@click.command("pause")
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("-a", "--alljobs", is_flag=True, help="All jobs.")
@click.option(
    "--until", metavar="WHEN", default="", help="ISO 8601, or a span such as 2h or 3d; else for ever."
)
@click.option("--reason", metavar="TEXT", default="", help="Why; shown wherever the pause is.")
@json_option
@installation_options
def command(
    layout: Layout, *, jobs: tuple[str, ...], alljobs: bool, until: str, reason: str, as_json: bool
) -> int:
    """Keep timers from starting jobs, named by id or title, until a time or until they are resumed.

    Timers stay as they are: what they start meanwhile is SKIPPED, with the reason, and is not made up for. A
    run that is under way goes on. A pause outlives syncs and reboots, and ends by itself at its time.

    runjob leaves paused jobs alone, too, unless it is told --force. `systemctl start` of a job's service is a
    person's own word, and runs it.

    \b
    Examples:
      cncopctl pause web-01 --until 2h --reason "disks are being replaced"
      cncopctl pause "Web server, nightly" --until 2026-12-27
      cncopctl pause -a
      cncopctl resume -a
    """
    if len(reason) > 200 or not reason.isprintable():
        raise click.UsageError("the reason has to be one printable line of at most 200 characters")
    pauses = pause_jobs(layout, choose(layout, jobs, alljobs=alljobs), until, reason)
    if as_json:
        click.echo(json.dumps([pause.document() for pause in pauses], indent=2))
    else:
        for pause in pauses:
            click.echo(f"{pause.job}: {pause.sentence()}")
    return 0
