"""`cncopctl job`: the life of a job between its runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from cncopctl.cli.options import (
    choose,
    complete_job,
    installation_options,
    json_option,
    manager_of,
    name_or_all,
)
from cncopctl.cli.terminal import print_table, show_minute
from cncopctl.cli.words import Words
from cncopctl.core.choice import Named
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.life_cycle import Status, result_of
from cncopctl.core.run import Run
from cncopctl.verbs.overview import JobState, job_states

_alljobs = click.option("-a", "--alljobs", is_flag=True, help="All jobs.")
_jobs = click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)


def _event(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function the subcommand `name`, which takes jobs and our usual options."""

    def decorate(function: Callable[..., int]) -> click.Command:
        for option in (installation_options, json_option, _alljobs, _jobs):
            function = option(function)
        return command.command(name)(function)

    return decorate


@click.group("job", cls=Words, invoke_without_command=True)
@json_option
@installation_options
@click.pass_context
def command(ctx: click.Context, layout: Layout, *, as_json: bool) -> int:
    """Stop, start, abort or remove a job; without one of these words, show how each job stands.

    A job's status is stop, scheduled, running, aborting or removed. What is asked for while it runs comes about
    at the end of that run, and is its event until then.

    \b
    Examples:
      cncopctl job                  how the jobs stand
      cncopctl job stop web-01      schedule it no more, until it is started
      cncopctl job abort web-01     end the run that is under way
    """
    word = ctx.invoked_subcommand
    if word is None:
        _show(layout, None, as_json=as_json)
    elif any(ctx.params.values()):
        # They would be lost, and --user with them: the job of the same id of somebody else would be stopped.
        raise click.UsageError(f"options stand after the word: cncopctl job {word} …")
    return 0


@_event("stop")
def _stop(layout: Layout, *, jobs: tuple[str, ...], alljobs: bool, as_json: bool) -> int:
    """Schedule jobs no more, until they are started; a run that is under way goes on.

    Their timers are stopped and disabled, and stay so over syncs and reboots; everything else stays. It is
    another thing than a pause, which ends by itself and notes each run that it skips. runjob runs a stopped job
    that is named, since that is a person's own word.

    \b
    Examples:
      cncopctl job stop web-01
      cncopctl job stop "Web server, nightly" --json
    """
    return _halt(layout, jobs, Status.STOP, alljobs=alljobs, as_json=as_json)


@_event("remove")
def _remove(layout: Layout, *, jobs: tuple[str, ...], alljobs: bool, as_json: bool) -> int:
    """Remove the units of jobs, though the profile has them; history and backups stay.

    A sync does not bring them back: `cncopctl job start` does, or removing them from the profile, too, and
    writing them again later. A run that is under way goes on to its end; the next sync removes what it needs.

    \b
    Examples:
      cncopctl job remove web-01
      cncopctl job start web-01     brings it back
    """
    return _halt(layout, jobs, Status.REMOVED, alljobs=alljobs, as_json=as_json)


def _halt(layout: Layout, words: tuple[str, ...], status: Status, *, alljobs: bool, as_json: bool) -> int:
    from cncopctl.verbs.life_cycle import halt_jobs

    chosen = choose(layout, words, alljobs=alljobs)
    with manager_of(layout) as systemd:
        halts = halt_jobs(layout, systemd, chosen, status)
    said = {halt.job: halt.sentence() for halt in halts}
    _show(layout, said, as_json=as_json)
    return 0


@_event("start")
def _start(layout: Layout, *, jobs: tuple[str, ...], alljobs: bool, as_json: bool) -> int:
    """Schedule jobs again that were stopped or removed; one that is scheduled stays as it is.

    What was not run meanwhile is not made up for. To run a job now: cncopctl runjob.

    \b
    Examples:
      cncopctl job start web-01
      cncopctl job start -a
    """
    from cncopctl.core.choice import choose_jobs
    from cncopctl.edges.compiled_jobs import read_compiled_jobs
    from cncopctl.edges.halts import read_halts
    from cncopctl.verbs.life_cycle import start_jobs

    name_or_all(jobs, alljobs=alljobs)
    everything: list[Named] = [*read_halts(layout.halts).values(), *read_compiled_jobs(layout.compiled_jobs)]
    known = {job.id: job for job in everything}
    chosen = list(known.values()) if alljobs else choose_jobs(jobs, list(known.values()))
    with manager_of(layout) as systemd:
        started = start_jobs(layout, systemd, chosen)
    said = {job: "" if was_halted else "was not stopped" for job, was_halted in started.items()}
    _show(layout, said, as_json=as_json)
    return 0


@_event("abort")
def _abort(layout: Layout, *, jobs: tuple[str, ...], alljobs: bool, as_json: bool) -> int:
    """End the runs of jobs that are under way; each is closed as ABORTED, and reported.

    The next run starts by the job's schedule: to keep it from that, cncopctl job stop.

    \b
    Examples:
      cncopctl job abort web-01
    """
    from cncopctl.verbs.life_cycle import abort_jobs

    chosen = choose(layout, jobs, alljobs=alljobs)
    with manager_of(layout) as systemd:
        if systemd is None:
            raise click.UsageError("an installation under --root has no systemd to run jobs")
        ended = abort_jobs(layout, systemd, chosen)
    _show(layout, {job: end or "does not run" for job, end in ended.items()}, as_json=as_json)
    return 0


def _show(layout: Layout, said: Mapping[str, str] | None, *, as_json: bool) -> None:
    """Show how the jobs stand that something is `said` of, all of them for None."""
    with manager_of(layout) as systemd:
        states = {state.job.id: state for state in job_states(layout, systemd)}
    rows = [*map(_row_of_state, states.values()), *_rows_of_removed(layout, states)]
    rows = [row for row in rows if said is None or row["id"] in said]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif said is not None:
        for row in rows:
            _say(row, said[row["id"]])
    elif rows:
        print_table(
            ("JOB", "TITLE", "STATUS", "EVENT", "RESULT", "NEXT RUN"),
            [_cells(row, states.get(row["id"])) for row in rows],
            flexible=("TITLE",),
        )
    else:
        click.echo("no jobs are installed: write a profile, then run cncopctl sync-profile")


def _say(row: Mapping[str, Any], said: str) -> None:
    is_said = said.startswith(("stopped", "removed")) and row["status"] in (Status.STOP, Status.REMOVED)
    words = [] if is_said else [str(row["status"])]
    words += [f"then {row['event']}"] if row["event"] else []
    words += [said] if said else []
    if row["status"] == Status.STOP and not said:
        words.append(
            "nothing schedules it: it is disabled, its schedule is over, or cncop.target was stopped"
        )
    if row["pause"]:
        words.append(f"{row['pause']}: cncopctl resume {row['id']} ends that")
    click.echo(f"{row['id']}: {printable(', '.join(words))}")


def _cells(row: Mapping[str, Any], state: JobState | None) -> Sequence[str]:
    known = (str(row[key]) or "-" for key in ("id", "title", "status", "event", "result"))
    return (*known, show_minute(state.next_run if state else None))


def _row_of_state(state: JobState) -> dict[str, Any]:
    row = _row(state.job, state.status, state.last_run)
    return row | {
        "event": str(state.event),
        "next_run": state.next_run.isoformat() if state.next_run else None,
        "pause": state.pause.sentence() if state.pause else None,
    }


def _rows_of_removed(layout: Layout, states: Mapping[str, JobState]) -> list[dict[str, Any]]:
    from cncopctl.edges.halts import read_halts
    from cncopctl.edges.history import History

    gone = [halt for job, halt in read_halts(layout.halts).items() if job not in states]
    last_runs = History(layout.history).last_runs() if gone else {}
    return [_row(halt, halt.status, last_runs.get(halt.job)) for halt in gone]


def _row(job: Named, status: Status, run: Run | None) -> dict[str, Any]:
    return {
        "id": job.id,
        "title": job.title,
        "status": str(status),
        "event": "",
        "result": result_of(run.outcome if run else None),
        "time_started": run.started.isoformat() if run else None,
        "time_ended": run.ended.isoformat() if run and run.ended else None,
        "next_run": None,
        "pause": None,
    }
