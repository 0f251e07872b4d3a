"""`cncopwatcher`: what each run of a day did and how it ended; the original's `w`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cncopctl.cli.log_view import reports, whole_logs
from cncopctl.cli.main import HELP_OPTIONS, Program, run_program
from cncopctl.cli.options import installation_options
from cncopctl.cli.pager import page, takes_colour
from cncopctl.core.errors import UsageError
from cncopctl.core.layout import Layout
from cncopctl.edges.configuration_file import read_configuration
from cncopctl.verbs.look_back import past_jobs
from cncopctl.verbs.past_logs import logs_of_day


@click.command("cncopwatcher", cls=Program, context_settings=HELP_OPTIONS)
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("-d", "--debug", is_flag=True, help="Say on stderr which logs are read.")
@click.option(
    "-c",
    "--config",
    metavar="CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Another cncop3.ini.",
)
@click.option(
    "--daysago",
    "days_ago",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    help="So many days earlier, counting only days of which there are logs [0].",
)
@click.option("-l", "--log", "is_whole", is_flag=True, help="Show the logs themselves, in full.")
@installation_options
def command(
    layout: Layout, *, jobs: tuple[str, ...], debug: bool, config: Path | None, days_ago: int, is_whole: bool
) -> int:
    """Show what each run of the last day with logs did, and how it ended: of all jobs, or those named by id or title.

    Of each run it tells the outcome, what it was warned of and, where it failed, its last words. Days are counted by
    what there is: of a weekly job, --daysago 2 is two weeks ago. To follow a run: cncopctl logs -f JOB.

    \b
    Examples:
      cncopwatcher
      cncopwatcher --daysago 1
      cncopwatcher web-01 --log
    """
    kept = read_configuration(config or layout.settings).defaults.days_of_logs
    day, runs = logs_of_day(layout, past_jobs(layout, jobs), days_ago)
    if debug:
        click.echo(f"logs are in {layout.logs}, and kept for {kept} days", err=True)
        for run in runs:
            click.echo(f"read {run.path}", err=True)
    if day is None:
        ago = f" {days_ago} days ago, counted by days with logs" if days_ago else ""
        raise UsageError(f"there are no logs{ago}: they are kept for {kept} days", "see: cncopctl history")
    colour = takes_colour()
    page(whole_logs(runs, colour=colour) if is_whole else reports(day, runs, colour=colour))
    return 0


def main() -> int:
    """The program."""
    return run_program(command, "cncopwatcher")


if __name__ == "__main__":
    sys.exit(main())
