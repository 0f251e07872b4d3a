"""`cncopctl restore`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from cncopctl.cli.agent_progress import agent_progress
from cncopctl.cli.options import Place, complete_job, installation_options, json_option
from cncopctl.cli.when import Instant, read_instant
from cncopctl.core.choice import choose_backup
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import printable, shown
from cncopctl.core.layout import Layout
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.call_agent import call_agent
from cncopctl.verbs.repositories import path_in_backup


@click.command("restore")
@click.argument("job", shell_complete=complete_job)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--snapshot",
    metavar="ID",
    default="latest",
    help="Which one: an id, its beginning, or a time [latest].",
)
@click.option("--at", type=Instant(), help="The last snapshot taken by then, in local time.")
@click.option("--to", metavar="DIR", type=Place(path_type=Path), help="Where to [where it came from].")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would come back, and over what.")
@click.option("--force", is_flag=True, help="Overwrite what is there; nothing is ever deleted.")
@json_option
@installation_options
def command(
    layout: Layout,
    *,
    job: str,
    paths: tuple[str, ...],
    snapshot: str,
    at: datetime | None,
    to: Path | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Bring back files of JOB (id or title) from one of its snapshots.

    Without PATHs everything comes back, into a DIR that is empty or does not exist. A PATH begins at the job's
    source, and comes back where nothing of its name is. --force overwrites; nothing is ever deleted.

    \b
    Examples:
      cncopctl restore web-01 --to /tmp/web
      cncopctl restore web-01 --snapshot 1a2b3c4d --to /tmp/web conf/httpd.conf
      cncopctl restore etc ssh/sshd_config --at "2026-11-20 12:00"     to where it came from
      cncopctl restore etc --force --dry-run                          what that would overwrite
    """
    if at and snapshot != "latest":
        raise click.UsageError("--at and --snapshot exclude each other")
    if not snapshot:
        raise click.UsageError("--snapshot is empty\nhint: see: cncopctl snapshots JOB")
    at = at or read_instant(snapshot, datetime.now(UTC))
    chosen = choose_backup(job, read_compiled_jobs(layout.compiled_jobs))
    target = (to or _origin(chosen)).absolute()
    wanted = {
        "snapshot": "latest" if at else snapshot,
        "at": at.isoformat() if at else "",
        "to": str(target),
        "paths": _in_backup(chosen, paths),
        "force": force,
    }
    details = {"restore": wanted, "dry_run": dry_run}
    with agent_progress(chosen.id, "opening the repository", as_json=as_json) as on_progress:
        result = call_agent(layout, chosen, "restore", details, on_progress)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        for warning in result.get("warnings") or ():
            click.echo(f"warning: {printable(str(warning))}")
        click.echo(f"{chosen.id}: {printable(str(result.get('phrase', 'restored')))}")
    return 0


def _in_backup(job: CompiledJob, words: tuple[str, ...]) -> list[str]:
    """The PATHs from the root of the backup on; none for everything, as the source itself is.

    Raises:
        UsageError: one is empty, as of a variable that was not set, or leads out of the backup.
    """
    paths = [path_in_backup(job, word) for word in words]
    for word, path in zip(words, paths, strict=True):
        if not word:
            raise UsageError("a PATH is empty", "leave it out, and everything comes back")
        if ".." in path.split("/"):
            hint = f"write paths from the job's source on, without ..; see: cncopctl ls {job.id}"
            raise UsageError(f"{shown(word)} is no path in a backup", hint)
    return [] if "" in paths else paths


def _origin(job: CompiledJob) -> Path:
    source = str(job.values["source"])
    if not source.startswith("/"):
        raise UsageError(
            f"{job.id} comes from {source}, which is not on this machine", "say where to with --to DIR"
        )
    return Path(source)
