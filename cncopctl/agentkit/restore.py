"""restore: write a snapshot, or some paths of it, into a directory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.phrases import counted, size
from cncopctl.agentkit.place import existing_place, open_repository
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.request import Request, Restore
from cncopctl.agentkit.result import Result
from cncopctl.agentkit.target import claimed, listed, refuse_other_kind
from cncopctl.agentkit.telling import teller
from cncopctl.core.engines.restic import Node, as_listed
from cncopctl.core.engines.snapshots import Snapshot, find_snapshot, snapshot_at
from cncopctl.core.faults import nearest
from cncopctl.core.snapshot_choice import how_to_take_one
from cncopctl.edges.restic import Repository

_NAMED = 3


def restore(request: Request, progress: Progress) -> Result:
    """Write a snapshot, or some paths of it, into a directory.

    Raises:
        AgentError: there is no such snapshot or path, or the target would lose something: nothing was written.
        ResticError: restic failed.
    """
    wanted = request.wanted()
    warnings: list[str] = []
    repository = replace(open_repository(request), on_warning=warnings.append)
    with existing_place(request).in_use():
        snapshot = _wanted_snapshot(repository.snapshots(request.job.id), wanted, request)
        is_counting = bool(wanted.paths) or wanted.force or request.dry_run
        chosen = _chosen(repository, snapshot, wanted, is_counting=is_counting)
        with claimed(wanted, dry_run=request.dry_run) as target:
            if not request.dry_run:
                reader = teller(progress, "restore", "restoring", chosen.files, chosen.bytes)
                repository.restore(
                    snapshot.id, target.path, shown=wanted.to, paths=wanted.paths, on_message=reader
                )
                target.root = snapshot.root if target.is_new and not wanted.paths else None
        return Result(
            _phrase(request, wanted, snapshot, chosen),
            snapshot=snapshot.id,
            files=chosen.files,
            bytes=chosen.bytes,
            overwritten=chosen.overwritten,
            warnings=warnings,
        )


@dataclass(slots=True)
class _Chosen:
    """What a restore writes; `overwritten` are files that are there already, None where nobody counted."""

    files: int | None = None
    bytes: int | None = None
    overwritten: int | None = None


def _chosen(repository: Repository, snapshot: Snapshot, wanted: Restore, *, is_counting: bool) -> _Chosen:
    """Count what is to be restored.

    Raises:
        AgentError: a path is not in the snapshot, or a directory stands where a file comes back, or a file or a
            link where a directory does.
    """
    if not is_counting:
        return _Chosen(snapshot.files, snapshot.bytes)
    chosen = _Chosen(0, 0, 0)
    lost = {as_listed(path).strip("/"): path for path in wanted.paths}

    def count(node: Node) -> None:
        lost.pop(node.path, None)
        is_there = refuse_other_kind(wanted.to / node.path, is_directory=node.kind == "dir")
        if node.kind == "file" and chosen.files is not None and chosen.bytes is not None:
            chosen.files += 1
            chosen.bytes += node.size
            chosen.overwritten = (chosen.overwritten or 0) + is_there

    repository.walk(snapshot.id, wanted.paths, on_node=count)
    if lost:
        raise AgentError(
            f"the snapshot {snapshot.short_id} has no {', '.join(lost.values())}",
            _near(repository, snapshot, next(iter(lost))),
        )
    return chosen


def _near(repository: Repository, snapshot: Snapshot, path: str) -> str:
    """A hint at what is there in the place of `path`."""
    parent = path.rpartition("/")[0]
    found: list[str] = []
    repository.walk(
        snapshot.id,
        [parent] if parent else [],
        recursive=False,
        on_node=lambda node: found.append(node.path),
    )
    meant = nearest(path, found)
    if meant:
        return f"did you mean {meant}?"
    return "write paths from the root of the backup, without the source's own path; see: cncopctl ls"


def _wanted_snapshot(taken: list[Snapshot], wanted: Restore, request: Request) -> Snapshot:
    snapshot = snapshot_at(taken, wanted.at) if wanted.at else find_snapshot(taken, wanted.snapshot)
    if snapshot is not None:
        return snapshot
    job = request.job.id
    if not taken:
        raise AgentError("there is no snapshot of this job yet", how_to_take_one(job))
    if wanted.at:
        raise AgentError(
            f"this job has no snapshot from before {wanted.at.astimezone():%Y-%m-%d %H:%M:%S}",
            f"the oldest is {taken[0].short_id} of {taken[0].time.astimezone():%Y-%m-%d %H:%M:%S}",
        )
    fitting = [known for known in taken if known.id.startswith(wanted.snapshot.lower())]
    recent = ", ".join(known.short_id for known in reversed((fitting or taken)[-_NAMED:]))
    raise AgentError(
        f"several snapshots of this job begin with {wanted.snapshot}"
        if fitting
        else f"this job has no snapshot {wanted.snapshot}",
        f"the latest are {recent}; see them all with: cncopctl snapshots {job}",
    )


def _phrase(request: Request, wanted: Restore, snapshot: Snapshot, chosen: _Chosen) -> str:
    told = f"the snapshot of {snapshot.time.astimezone():%Y-%m-%d %H:%M:%S} ({snapshot.short_id})"
    what = f"{listed(wanted.paths)} of {told}" if wanted.paths else told
    counts = ""
    if chosen.files is not None and chosen.bytes is not None:
        counts = f": {counted(chosen.files, 'file')}, {size(chosen.bytes)}"
    if not request.dry_run:
        return f"{what} restored to {wanted.to}{counts}"
    over = f", {chosen.overwritten:,} of them over what is there" if chosen.overwritten else ""
    return f"would restore {what} to {wanted.to}{counts}{over}"
