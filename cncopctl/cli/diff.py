"""`cncopctl diff`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.cli.terminal import show_time, warn
from cncopctl.cli.when import read_instant
from cncopctl.core.choice import choose_backup
from cncopctl.core.engines.restic import Change
from cncopctl.core.engines.snapshots import Snapshot
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.snapshot_choice import choose_snapshot
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.repositories import repository_of

_KINDS = {"+": "added", "-": "removed", "M": "modified", "T": "of another type", "U": "with other metadata"}


@click.command("diff")
@click.argument("job", shell_complete=complete_job)
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--metadata", is_flag=True, help="Also tell of modes, owners and times that differ (U).")
@json_option
@installation_options
def command(layout: Layout, *, job: str, a: str | None, b: str | None, metadata: bool, as_json: bool) -> int:
    """Show what differs from snapshot A of JOB (id or title) to snapshot B.

    A and B are ids, their beginnings, or times: the last snapshot taken by then. Without B it is the latest one,
    without A the one before that. Each line begins with + (added), - (removed), M (content) or T (type).

    \b
    Examples:
      cncopctl diff etc
      cncopctl diff etc 1a2b3c4d
      cncopctl diff etc "2026-11-20" "2026-11-21 12:00"
    """
    chosen = choose_backup(job, read_compiled_jobs(layout.compiled_jobs))
    changes: list[Change] = []
    with repository_of(layout, chosen, warn) as repository:
        older, newer = _pair(a, b, repository.snapshots(chosen.id), chosen.id)
        repository.diff(older.id, newer.id, metadata=metadata, on_change=changes.append)
    counts = Counter(change.kind[:1] for change in changes)
    if as_json:
        listed = [{"path": change.path, "change": change.kind} for change in changes]
        document = {"a": older.as_dict(), "b": newer.as_dict(), "changes": listed}
        click.echo(json.dumps(document, indent=2))
        return 0
    for change in changes:
        click.echo(f"{printable(change.kind):<2} {printable(change.path)}")
    told = ", ".join(f"{counts[kind]:,} {words}" for kind, words in _KINDS.items() if counts[kind])
    since = f"from {older.short_id} of {show_time(older.time)} to {newer.short_id} of {show_time(newer.time)}"
    click.echo(f"{chosen.id}: {told or 'no difference'} {since}")
    return 0


def _pair(a: str | None, b: str | None, taken: Sequence[Snapshot], job_id: str) -> tuple[Snapshot, Snapshot]:
    now = datetime.now(UTC)
    newer = choose_snapshot("latest" if b is None else b, read_instant(b or "", now), taken, job_id)
    if a is not None:
        return choose_snapshot(a, read_instant(a, now), taken, job_id), newer
    before = [snapshot for snapshot in taken if snapshot.time < newer.time]
    if not before:
        raise UsageError(f"{job_id} has one snapshot only", "there is nothing to compare it with yet")
    return before[-1], newer
