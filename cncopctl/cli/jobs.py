"""`cncopctl jobs`."""

from __future__ import annotations

import json
from typing import Any

import click

from cncopctl.cli.options import installation_options, json_option, manager_of
from cncopctl.cli.terminal import print_table, show_left, show_minute
from cncopctl.core.layout import Layout
from cncopctl.core.spans import show_span
from cncopctl.verbs.overview import JobState, job_states


@click.command("jobs")
@json_option
@installation_options
def command(layout: Layout, *, as_json: bool) -> int:
    """Show the jobs, their next runs and last outcomes, by title.

    \b
    Examples:
      cncopctl jobs
      cncopctl jobs --json | jq '.[] | select(.last_run.outcome != "OK")'
    """
    with manager_of(layout) as systemd:
        states = job_states(layout, systemd)
    if as_json:
        click.echo(json.dumps([_document(state) for state in states], indent=2))
    elif states:
        print_table(
            ("JOB", "TITLE", "STATUS", "NEXT RUN", "LAST RUN", "TOOK", "OUTCOME"),
            map(_row, states),
            right=("TOOK",),
            flexible=("TITLE", "OUTCOME"),
        )
    else:
        click.echo(
            f"no jobs are installed; write {layout.profile} or a file in {layout.own_jobs}, "
            "then run: cncopctl sync-profile"
        )
    return 0


def _row(state: JobState) -> tuple[str, ...]:
    run = state.last_run
    took = show_span(run.ended - run.started) if run and run.ended else "-"
    outcome = f"{run.outcome} {run.phrase}" if run else "never ran"
    if state.progress:
        outcome = f"running: {state.progress.sentence()}".rstrip(": ")
    elif state.pause:
        outcome = f"{state.pause.sentence()}; {outcome}"
    elif state.halt:
        outcome = f"{state.halt.sentence()}; {outcome}"
    return (
        state.job.id,
        state.job.title,
        str(state.status),
        show_minute(state.next_run),
        show_left(run.started) if run else "-",
        took,
        outcome,
    )


def _document(state: JobState) -> dict[str, Any]:
    return {
        "id": state.job.id,
        "title": state.job.title,
        "description": state.job.values.get("description", ""),
        "type": state.job.values["type"],
        "direction": state.job.values["direction"],
        "status": str(state.status),
        "next_run": state.next_run.isoformat() if state.next_run else None,
        "running": state.progress is not None,
        "now": state.progress.sentence() if state.progress else None,
        "pause": state.pause.document() if state.pause else None,
        "last_run": state.last_run.document() if state.last_run else None,
    }
