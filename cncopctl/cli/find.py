"""`cncopctl find`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click

from cncopctl.cli.options import choose_backups, complete_job, installation_options, json_option
from cncopctl.cli.terminal import print_table, show_minute, warn
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.engines.restic import Node, is_pattern
from cncopctl.core.engines.snapshots import Snapshot
from cncopctl.core.errors import CncopError, UsageError
from cncopctl.core.faults import shown
from cncopctl.core.layout import Layout
from cncopctl.core.snapshot_choice import how_to_take_one
from cncopctl.core.spans import show_size
from cncopctl.verbs.repositories import repository_of


@dataclass(slots=True)
class _Version:
    """One state of a file, and the snapshots that have it, oldest first."""

    job: str
    node: Node
    snapshots: list[Snapshot] = field(default_factory=list)


@click.command("find")
@click.argument("words", metavar="[JOB]... PATTERN", nargs=-1, required=True, shell_complete=complete_job)
@click.option("-a", "--alljobs", is_flag=True, help="In the backups of all jobs.")
@json_option
@installation_options
def command(layout: Layout, *, words: tuple[str, ...], alljobs: bool, as_json: bool) -> int:
    """Find files in all snapshots of JOBs (ids or titles) by a shell PATTERN, in quotes.

    A PATTERN without a slash fits names, one with a slash the end of paths, one that begins with a slash paths from
    the job's source on. Each state of a file is told once, with how many snapshots have it and the newest of them.

    \b
    Examples:
      cncopctl find etc 'sshd_config'
      cncopctl find web-01 db '*.sql.gz'
      cncopctl find -a 'conf.d/*.conf'
    """
    *names, pattern = words
    if not names and not alljobs:
        raise click.UsageError(
            "a job and a PATTERN, or -a and a PATTERN\nhint: cncopctl find web-01 '*.conf', cncopctl find -a '*.conf'"
        )
    if not all(map(is_pattern, pattern.split("/"))) or not pattern:
        hint = "'*' fits every name; a [ or a \\ that is meant as such needs a \\ before it"
        raise UsageError(f"{shown(pattern)} is no PATTERN", hint)
    jobs = _backups(layout, names, pattern, alljobs=alljobs)
    versions, status = _found(layout, jobs, pattern)
    if as_json:
        click.echo(json.dumps([_document(version) for version in versions], indent=2))
    elif versions:
        print_table(
            ("JOB", "PATH", "SIZE", "MODIFIED", "SNAPSHOTS", "NEWEST"),
            map(_row, versions),
            right=("SIZE", "SNAPSHOTS"),
            flexible=("PATH",),
        )
    else:
        click.echo("nothing in any snapshot fits; a PATTERN is a whole name, as in '*.conf'")
    return status


def _found(layout: Layout, jobs: Sequence[CompiledJob], pattern: str) -> tuple[list[_Version], int]:
    """What the jobs have, and the exit status: one that cannot be looked into does not hide the others.

    Raises:
        CncopError: the only job cannot be looked into.
    """
    versions: list[_Version] = []
    status = 0
    for job in jobs:
        try:
            versions += _versions(layout, job, pattern)
        except CncopError as error:
            if len(jobs) == 1:
                raise
            warn("; ".join(filter(None, (f"not looked into: {error.message}", error.hint))))
            status = status or error.exit_status
    return versions, status


def _backups(layout: Layout, names: Sequence[str], pattern: str, *, alljobs: bool) -> list[CompiledJob]:
    """The backups to look into; who has written the pattern first is told so."""
    try:
        return choose_backups(layout, tuple(names), alljobs=alljobs)
    except UsageError as error:
        if not _is_job(layout, pattern):
            raise
        hint = f"the PATTERN comes last: cncopctl find {pattern} {shlex.quote(names[0])}"
        raise UsageError(error.message, hint) from error


def _is_job(layout: Layout, word: str) -> bool:
    try:
        return bool(choose_backups(layout, (word,), alljobs=False))
    except UsageError:
        return False


def _versions(layout: Layout, job: CompiledJob, pattern: str) -> Iterator[_Version]:
    with repository_of(layout, job, warn) as repository:
        taken = {snapshot.id: snapshot for snapshot in repository.snapshots(job.id)}
        if not taken:
            warn(f"{job.id} has no snapshot yet; {how_to_take_one(job.id)}")
        matches = repository.find(job.id, [_from_the_source(job, pattern)]) if taken else []
    found: dict[tuple[object, ...], _Version] = {}
    for snapshot_id, node in matches:
        if snapshot := taken.get(snapshot_id):
            state = (node.path, node.kind, node.size, node.modified)
            found.setdefault(state, _Version(job.id, node)).snapshots.append(snapshot)
    for version in found.values():
        version.snapshots.sort(key=lambda snapshot: snapshot.time)
    yield from sorted(found.values(), key=lambda version: (version.node.path, version.snapshots[0].time))


def _from_the_source(job: CompiledJob, pattern: str) -> str:
    """The PATTERN as the backup has it, where it begins with the job's own local source."""
    source = str(job.values["source"]).rstrip("/")
    is_below = source.startswith("/") and pattern.startswith(f"{source}/")
    return pattern.removeprefix(source) if is_below else pattern


def _row(version: _Version) -> tuple[str, ...]:
    node = version.node
    return (
        version.job,
        node.path + ("/" if node.kind == "dir" else ""),
        show_size(node.size) if node.kind == "file" else "-",
        show_minute(node.modified),
        f"{len(version.snapshots):,}",
        version.snapshots[-1].short_id,
    )


def _document(version: _Version) -> dict[str, object]:
    snapshots = [{"id": snapshot.id, "time": snapshot.time.isoformat()} for snapshot in version.snapshots]
    return {"job": version.job, **version.node.as_dict(), "snapshots": snapshots}
