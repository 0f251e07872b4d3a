"""`cncopctl logs`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

import click

from cncopctl.cli.log_view import (
    SUMMARY_COLUMNS,
    document,
    line_document,
    shown,
    summary_row,
    whole_logs,
)
from cncopctl.cli.options import complete_job, installation_options, json_option, manager_of
from cncopctl.cli.pager import page, takes_colour
from cncopctl.cli.terminal import print_table
from cncopctl.core.errors import UsageError
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import visible
from cncopctl.core.naming import service_name
from cncopctl.core.outcome import Outcome
from cncopctl.edges.history import History
from cncopctl.edges.systemd import Systemd
from cncopctl.verbs.look_back import past_jobs
from cncopctl.verbs.past_logs import LoggedRun, follow, logs_of_day, open_runs, runs_by_id, wait_for_run

_DOWN = ("inactive", "failed")


@click.command("logs")
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option("-f", "--follow", "is_following", is_flag=True, help="Follow a running one to its end.")
@click.option(
    "--daysago",
    "days_ago",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    help="So many days earlier, counting only days of which there are logs.",
)
@click.option("--run", "run_id", metavar="ID", help="The log of that run; the beginning of its id is enough.")
@json_option
@installation_options
def command(
    layout: Layout,
    *,
    jobs: tuple[str, ...],
    is_following: bool,
    days_ago: int,
    run_id: str | None,
    as_json: bool,
) -> int:
    """Show what runs said: the runs of the last day with logs, or with JOB the whole logs of its runs that day.

    Days are counted by what there is: of a weekly job, --daysago 2 is two weeks ago. On a terminal, logs are
    shown by $PAGER, else by less.

    --follow shows what a running one says until it ends, and exits with 0 only if that is OK, else 3; without JOB it
    follows the only one that runs. Interrupting it leaves the run alone.

    \b
    Examples:
      cncopctl logs
      cncopctl logs web-01 --daysago 1
      cncopctl logs -f web-01
      cncopctl logs --run 1f0c
    """
    if is_following and (run_id or days_ago):
        raise click.UsageError("--follow shows what runs now: it goes with neither --run nor --daysago")
    chosen = past_jobs(layout, jobs)
    if is_following:
        return _follow(layout, chosen, as_json=as_json)
    if run_id is not None:
        return _show([_one(layout, run_id)], as_json=as_json)
    day, runs = logs_of_day(layout, chosen, days_ago)
    if day is None and not (chosen or days_ago):
        click.echo("[]" if as_json else "nothing has run yet; see: cncopctl jobs")
        return 0
    if day is None:
        what = "of that job" if len(chosen) == 1 else "of those jobs" if chosen else "of any run"
        ago = f" {days_ago} days ago, counted by days with logs" if days_ago else ""
        raise UsageError(f"there are no logs {what}{ago}", "see: cncopctl history")
    if chosen:
        return _show(runs, as_json=as_json)
    if as_json:
        click.echo(json.dumps([document(run, with_lines=False) for run in runs], indent=2))
        return 0
    click.echo(f"{day:%A %Y-%m-%d}, {layout.logs}")
    print_table(SUMMARY_COLUMNS, map(summary_row, runs), right=("TOOK",), flexible=("OUTCOME",))
    return 0


def _show(runs: list[LoggedRun], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps([document(run, with_lines=True) for run in runs], indent=2))
    else:
        page(whole_logs(runs, colour=takes_colour()))
    return 0


def _one(layout: Layout, beginning: str) -> LoggedRun:
    found = runs_by_id(layout, beginning) if beginning else []
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(run.run[:12] for run in found[:5])
        raise UsageError(f"several runs have an id that begins so: {ids}", "write more of it")
    raise UsageError(f'there is no log of a run "{visible(beginning)}"', "see: cncopctl history")


def _follow(layout: Layout, jobs: Collection[str], *, as_json: bool) -> int:
    with manager_of(layout) as systemd:
        run_id, job = _running(layout, jobs, systemd)
        for line in follow(layout, run_id, _asker(job, systemd)):
            text = json.dumps(line_document(line)) if as_json else shown(line, colour=takes_colour())
            click.echo(text)
    ended = History(layout.history).find(run_id)
    if not ended:
        raise UsageError(
            f"{job}: the run was not closed", layout.typed(f"look at: journalctl -u {service_name(job)}")
        )
    return 0 if ended[0].outcome is Outcome.OK else 3


def _running(layout: Layout, jobs: Collection[str], systemd: Systemd | None) -> tuple[str, str]:
    """The run that is meant, by its id, and its job."""
    found = open_runs(layout, jobs)
    if not found and len(jobs) == 1:
        (job,) = jobs
        found = wait_for_run(layout, job, _asker(job, systemd))
    if len(found) > 1:
        raise UsageError(
            f"several jobs run: {', '.join(sorted(found.values()))}", "name one: cncopctl logs -f JOB"
        )
    if not found:
        what = f"{', '.join(jobs)} does not run" if jobs else "nothing runs"
        raise UsageError(f"{what}, so there is nothing to follow", "see: cncopctl logs, cncopctl why JOB")
    return next(iter(found.items()))


def _asker(job: str, systemd: Systemd | None) -> Callable[[], bool]:
    """What tells whether the job's service is up."""
    unit = service_name(job)

    def is_alive() -> bool:
        loaded = systemd.units([unit]).get(unit) if systemd else None
        return loaded is not None and loaded.active_state not in _DOWN

    return is_alive
