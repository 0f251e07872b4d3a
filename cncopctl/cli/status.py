"""`cncopctl status`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from cncopctl.cli.options import installation_options, json_option, manager_of
from cncopctl.cli.terminal import print_table, show_left, show_minute
from cncopctl.core.layout import Layout
from cncopctl.core.overdue import Limits, State, Verdict
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.overview import JobState, job_states
from cncopctl.verbs.standing import gather, observe_timers, verdicts

# A screen has 24 lines at least; what is wrong comes before what is next.
_MOST = 6


@click.command("status")
@json_option
@installation_options
def command(layout: Layout, *, as_json: bool) -> int:
    """Show on one screen what runs, what is wrong, what somebody has stopped, and what is next.

    What is wrong is what check-backups finds: runs that failed, did not come, are late or had warnings. The exit
    status is 3 if a job failed or is overdue.

    \b
    Examples:
      cncopctl status
      watch -n 5 cncopctl status
    """
    now = datetime.now(UTC)
    jobs = read_compiled_jobs(layout.compiled_jobs)
    with manager_of(layout) as systemd:
        timers = observe_timers(systemd, jobs)
        states = job_states(layout, systemd)
    found = verdicts(gather(layout, jobs, timers, now), timers, Limits(), show_minute, now)
    if as_json:
        click.echo(json.dumps(_document(states, found), indent=2))
    elif not jobs:
        click.echo("no jobs are installed: write a profile, then run cncopctl sync-profile")
    else:
        _print(states, found, now)
    return 3 if any(verdict.state is State.CRITICAL for verdict in found) else 0


def _print(states: Sequence[JobState], found: Sequence[Verdict], now: datetime) -> None:
    running = [state for state in states if state.progress]
    quiet = [state for state in states if not state.progress and (state.pause or state.halt)]
    wrong = sorted((each for each in found if each.state), key=lambda each: -each.state)
    coming = sorted(
        ((at, state.job.id) for state in states if (at := state.next_run)), key=lambda each: each[0]
    )
    jobs = f"{len(states)} {'job' if len(states) == 1 else 'jobs'}"
    click.echo(f"{jobs}: {len(running)} running, {len(wrong)} wrong, {len(quiet)} kept from running")
    _section("RUNNING", [(state.job.id, _progress(state)) for state in running], "cncopctl jobs")
    _section(
        "WRONG",
        [(each.job, f"{each.state.name} {each.sentence}") for each in wrong],
        "cncopctl check-backups",
    )
    _section("KEPT FROM RUNNING", [(state.job.id, _will(state)) for state in quiet], "cncopctl jobs")
    _section(
        "NEXT",
        [(job, f"{show_minute(at)}  {show_left(at, now)}") for at, job in coming],
        "cncopctl schedules",
    )


def _section(title: str, rows: Sequence[tuple[str, str]], more: str) -> None:
    """A part of the screen; one that has nothing to tell is left out."""
    if not rows:
        return
    click.echo()
    print_table((title, ""), rows[:_MOST], flexible=("",))
    if len(rows) > _MOST:
        click.echo(f"… and {len(rows) - _MOST} more: {more}")


def _progress(state: JobState) -> str:
    return (state.progress.sentence() if state.progress else "") or "has begun"


def _will(state: JobState) -> str:
    return state.halt.sentence() if state.halt else state.pause.sentence() if state.pause else ""


def _document(states: Sequence[JobState], found: Sequence[Verdict]) -> dict[str, Any]:
    by_job = {state.job.id: state for state in states}
    return {
        "jobs": [
            {
                "job": each.job,
                "state": each.state.name,
                "sentence": each.sentence,
                "running": by_job[each.job].progress is not None,
                "next_run": at.isoformat() if (at := by_job[each.job].next_run) else None,
            }
            for each in found
            if each.job in by_job
        ]
    }
