"""`cncopctl resume`."""

from __future__ import annotations

import json

import click

from cncopctl.cli.options import choose, installation_options, json_option
from cncopctl.core.layout import Layout
from cncopctl.verbs.pausing import resume_jobs


@click.command("resume")
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("-a", "--alljobs", is_flag=True, help="All jobs.")
@json_option
@installation_options
def command(layout: Layout, *, jobs: tuple[str, ...], alljobs: bool, as_json: bool) -> int:
    """Let the timers of paused jobs, named by id or title, start them again.

    What was skipped meanwhile is not made up for: cncopctl runjob JOB runs it now.

    \b
    Examples:
      cncopctl resume web-01
      cncopctl resume -a
    """
    chosen = choose(layout, jobs, alljobs=alljobs)
    resumed = {job.id for job in resume_jobs(layout, chosen)}
    if as_json:
        click.echo(json.dumps([{"job": job.id, "resumed": job.id in resumed} for job in chosen], indent=2))
    else:
        for job in chosen:
            if job.id in resumed or not alljobs:
                click.echo(f"{job.id}: {'resumed' if job.id in resumed else 'was not paused'}")
    return 0
