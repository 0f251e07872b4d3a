"""`cncopctl runjob`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from cncopctl.cli.options import complete_job, installation_options, json_option, manager_of
from cncopctl.core.choice import choose_jobs, in_order
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Progress, Run
from cncopctl.core.spans import show_span
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.run_jobs import Display, run_jobs

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@click.command("runjob")
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option(
    "-a", "--alljobs", is_flag=True, help="All jobs, by title; on a Healthy Server PULL before PUSH."
)
@click.option("-t", "--type", "kind", metavar="TYPE", help="All jobs of that type, such as rsync.")
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
    parallel: int,
    force: bool,
    as_json: bool,
) -> int:
    """Run jobs now, by id or title, and follow them to their end.

    The jobs run as their services, under systemd: interrupting this command leaves them running. The exit
    status is 0 only if all of them ended OK, else 3. A job that is paused is SKIPPED, unless --force says otherwise.

    \b
    Examples:
      cncopctl runjob web-01
      cncopctl runjob "Web server, nightly" db
      cncopctl runjob -a --parallel 2
    """
    chosen = _choose(layout, jobs, alljobs=alljobs, kind=kind)
    with manager_of(layout) as systemd:
        if systemd is None:
            raise click.UsageError("an installation under --root has no systemd to run jobs")
        display = _display(chosen, as_json=as_json)
        try:
            runs = run_jobs(layout, systemd, chosen, parallel, display, force=force)
        except KeyboardInterrupt:
            click.echo("the jobs that were started go on; see: cncopctl jobs", err=True)
            raise
        finally:
            display.close()
    if as_json:
        click.echo(json.dumps([run.document() for run in runs], indent=2))
    elif len(runs) > 1:
        good = sum(run.outcome is Outcome.OK for run in runs)
        click.echo(f"{good} of {len(runs)} jobs ended OK")
    return 0 if all(run.outcome is Outcome.OK for run in runs) else 3


def _choose(layout: Layout, words: tuple[str, ...], *, alljobs: bool, kind: str | None) -> list[CompiledJob]:
    installed = read_compiled_jobs(layout.compiled_jobs)
    ways = [bool(words), alljobs, bool(kind)]
    if sum(ways) != 1:
        raise click.UsageError("name the jobs, or take all with -a, or all of a type with -t TYPE")
    if words:
        return choose_jobs(words, installed)
    chosen = [job for job in installed if not kind or job.values["type"] == kind.upper()]
    if not chosen:
        known = sorted({str(job.values["type"]) for job in installed})
        what = f"no job is of type {kind}" if kind else "no job is installed"
        raise click.UsageError(f"{what}\nhint: installed are jobs of type: {', '.join(known) or 'none'}")
    return in_order(chosen)


class _Lines(Display):
    """Plain lines, for logs and pipes."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def begins(self, job: CompiledJob) -> None:
        self._say(f"{job.id}: started")

    def comes_on(self, job_id: str, progress: Progress) -> None:
        """A log wants no progress."""

    def ends(self, job: CompiledJob, run: Run) -> None:
        for line in _end_lines(job, run):
            self._say(line)

    def close(self) -> None:
        """Nothing is open."""

    def _say(self, line: str) -> None:
        if not self._quiet:
            click.echo(line)


class _Bars(_Lines):
    """A bar for each running job, by rich, above which the ended ones stay as lines."""

    def __init__(self, bars: Bars) -> None:
        super().__init__(quiet=False)
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._bars.start()

    def begins(self, job: CompiledJob) -> None:
        self._tasks[job.id] = self._bars.add_task(job.id, total=None, phrase="starting")

    def comes_on(self, job_id: str, progress: Progress) -> None:
        if job_id in self._tasks:
            fraction = progress.fraction()
            self._bars.update(
                self._tasks[job_id],
                total=None if fraction is None else 1.0,
                completed=fraction or 0,
                phrase=printable(progress.sentence()),
            )

    def ends(self, job: CompiledJob, run: Run) -> None:
        if job.id in self._tasks:
            self._bars.remove_task(self._tasks.pop(job.id))
        super().ends(job, run)

    def close(self) -> None:
        self._bars.stop()

    def _say(self, line: str) -> None:
        from cncopctl.cli.terminal import styled

        self._bars.console.print(styled(line), soft_wrap=True)


def _display(jobs: list[CompiledJob], *, as_json: bool) -> _Lines:
    if as_json or not sys.stdout.isatty():
        return _Lines(quiet=as_json)
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from cncopctl.cli.terminal import console

    width = max(len(job.id) for job in jobs)
    columns: tuple[Any, ...] = (
        SpinnerColumn(),
        TextColumn(f"{{task.description:<{width}}}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[phrase]}", markup=False),
    )
    return _Bars(Bars(*columns, console=console(), transient=True))


def _end_lines(job: CompiledJob, run: Run) -> list[str]:
    took = (
        f" ({show_span(run.ended - run.started)})" if run.ended and run.outcome is not Outcome.SKIPPED else ""
    )
    lines = [f"{job.id}: {run.outcome}: {printable(run.phrase)}{took}"]
    lines += [f"  warning: {printable(warning)}" for warning in run.warnings]
    lines += [f"  hint: {printable(run.hint)}"] if run.hint else []
    return lines + ([f"  log: {run.log}"] if run.log and run.outcome and run.outcome.is_failure() else [])
