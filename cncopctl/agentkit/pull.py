"""PULL: fetch a source into a mirror, and keep the mirror's history in a repository.

    <destination>/mirror/       the source as it was at the last complete run, to be read with ls
    <destination>/repository/   restic: every snapshot that was taken of the mirror
    <destination>/partial/      what an interrupted transfer left, for the next one to go on from

What differs between agents is how the mirror is fetched, and nothing else: each brings a `Fetch`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cncopctl.agentkit.engine import run_lines
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.phrases import age, counted, size
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.request import REPOSITORY_PASSWORD, Request, Restore
from cncopctl.agentkit.result import Result
from cncopctl.core.engines import restic as reports
from cncopctl.core.engines.snapshots import RootMetadata, Snapshot, find_snapshot, snapshot_tags
from cncopctl.edges.restic import Repository, ResticError

HOST = "cncop"
"""The host in every snapshot: a fixed one, so that renaming the machine does not cut the history in two."""

_READ_PERCENT = 5


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of a PULL job's destination."""

    destination: Path

    @property
    def mirror(self) -> Path:
        """The readable copy."""
        return self.destination / "mirror"

    @property
    def repository(self) -> Path:
        """The history."""
        return self.destination / "repository"

    @property
    def partial(self) -> Path:
        """Half-transferred files."""
        return self.destination / "partial"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What fetching did. `keeps_root` says that the mirror's own mode, owner and time are the source's."""

    files: int
    bytes: int
    files_changed: int
    bytes_transferred: int
    deleted: int = 0
    keeps_root: bool = True
    warnings: list[str] = field(default_factory=list)


Fetch = Callable[[Request, Place, Progress], Fetched]


def backup(request: Request, progress: Progress, fetch: Fetch) -> Result:
    """Bring the mirror up to date, and only when that is complete take a snapshot of it."""
    place = existing_place(request)
    repository = open_repository(request)
    if request.dry_run:
        return _would(fetch(request, place, progress))
    place.mirror.mkdir(mode=0o700, exist_ok=True)
    fetched = fetch(request, place, progress)
    shutil.rmtree(place.partial, ignore_errors=True)
    repository.ensure()
    repository.remove_stale_locks()
    summary = _take_snapshot(request, place, repository, fetched, progress)
    warnings = list(fetched.warnings)
    removed = _forget(request, repository, progress, warnings)
    return Result(
        _backup_phrase(summary, fetched, removed),
        snapshot=summary.snapshot_id,
        files=summary.files,
        bytes=summary.bytes,
        files_changed=fetched.files_changed,
        bytes_transferred=fetched.bytes_transferred,
        warnings=warnings,
    )


def restore(request: Request, progress: Progress) -> Result:
    """Write a snapshot, or some paths of it, into a directory."""
    wanted = request.wanted()
    repository = open_repository(request)
    snapshot = _wanted_snapshot(repository.snapshots(request.job.id), wanted, request)
    _refuse_missing_paths(repository, snapshot, wanted)
    is_new = claim_target(wanted, dry_run=request.dry_run)
    told = f"the snapshot of {snapshot.time.astimezone():%Y-%m-%d %H:%M:%S} ({snapshot.short_id})"
    if request.dry_run:
        return Result(f"would restore {told} to {wanted.to}", snapshot=snapshot.id)
    reader = _teller(progress, "restore", "restoring", snapshot.files, snapshot.bytes)
    repository.restore(snapshot.id, wanted.to, paths=wanted.paths, on_message=reader)
    if is_new and not wanted.paths and snapshot.root:
        _apply(snapshot.root, wanted.to)
    what = ", ".join(wanted.paths[:3]) + (" …" if len(wanted.paths) > 3 else "")
    phrase = f"{what} of {told} restored to {wanted.to}" if what else f"{told} restored to {wanted.to}"
    return Result(phrase, snapshot=snapshot.id, files=snapshot.files, bytes=snapshot.bytes)


def verify(request: Request, progress: Progress) -> Result:
    """Check the repository, read back a random part of its data, and see that there is a snapshot."""
    repository = open_repository(request)
    taken = repository.snapshots(request.job.id)
    if not taken:
        raise AgentError(
            f"{repository.directory} has no snapshot of this job",
            f"make one with: cncopctl runjob {request.job.id}",
        )
    progress.tell("verify", f"reading {_READ_PERCENT} % of the data back")
    repository.remove_stale_locks()
    repository.check(read_percent=_READ_PERCENT, on_message=lambda _message: None)
    latest = taken[-1]
    return Result(
        f"repository sound, {_READ_PERCENT} % of its data read; {counted(len(taken), 'snapshot')}, "
        f"the latest {age(datetime.now(UTC) - latest.time)} old",
        snapshot=latest.id,
        snapshots=[snapshot.as_dict() for snapshot in taken],
    )


def prune(request: Request, progress: Progress) -> Result:
    """Remove the snapshots that no rule of the job keeps."""
    repository = open_repository(request)
    if not repository.exists():
        raise AgentError(f"there is no repository at {repository.directory} yet")
    if not request.job.keep:
        return Result("nothing to remove: the job keeps every snapshot")
    if request.dry_run:
        return Result("would remove the snapshots that no rule keeps")
    progress.tell("prune", "removing old snapshots")
    repository.remove_stale_locks()
    removed = repository.forget(request.job.id, request.job.keep)
    return Result(f"{counted(removed, 'snapshot')} removed")


def check(request: Request) -> list[str]:
    """See whether destination and repository can be used; what is worth telling. Changes nothing."""
    place = existing_place(request)
    if not os.access(place.destination, os.W_OK | os.X_OK):
        raise AgentError(
            f"{place.destination} cannot be written by this user", "give it to the user who runs the job"
        )
    repository = open_repository(request)
    if not repository.exists():
        return [f"{place.destination} is there, its repository will be created by the first backup"]
    repository.opens()
    return [f"{place.destination} is there, its repository opens"]


def existing_place(request: Request) -> Place:
    """The destination, never created here: where its disk is not mounted, it would be made on another."""
    path = request.job.destination
    if not path.startswith("/"):
        raise AgentError(f"the destination {path!r} is not an absolute path", "write it from / on")
    destination = Path(path)
    if not destination.is_dir():
        raise AgentError(
            f"{path} does not exist" if not destination.exists() else f"{path} is not a directory",
            f"is its disk mounted? create it with: install -d -m 700 {path}",
        )
    return Place(destination)


def open_repository(request: Request) -> Repository:
    """The job's repository, to be run as an engine of this agent."""
    place = existing_place(request)
    password = request.credential(REPOSITORY_PASSWORD)
    return Repository(place.repository, password, cache_directory=None, runner=run_lines)


def claim_target(wanted: Restore, *, dry_run: bool) -> bool:
    """Make sure that the target of a restore is a directory; whether it was empty.

    Raises:
        AgentError: there is something in it, and overwriting was not asked for.
    """
    to = wanted.to
    if to.exists() and not to.is_dir():
        raise AgentError(f"{to} is not a directory", "name a directory to restore to")
    is_empty = not to.exists() or not any(os.scandir(to))
    if not is_empty and not wanted.force:
        raise AgentError(
            f"{to} is not empty",
            "name an empty directory, or overwrite what is there with --force (nothing is deleted)",
        )
    if not dry_run:
        to.mkdir(parents=True, exist_ok=True)
    return is_empty


def _take_snapshot(
    request: Request, place: Place, repository: Repository, fetched: Fetched, progress: Progress
) -> reports.BackupSummary:
    root = root_metadata(place.mirror) if fetched.keeps_root else None
    return repository.backup(
        place.mirror,
        host=HOST,
        tags=snapshot_tags(request.job.id, request.run_id, root, fetched.files, fetched.bytes),
        on_message=_teller(progress, "snapshot", "taking a snapshot", fetched.files, fetched.bytes),
    )


def root_metadata(directory: Path) -> RootMetadata:
    """Mode, owner and time of a directory."""
    stat = directory.stat()
    return RootMetadata(stat.st_mode & 0o7777, stat.st_uid, stat.st_gid, stat.st_mtime_ns)


def _apply(root: RootMetadata, directory: Path) -> None:
    if os.geteuid() == 0:
        os.chown(directory, root.uid, root.gid)
    directory.chmod(root.mode)
    os.utime(directory, ns=(root.mtime_ns, root.mtime_ns))


def _forget(request: Request, repository: Repository, progress: Progress, warnings: list[str]) -> int:
    """Apply the retention. The backup is made whatever comes of it, so that a failure is a warning."""
    if not request.job.keep:
        return 0
    progress.tell("prune", "removing old snapshots")
    try:
        return repository.forget(request.job.id, request.job.keep)
    except ResticError as error:
        warnings.append(f"old snapshots were not removed: {error.message}")
        return 0


def _wanted_snapshot(taken: list[Snapshot], wanted: Restore, request: Request) -> Snapshot:
    snapshot = find_snapshot(taken, wanted.snapshot)
    if snapshot is not None:
        return snapshot
    if not taken:
        raise AgentError(
            "there is no snapshot of this job yet", f"make one with: cncopctl runjob {request.job.id}"
        )
    recent = ", ".join(known.short_id for known in reversed(taken[-3:]))
    raise AgentError(
        f"this job has no snapshot {wanted.snapshot}",
        f"the latest are {recent}; see them all with: cncopctl snapshots {request.job.id}",
    )


def _refuse_missing_paths(repository: Repository, snapshot: Snapshot, wanted: Restore) -> None:
    missing = repository.missing(snapshot.id, wanted.paths) if wanted.paths else []
    if missing:
        raise AgentError(
            f"the snapshot {snapshot.short_id} has no {', '.join(missing)}",
            "write paths from the root of the backup, without the source's own path",
        )


def _teller(
    progress: Progress, phase: str, phrase: str, files: int | None, total: int | None
) -> Callable[[dict[str, Any]], None]:
    progress.tell(phase, phrase, bytes_total=total, files_total=files)

    def read(message: dict[str, Any]) -> None:
        if progress.is_due() and (now := reports.advance(message)):
            progress.tell(
                phase,
                phrase,
                bytes_done=now.bytes_done,
                bytes_total=total or now.bytes_total,
                files_done=now.files_done,
                files_total=files or now.files_total,
            )

    return read


def _backup_phrase(summary: reports.BackupSummary, fetched: Fetched, removed: int) -> str:
    deleted = f", {fetched.deleted:,} deleted" if fetched.deleted else ""
    pruned = f"; {counted(removed, 'old snapshot')} removed" if removed else ""
    files = counted(summary.files, "file")
    return f"{files}, {size(summary.bytes)}; {fetched.files_changed:,} changed{deleted}{pruned}"


def _would(fetched: Fetched) -> Result:
    deleted = f" and delete {fetched.deleted:,}" if fetched.deleted else ""
    return Result(
        f"would copy {fetched.files_changed:,} of {counted(fetched.files, 'file')}{deleted}",
        files=fetched.files,
        bytes=fetched.bytes,
        files_changed=fetched.files_changed,
        bytes_transferred=0,
        warnings=fetched.warnings,
    )
