"""What people see of jobs that run: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.faults import printable
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Progress, Run
from cncopctl.core.spans import show_span
from cncopctl.verbs.run_jobs import Display

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Lines(Display):
    """Plain lines, for logs and pipes."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def begins(self, job: CompiledJob) -> None:
        """Say that `job` was started."""
        self._say(f"{job.id}: started")

    def comes_on(self, job_id: str, progress: Progress) -> None:
        """A log wants no progress."""

    def ends(self, job: CompiledJob, run: Run) -> None:
        """Say how `run` of `job` has ended, with its warnings, its hint, and the log of a failure."""
        for line in _end_lines(job, run):
            self._say(line)

    def close(self) -> None:
        """Leave the terminal as it was found."""

    def _say(self, line: str) -> None:
        if not self._quiet:
            click.echo(line)


class _Bars(Lines):
    """A bar for each running job, by rich, above which the ended ones stay as lines."""

    def __init__(self, bars: Bars) -> None:
        super().__init__(quiet=False)
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._bars.start()

    def begins(self, job: CompiledJob) -> None:
        self._bars.start()  # once more after a pause between jobs; else nothing
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
            if len(self._tasks) == 1:  # stopped without any bar, rich leaves an empty line
                self._bars.stop()
            self._bars.remove_task(self._tasks.pop(job.id))
        super().ends(job, run)

    def close(self) -> None:
        self._bars.stop()

    def _say(self, line: str) -> None:
        from cncopctl.cli.terminal import styled

        self._bars.console.print(styled(line), soft_wrap=True)


def display_for(jobs: Sequence[CompiledJob], *, as_json: bool) -> Lines:
    """Bars on a terminal, lines elsewhere, nothing where JSON is asked for; its `close` is to be called."""
    if as_json or not sys.stdout.isatty():
        return Lines(quiet=as_json)
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
