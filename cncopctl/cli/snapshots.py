"""`cncopctl snapshots`."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.cli.terminal import print_table, show_left, show_time, warn
from cncopctl.core.choice import choose_backup
from cncopctl.core.engines.snapshots import Snapshot
from cncopctl.core.layout import Layout
from cncopctl.core.snapshot_choice import how_to_take_one
from cncopctl.core.spans import show_size
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.restic import Repository
from cncopctl.verbs.repositories import repository_of

_GOES = "no rule: goes with the next backup"


@click.command("snapshots")
@click.argument("job", shell_complete=complete_job)
@json_option
@installation_options
def command(layout: Layout, *, job: str, as_json: bool) -> int:
    """Show what JOB (id or title) can be restored from, oldest first, and which rule keeps it.

    One that is suspect was unlike the backups before it; see guard in the profile, and cncopctl accept.

    \b
    Examples:
      cncopctl snapshots web-01
      cncopctl restore web-01 --snapshot 1a2b3c4d --to /tmp/web
    """
    chosen = choose_backup(job, read_compiled_jobs(layout.compiled_jobs))
    with repository_of(layout, chosen, warn) as repository:
        found = _with_reasons(repository, chosen.id, chosen.values.get("keep") or {})
    if as_json:
        documents = [snapshot.as_dict() | {"reasons": reasons} for snapshot, reasons in found]
        click.echo(json.dumps(documents, indent=2))
    elif found:
        print_table(
            ("SNAPSHOT", "TAKEN", "", "FILES", "SIZE", "KEPT BY"),
            [_row(snapshot, reasons) for snapshot, reasons in found],
            right=("FILES", "SIZE"),
            flexible=("KEPT BY",),
        )
    else:
        click.echo(f"{chosen.id} has no snapshot yet; {how_to_take_one(chosen.id)}")
    return 0


def _with_reasons(
    repository: Repository, job_id: str, keep: Mapping[str, int | str]
) -> list[tuple[Snapshot, list[str] | None]]:
    """The snapshots with restic's words on why each stays; None where no rule removes any."""
    if not keep or not repository.exists():
        return [(snapshot, None) for snapshot in repository.snapshots(job_id)]
    retained = repository.forget(job_id, keep, dry_run=True)
    found: list[tuple[Snapshot, list[str] | None]] = [
        (snapshot, list(reasons)) for snapshot, reasons in retained.kept
    ]
    found += [(snapshot, []) for snapshot in retained.removed]
    return sorted(found, key=lambda pair: pair[0].time)


def _row(snapshot: Snapshot, reasons: list[str] | None) -> tuple[str, ...]:
    words = ["everything is kept"] if reasons is None else reasons or [_GOES]
    suspect = ["suspect"] if snapshot.is_suspect() else []
    return (
        snapshot.short_id,
        show_time(snapshot.time),
        show_left(snapshot.time),
        "-" if snapshot.files is None else f"{snapshot.files:,}",
        "-" if snapshot.bytes is None else show_size(snapshot.bytes),
        ", ".join(suspect + [word.removesuffix(" snapshot") for word in words]),
    )
