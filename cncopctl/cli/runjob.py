"""`cncopctl runjob`."""

from __future__ import annotations

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.cli.running import Order, run_order
from cncopctl.core.layout import Layout


@click.command("runjob")
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option(
    "-a", "--alljobs", is_flag=True, help="All jobs, by title; on a Healthy Server PULL before PUSH."
)
@click.option("-t", "--type", "kind", metavar="TYPE", help="All jobs of that type, such as rsync.")
@click.option("--email", metavar="EMAIL", help="Mail what became of them to this address.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say which would run, and what they would do.")
@click.option("--parallel", metavar="N", type=click.IntRange(1, 64), default=1, help="So many at a time [1].")
@click.option("--force", is_flag=True, help="Also run jobs that are paused.")
@json_option
@installation_options
def command(
    layout: Layout,
    *,
    jobs: tuple[str, ...],
    alljobs: bool,
    kind: str | None,
    email: str | None,
    dry_run: bool,
    parallel: int,
    force: bool,
    as_json: bool,
) -> int:
    """Run jobs now, by id or title, and follow them to their end.

    The jobs run as their services, under systemd: interrupting this command leaves them running. The exit
    status is 0 only if all of them ended OK, else 3. A job that is paused is SKIPPED, unless --force says otherwise;
    one that was stopped is run only if it is named.

    \b
    Examples:
      cncopctl runjob web-01
      cncopctl runjob "Web server, nightly" db
      cncopctl runjob -a --parallel 2
      cncopctl runjob -t rsync --email ops@example.org
      cncopctl runjob -a -n       which would run in which order, and what they would transfer
    """
    order = Order(
        jobs, alljobs=alljobs, kind=kind, email=email, parallel=parallel, force=force, as_json=as_json
    )
    return run_order(layout, order, layout.settings, dry_run=dry_run)
