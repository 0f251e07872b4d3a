"""`cncopctl ls`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.cli.terminal import show_minute, show_time, warn
from cncopctl.cli.when import read_instant
from cncopctl.core.choice import choose_backup
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.engines.restic import Node, as_listed
from cncopctl.core.engines.snapshots import Snapshot
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import nearest, printable, shown
from cncopctl.core.layout import Layout
from cncopctl.core.snapshot_choice import choose_snapshot, is_snapshot
from cncopctl.core.spans import show_size
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.restic import Repository
from cncopctl.verbs.repositories import path_in_backup, repository_of


@click.command("ls")
@click.argument("job", shell_complete=complete_job)
@click.argument("snapshot", required=False)
@click.argument("path", required=False)
@click.option("-R", "--recursive", is_flag=True, help="With everything below.")
@json_option
@installation_options
def command(
    layout: Layout, *, job: str, snapshot: str | None, path: str | None, recursive: bool, as_json: bool
) -> int:
    """List what is in a SNAPSHOT of JOB (id or title), or in the directory PATH of it.

    SNAPSHOT is `latest`, an id, its beginning, or a time: the last snapshot taken by then. A single word that can
    be no snapshot is a PATH in the latest one; so is one that begins with a slash.

    \b
    Examples:
      cncopctl ls etc
      cncopctl ls etc /ssh
      cncopctl ls etc 1a2b3c4d ssh
      cncopctl ls etc "2026-11-20 12:00" -R
    """
    chosen = choose_backup(job, read_compiled_jobs(layout.compiled_jobs))
    with repository_of(layout, chosen, warn) as repository:
        taken = repository.snapshots(chosen.id)
        wanted, inside = _meant(chosen, snapshot, path, taken)
        nodes = _nodes(repository, wanted, inside, recursive=recursive)
    if as_json:
        document = {"snapshot": wanted.as_dict(), "path": inside, "nodes": [node.as_dict() for node in nodes]}
        click.echo(json.dumps(document, indent=2))
        return 0
    click.echo(f"{chosen.id}, snapshot {wanted.short_id} of {show_time(wanted.time)}")
    for node in nodes:
        click.echo(_line(node, inside))
    return 0


def _meant(
    job: CompiledJob, word: str | None, path: str | None, taken: Sequence[Snapshot]
) -> tuple[Snapshot, str]:
    at = read_instant(word, datetime.now(UTC)) if word else None
    if word is not None and path is None and (word.startswith("/") or not is_snapshot(word, at, taken)):
        word, path, at = "latest", word, None
    return choose_snapshot("latest" if word is None else word, at, taken, job.id), path_in_backup(
        job, path or ""
    )


def _nodes(repository: Repository, snapshot: Snapshot, path: str, *, recursive: bool) -> list[Node]:
    found: list[Node] = []
    asked = [path] if path else []
    repository.walk(snapshot.id, asked, recursive=recursive, on_node=found.append)
    listed = as_listed(path).strip("/")
    if path and not any(node.path == listed for node in found):
        raise UsageError(
            f"the snapshot {snapshot.short_id} has no {shown(path)}", _near(repository, snapshot, path)
        )
    return [node for node in found if node.path != listed or node.kind != "dir"]


def _near(repository: Repository, snapshot: Snapshot, path: str) -> str:
    beside: list[Node] = []
    parent = path.rpartition("/")[0]
    repository.walk(snapshot.id, [parent] if parent else [], recursive=False, on_node=beside.append)
    meant = nearest(path, [node.path for node in beside])
    return f"did you mean {meant}?" if meant else "paths begin at the root of the backup; see: cncopctl find"


def _line(node: Node, inside: str) -> str:
    """As `ls -l` has it, with names from the directory that was asked for."""
    name = node.path.removeprefix(f"{as_listed(inside).strip('/')}/") if inside else node.path
    name = printable(name) + ("/" if node.kind == "dir" else "")
    size = show_size(node.size) if node.kind == "file" else "-"
    owner = f"{node.uid}:{node.gid}"
    return f"{printable(node.permissions):<10}  {owner:<11}  {size:>10}  {show_minute(node.modified)}  {name}"
