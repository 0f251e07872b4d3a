"""restore: write a snapshot, or some paths of it, into a directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.phrases import counted, size
from cncopctl.agentkit.place import existing_place, open_repository
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.request import Request, Restore
from cncopctl.agentkit.result import Result
from cncopctl.agentkit.telling import teller
from cncopctl.core.engines.restic import Node, as_listed
from cncopctl.core.engines.snapshots import RootMetadata, Snapshot, find_snapshot, snapshot_at
from cncopctl.core.faults import nearest
from cncopctl.edges.restic import Repository

_NAMED = 3


def restore(request: Request, progress: Progress) -> Result:
    """Write a snapshot, or some paths of it, into a directory."""
    wanted = request.wanted()
    repository = open_repository(request)
    with existing_place(request).in_use():
        snapshot = _wanted_snapshot(repository.snapshots(request.job.id), wanted, request)
        chosen = _chosen(repository, snapshot, wanted, is_counting=bool(wanted.paths) or request.dry_run)
        is_new = claim_target(wanted, dry_run=request.dry_run)
        if not request.dry_run:
            reader = teller(progress, "restore", "restoring", chosen.files, chosen.bytes)
            repository.restore(snapshot.id, wanted.to, paths=wanted.paths, on_message=reader)
            if is_new and not wanted.paths and snapshot.root:
                _apply(snapshot.root, wanted.to)
        return Result(
            _phrase(request, wanted, snapshot, chosen),
            snapshot=snapshot.id,
            files=chosen.files,
            bytes=chosen.bytes,
            overwritten=chosen.overwritten,
        )


def claim_target(wanted: Restore, *, dry_run: bool) -> bool:
    """Make sure that the target of a restore is a directory that loses nothing; whether it was empty.

    Single paths may go beside what is there; the whole only into an empty directory.

    Raises:
        AgentError: something would be overwritten, and that was not asked for.
    """
    to = wanted.to
    if to.exists() and not to.is_dir():
        raise AgentError(f"{to} is not a directory", "name a directory to restore to")
    is_empty = not to.exists() or not any(os.scandir(to))
    there = [path for path in wanted.paths if os.path.lexists(to / path)]
    if not wanted.force and (there or not (is_empty or wanted.paths)):
        raise AgentError(
            f"{_listed([str(to / path) for path in there])} is there already"
            if there
            else f"{to} is not empty",
            "name an empty directory, or overwrite what is there with --force (nothing is deleted)",
        )
    if not dry_run:
        to.mkdir(parents=True, exist_ok=True)
    return is_empty


@dataclass(slots=True)
class _Chosen:
    """What a restore writes; `overwritten` are files that are there already, None where nobody counted."""

    files: int | None = None
    bytes: int | None = None
    overwritten: int | None = None


def _chosen(repository: Repository, snapshot: Snapshot, wanted: Restore, *, is_counting: bool) -> _Chosen:
    """Count what is to be restored.

    Raises:
        AgentError: a path is not in the snapshot.
    """
    if not is_counting:
        return _Chosen(snapshot.files, snapshot.bytes)
    chosen = _Chosen(0, 0, 0)
    lost = {as_listed(path).strip("/"): path for path in wanted.paths}

    def count(node: Node) -> None:
        lost.pop(node.path, None)
        if node.kind == "file" and chosen.files is not None and chosen.bytes is not None:
            chosen.files += 1
            chosen.bytes += node.size
            chosen.overwritten = (chosen.overwritten or 0) + os.path.lexists(wanted.to / node.path)

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
        raise AgentError("there is no snapshot of this job yet", f"make one with: cncopctl runjob {job}")
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
    what = f"{_listed(wanted.paths)} of {told}" if wanted.paths else told
    counts = ""
    if chosen.files is not None and chosen.bytes is not None:
        counts = f": {counted(chosen.files, 'file')}, {size(chosen.bytes)}"
    if not request.dry_run:
        return f"{what} restored to {wanted.to}{counts}"
    over = f", {chosen.overwritten:,} of them over what is there" if chosen.overwritten else ""
    return f"would restore {what} to {wanted.to}{counts}{over}"


def _listed(paths: tuple[str, ...] | list[str]) -> str:
    return ", ".join(paths[:_NAMED]) + (" …" if len(paths) > _NAMED else "")


def _apply(root: RootMetadata, directory: Path) -> None:
    if os.geteuid() == 0:
        os.chown(directory, root.uid, root.gid)
    directory.chmod(root.mode)
    os.utime(directory, ns=(root.mtime_ns, root.mtime_ns))
