"""`cncopctl restore`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.core.choice import choose_job
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.run import Progress
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.call_agent import call_agent


@click.command("restore")
@click.argument("job", shell_complete=complete_job)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--snapshot", metavar="ID", default="latest", help="Which one; see cncopctl snapshots [latest]."
)
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), help="Where to [where it came from].")
@click.option("--force", is_flag=True, help="Overwrite what is there; nothing is ever deleted.")
@json_option
@installation_options
def command(
    layout: Layout,
    *,
    job: str,
    paths: tuple[str, ...],
    snapshot: str,
    to: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Bring back files of JOB (id or title) from one of its snapshots.

    Without PATHs everything comes back; a PATH is relative to the job's source. DIR must be empty or not
    exist, unless --force is given.

    \b
    Examples:
      cncopctl restore web-01 --to /tmp/web
      cncopctl restore web-01 --snapshot 1a2b3c4d --to /tmp/web conf/httpd.conf
      cncopctl restore etc --force            back to where it came from
    """
    chosen = choose_job(job, read_compiled_jobs(layout.compiled_jobs))
    target = (to or _origin(chosen)).absolute()
    details = {"restore": {"snapshot": snapshot, "to": str(target), "paths": list(paths), "force": force}}
    with _progress(chosen.id, as_json=as_json) as on_progress:
        result = call_agent(layout, chosen, "restore", details, on_progress)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        for warning in result.get("warnings") or ():
            click.echo(f"warning: {printable(str(warning))}")
        click.echo(f"{chosen.id}: {printable(str(result.get('phrase', 'restored')))}")
    return 0


def _origin(job: CompiledJob) -> Path:
    source = str(job.values["source"])
    if not source.startswith("/"):
        raise UsageError(
            f"{job.id} comes from {source}, which is not on this machine", "say where to with --to DIR"
        )
    return Path(source)


@contextlib.contextmanager
def _progress(label: str, *, as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    if as_json or not sys.stdout.isatty():
        yield lambda _document: None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    from cncopctl.cli.terminal import console

    text = TextColumn("{task.fields[phrase]}", markup=False)
    with Bars(SpinnerColumn(), BarColumn(bar_width=30), text, console=console(), transient=True) as bars:
        task = bars.add_task(label, total=None, phrase="opening the repository")

        def show(document: dict[str, Any]) -> None:
            progress = Progress.from_document(document)
            fraction = progress.fraction()
            total = None if fraction is None else 1.0
            bars.update(task, total=total, completed=fraction or 0, phrase=printable(progress.sentence()))

        yield show
