"""Running jobs for a person: what `cncopctl runjob` and `cncopagent` have in common, which is everything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from cncopctl.cli.options import manager_of
from cncopctl.cli.run_display import display_for
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.configuration import Configuration
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.verbs.run_jobs import run_jobs, select_installed


@dataclass(frozen=True, slots=True)
class Order:
    """Which jobs somebody wants to run, and how: the options of the command line."""

    words: tuple[str, ...]
    alljobs: bool
    kind: str | None
    email: str | None = None
    parallel: int = 1
    force: bool = False
    as_json: bool = False


def run_order(layout: Layout, order: Order, settings: Path, *, dry_run: bool) -> int:
    """Run the jobs of `order` or, with `dry_run`, say what would be run; the exit status.

    Args:
        layout: the installation.
        order: the jobs.
        settings: the cncop3.ini with the settings for mail.
        dry_run: whether to run nothing.

    Raises:
        UsageError: no such job, or no such way to choose them.
        ProfileError: mail is asked for, and cncop3.ini does not say how to send it.
        SystemdError: a service cannot be started.
    """
    chosen, left_out = select_installed(layout, order.words, alljobs=order.alljobs, kind=order.kind)
    for word in left_out:
        click.echo(printable(word), err=True)
    configuration = _mail_settings(layout, order, settings)
    if dry_run:
        return _preview(layout, order, chosen)
    runs = _run(layout, order, chosen)
    if order.as_json:
        click.echo(json.dumps([run.document() for run in runs], indent=2))
    elif len(runs) > 1:
        good = sum(run.outcome is Outcome.OK for run in runs)
        click.echo(f"{good} of {len(runs)} jobs ended OK")
    if configuration and order.email:
        _mail(layout, order.email, runs, configuration)
    return 0 if all(run.outcome is Outcome.OK for run in runs) else 3


def _mail_settings(layout: Layout, order: Order, settings: Path) -> Configuration | None:
    """How mail is sent, found wanting before anything runs rather than after; None where none is to be sent."""
    if not order.email:
        return None
    from cncopctl.verbs.mail_runs import mail_settings

    return mail_settings(layout, order.email, settings)


def _run(layout: Layout, order: Order, jobs: list[CompiledJob]) -> list[Run]:
    with manager_of(layout) as systemd:
        if systemd is None:
            raise click.UsageError("an installation under --root has no systemd to run jobs")
        display = display_for(jobs, as_json=order.as_json)
        try:
            return run_jobs(layout, systemd, jobs, order.parallel, display, force=order.force)
        except KeyboardInterrupt:
            click.echo("the jobs that were started go on; see: cncopctl jobs", err=True)
            raise
        finally:
            display.close()


def _mail(layout: Layout, email: str, runs: list[Run], configuration: Configuration) -> None:
    from cncopctl.verbs.mail_runs import mail_runs

    if problem := mail_runs(layout, configuration.mail, runs, email):
        click.echo(printable(problem), err=True)


def _preview(layout: Layout, order: Order, jobs: list[CompiledJob]) -> int:
    from cncopctl.verbs.preview_jobs import preview

    with manager_of(layout) as systemd:
        previews = []
        for job in jobs:
            previews.append(preview(layout, systemd, job, force=order.force))
            if not order.as_json:
                for line in previews[-1].lines(len(previews)):
                    click.echo(printable(line))
    if order.as_json:
        click.echo(json.dumps([each.document() for each in previews], indent=2))
    elif order.email:
        click.echo(f"then what became of them would be mailed to {order.email}")
    return 0 if all(each.is_good() for each in previews) else 3
