"""`cncopctl history`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.cli.terminal import print_table, show_time
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.core.spans import show_size, show_span
from cncopctl.verbs.look_back import find_runs, parse_since

_LIMIT = 50
# So much of a run's id tells it from others; `logs --run` takes it.
ID_LENGTH = 8


@click.command("history")
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option("--failed", is_flag=True, help="Only runs that ended with neither OK nor SKIPPED.")
@click.option("--since", metavar="WHEN", help="Only runs from then on: ISO 8601, or so long ago, such as 3d.")
@click.option(
    "-n", "--limit", metavar="N", type=click.IntRange(1), default=_LIMIT, help=f"At most so many [{_LIMIT}]."
)
@json_option
@installation_options
def command(
    layout: Layout, *, jobs: tuple[str, ...], failed: bool, since: str | None, limit: int, as_json: bool
) -> int:
    """Show the runs that have ended, newest first: of all jobs, or of those named by id or title.

    A job that is not installed any more goes by its id. What a run said is in its log: cncopctl logs --run RUN.

    \b
    Examples:
      cncopctl history web-01
      cncopctl history --failed --since 7d
      cncopctl history --json --limit 1000 | jq '.[] | {job, outcome, bytes}'
    """
    begin = parse_since(since, datetime.now(UTC)) if since else None
    # One more than is shown tells whether there is more.
    runs = find_runs(layout, jobs, failed=failed, since=begin, limit=limit + 1)
    if as_json:
        click.echo(json.dumps([run.document() for run in runs[:limit]], indent=2))
    elif not runs:
        click.echo("no run has failed" if failed else "nothing has run yet; see: cncopctl jobs")
    else:
        print_table(
            ("BEGAN", "JOB", "TOOK", "TRIES", "FILES", "SIZE", "RUN", "OUTCOME"),
            map(_row, runs[:limit]),
            right=("TOOK", "TRIES", "FILES", "SIZE"),
            flexible=("OUTCOME",),
        )
        if len(runs) > limit:
            click.echo(f"… and older ones; show more with: --limit {limit * 4}")
    return 0


def _row(run: Run) -> tuple[str, ...]:
    skipped = run.outcome is Outcome.SKIPPED
    took = show_span(max(run.ended - run.started, timedelta())) if run.ended and not skipped else "-"
    warned = (
        f" ({len(run.warnings)} warnings)"
        if len(run.warnings) > 1
        else " (1 warning)"
        if run.warnings
        else ""
    )
    return (
        show_time(run.started),
        run.job,
        took,
        str(run.attempts) if run.attempts else "-",
        f"{run.files:,}" if run.files else "-",
        show_size(run.bytes) if run.bytes else "-",
        run.id[:ID_LENGTH],
        f"{run.outcome} {run.phrase}{warned}",
    )
