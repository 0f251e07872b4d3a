"""`cncopctl schedules`."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from cncopctl.cli.options import installation_options, json_option
from cncopctl.cli.terminal import print_table, show_left, show_time
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.schedule import Schedule, Seed, instants_after, parse
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.machine import machine_id

_MOST_LINES = 2000


@click.command("schedules")
@click.option("--days", type=click.IntRange(1, 400), help="Show everything that fires in the next days.")
@json_option
@installation_options
def command(layout: Layout, *, days: int | None, as_json: bool) -> int:
    """Show when what runs: the next time of each schedule, or with --days everything that fires.

    \b
    Examples:
      cncopctl schedules
      cncopctl schedules --days 7
    """
    now = datetime.now(UTC)
    rows = list(_upcoming(_schedules(layout), now, days))
    if as_json:
        documents = [
            {"at": at.isoformat(), "job": job.id, "title": job.title, "schedule": schedule.text}
            for at, job, schedule in rows
        ]
        click.echo(json.dumps(documents, indent=2))
        return 0
    if not rows:
        click.echo("nothing is scheduled; see: cncopctl jobs")
        return 0
    print_table(
        ("NEXT RUN", "", "JOB", "TITLE", "SCHEDULE"),
        (
            (show_time(at), show_left(at, now), job.id, job.title, schedule.explain())
            for at, job, schedule in rows[:_MOST_LINES]
        ),
        flexible=("TITLE", "SCHEDULE"),
    )
    if len(rows) > _MOST_LINES:
        click.echo(f"… and {len(rows) - _MOST_LINES} more; ask for fewer days, or for --json")
    return 0


def _schedules(layout: Layout) -> Iterator[tuple[CompiledJob, Schedule]]:
    machine = machine_id()
    for job in read_compiled_jobs(layout.compiled_jobs):
        for text, zone in job.schedules:
            yield job, parse(text, zone=zone, seed=Seed(machine, job.id))


def _upcoming(
    schedules: Iterator[tuple[CompiledJob, Schedule]], now: datetime, days: int | None
) -> Iterator[tuple[datetime, CompiledJob, Schedule]]:
    """Instants in their order: the first of each schedule, or all within `days`."""
    until = now + timedelta(days=days) if days else None

    def of_one(
        number: int, job: CompiledJob, schedule: Schedule
    ) -> Iterator[tuple[datetime, int, CompiledJob, Schedule]]:
        instants = instants_after(schedule, now)
        chosen = (
            itertools.takewhile(lambda at: at <= until, instants) if until else itertools.islice(instants, 1)
        )
        return ((at, number, job, schedule) for at in chosen)

    streams = [of_one(number, job, schedule) for number, (job, schedule) in enumerate(schedules)]
    for at, _, job, schedule in heapq.merge(*streams, key=lambda row: row[:2]):
        yield at, job, schedule
