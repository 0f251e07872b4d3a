"""PULL: fetch a source into a mirror, and keep the mirror's history in a repository.

What differs between agents is how the mirror is fetched, and nothing else: each brings a `Fetch`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cncopctl.agentkit import proof
from cncopctl.agentkit.ahead import Ahead
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.former import lost_history, refuse_empty_place, refuse_wrong_clock, remember_place
from cncopctl.agentkit.phrases import counted, size
from cncopctl.agentkit.place import Place, Use, existing_place, open_repository
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.request import Request
from cncopctl.agentkit.result import Result
from cncopctl.agentkit.telling import teller
from cncopctl.core.engines import restic as reports
from cncopctl.core.engines.snapshots import SUSPECT, RootMetadata, Snapshot, snapshot_tags, tags_of_run
from cncopctl.core.guard import Count, Past, Suspicion, Then, suspicion
from cncopctl.edges.restic import CREATE, Repository, ResticError, environment

__all__ = [
    "Fetch",
    "Fetched",
    "Place",
    "accept",
    "backup",
    "check",
    "prune",
]

HOST = "cncop"
"""The host in every snapshot: a fixed one, so that renaming the machine does not cut the history in two."""

SUSPECT_HOST = "cncop-suspect"
"""The host of snapshots that the guard suspects: the retention counts each host's snapshots for themselves."""


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


@dataclass(frozen=True, slots=True)
class _At:
    """An action at a repository: what was asked, and where."""

    request: Request
    place: Place
    repository: Repository
    use: Use
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a run has fetched, the job's past, and what the guard says of the two."""

    fetched: Fetched
    past: Past
    fault: Suspicion | None


def backup(request: Request, progress: Progress, fetch: Fetch) -> Result:
    """Bring the mirror up to date, and only when that is complete take a snapshot of it.

    Raises:
        AgentError: what `fetch` fetches is not complete, or the guard says no: there is no snapshot.
        ResticError: there is no snapshot. What fails after it was taken is a warning.
    """
    place = existing_place(request)
    repository = open_repository(request)
    refuse_empty_place(request, place)
    if request.dry_run:
        return _would(fetch(request, place, progress))
    with place.in_use() as use, _without_leavings(repository), Ahead() as ahead:
        place.mirror.mkdir(mode=0o700, exist_ok=True)
        repository = replace(repository, runner=ahead)
        _get_ready(ahead, request, place, repository)
        fetched = fetch(request, place, progress)
        shutil.rmtree(place.partial, ignore_errors=True)
        is_begun = ahead.is_begun()
        is_new = repository.ensure(is_begun=is_begun)
        if not is_begun:
            repository.remove_stale_locks()
        if is_new and proof.Last.read(place.proof):
            fetched.warnings.append(f"{place.repository} was gone with all its snapshots: a new one is begun")
        remember_place(request)
        past = _past(request, place, None if is_new else repository, fetched.warnings)
        fetched.warnings.extend([] if is_new else lost_history(repository, past))
        fault = suspicion(request.job.guard, past, fetched.files, fetched.bytes)
        return _judged(_At(request, place, repository, use, progress), _Seen(fetched, past, fault))


@contextlib.contextmanager
def _without_leavings(repository: Repository) -> Iterator[None]:
    """No half-made repository is there at the beginning, nor at the end."""
    making = repository.making().directory
    shutil.rmtree(making, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _get_ready(ahead: Ahead, request: Request, place: Place, repository: Repository) -> None:
    """Begin what restic will be asked once the mirror is complete, where that can be told already.

    A backup is foreseen to be as the last one, unless that was not as the one before it either. Whatever keeps
    it from being begun is told where it is asked for.
    """
    with contextlib.suppress(AgentError, ResticError, OSError, proof.DamagedError):
        if not repository.exists():
            making = repository.making()
            ahead.begin(making.command(*CREATE), env=environment())
            return
        last, past = proof.Last.read(place.proof), proof.read_past(place.proof)
        if last and past and last.is_usual and SUSPECT not in last.tags and not repository.is_locked():
            tags = tags_of_run(last.tags, request.run_id)
            words = repository.backup_words(HOST, tags, _parent(past))
            ahead.begin_backup(repository.command(*words), env=environment(), cwd=place.mirror)


def _judged(at: _At, seen: _Seen) -> Result:
    if seen.fault and seen.fault.then is Then.ERROR:
        _refuse(at, seen, seen.fault)
    is_known_empty = bool(seen.past.counts) or at.request.job.guard.empty is Then.OFF
    if is_known_empty and not any(os.scandir(at.place.mirror)):
        return _nothing(at, seen)
    samples = proof.draw(at.place.mirror)
    summary = _take_snapshot(at, seen)
    warnings = [*seen.fetched.warnings, *_note(at, seen, summary.snapshot_id, samples)]
    retained = reports.Retained()
    if seen.fault:
        warnings.append(_warning(at.request, seen.fault))
    else:
        retained = _forget(at, warnings)
    return Result(
        _backup_phrase(summary, seen.fetched, len(retained.removed)),
        snapshot=summary.snapshot_id,
        files=summary.files,
        bytes=summary.bytes,
        files_changed=seen.fetched.files_changed,
        bytes_transferred=seen.fetched.bytes_transferred,
        warnings=warnings,
        retention=retained.document() if retained.kept else None,
    )


def prune(request: Request, progress: Progress) -> Result:
    """Remove the snapshots that no rule of the job keeps; with a dry run only say which.

    Raises:
        AgentError: somebody else is at the repository, or there is none.
    """
    place = existing_place(request)
    repository = open_repository(request)
    if not repository.exists():
        raise AgentError(f"there is no repository at {repository.directory} yet")
    if not request.job.keep:
        return Result("nothing to remove: the job keeps every snapshot")
    with place.in_use() as use:
        if request.dry_run:
            retained = repository.forget(request.job.id, request.job.keep, dry_run=True)
        else:
            repository.remove_stale_locks()
            retained = _prune(_At(request, place, repository, use, progress))
        would = "would be " if request.dry_run else ""
        return Result(
            f"{counted(len(retained.removed), 'snapshot')} {would}removed, {len(retained.kept):,} kept",
            retention=retained.document(),
        )


def accept(request: Request, _progress: Progress) -> Result:
    """Take what the guard found fault with last as right: later runs are judged by it."""
    place = existing_place(request)
    with place.in_use() as use, use.alone():  # a run that is under way will note what it sees itself
        past = _past(request, place, open_repository(request), [])
        accepted = past.accepted()
        if accepted == past:
            return Result("nothing to accept: the guard found no fault with the last backup")
        last = accepted.counts[-1]
        told = f"{counted(last.files, 'file')}, {size(last.bytes)}"
        if request.dry_run:
            return Result(f"would accept {told}")
        proof.write_past(place.proof, accepted)
        return Result(f"accepted: {told} are usual from now on", files=last.files, bytes=last.bytes)


def check(request: Request) -> list[str]:
    """See whether destination and repository can be used; what is worth telling. Changes nothing."""
    place = existing_place(request)
    if not os.access(place.destination, os.W_OK | os.X_OK):
        raise AgentError(
            f"{place.destination} cannot be written by this user", "give it to the user who runs the job"
        )
    _probe(place.destination)
    repository = open_repository(request)
    if not repository.exists():
        repository.snapshots(request.job.id)  # what is there may be a damaged one
        return [f"{place.destination} is there, its repository will be created by the first backup"]
    repository.opens()
    return [f"{place.destination} is there, its repository opens"]


def _probe(directory: Path) -> None:
    """Write a file that has no name, so that nothing is left of it and no time changes; raises OSError."""
    import tempfile

    with tempfile.TemporaryFile(dir=directory) as probe:
        probe.write(bytes(4096))
        probe.flush()
        os.fsync(probe.fileno())


def _past(request: Request, place: Place, repository: Repository | None, warnings: list[str]) -> Past:
    """What the job's last backups held: as noted beside the repository, else as its tags tell, if it has any."""
    noted = None
    try:
        noted = proof.read_past(place.proof)
    except proof.DamagedError as error:
        warnings.append(
            f"{error} was damaged: what earlier backups held was read from the repository instead"
        )
    if noted is None:
        return proof.past_of(repository.snapshots(request.job.id) if repository else [])
    return noted


def _parent(past: Past) -> str:
    """The last snapshot that was taken, suspect or not; "" for none."""
    known = [count.snapshot for count in past.counts if count.snapshot]
    return known[-1] if known else ""


def _note(at: _At, seen: _Seen, snapshot_id: str, samples: Sequence[proof.Sample]) -> list[str]:
    """Keep what was counted and hashed; warnings where that is not possible: a backup is a backup without it."""
    fetched, is_suspect = seen.fetched, seen.fault is not None
    count = Count(fetched.files, fetched.bytes, at.request.run_id, snapshot_id, is_suspect=is_suspect)
    try:
        proof.write_past(at.place.proof, seen.past.with_(count))
        if snapshot_id:
            proof.write_samples(at.place.proof, snapshot_id, samples)
            proof.write_last(at.place.proof, _tags(at, seen))
    except OSError as error:
        return [f"what drills compare with was not noted: {error.filename}: {error.strerror}"]
    return []


def _refuse(at: _At, seen: _Seen, fault: Suspicion) -> None:
    """End the run for what the guard saw.

    Raises:
        AgentError: always; there is no snapshot of what was fetched.
    """
    warnings = [*seen.fetched.warnings, *_note(at, seen, "", [])]
    raise AgentError(
        f"{fault.phrase}: no snapshot was taken, and old ones are kept",
        f"is the source as it should be? if so: cncopctl accept {at.request.job.id}",
        told={"files": seen.fetched.files, "bytes": seen.fetched.bytes, "warnings": warnings},
    )


def _warning(request: Request, fault: Suspicion) -> str:
    return (
        f"{fault.phrase}: old snapshots are kept until the source is as usual, "
        f"or you say that it is right: cncopctl accept {request.job.id}"
    )


def _nothing(at: _At, seen: _Seen) -> Result:
    """A source without anything in it, of which restic takes no snapshot, and which nobody minds."""
    warnings = [*seen.fetched.warnings, "the source is empty, so there is nothing to take a snapshot of"]
    warnings += [_warning(at.request, seen.fault)] if seen.fault else []
    warnings += _note(at, seen, "", [])
    return Result("0 files, no snapshot", files=0, bytes=0, warnings=warnings)


def _take_snapshot(at: _At, seen: _Seen) -> reports.BackupSummary:
    fetched = seen.fetched
    return at.repository.backup(
        at.place.mirror,
        host=SUSPECT_HOST if seen.fault else HOST,
        tags=_tags(at, seen),
        on_message=teller(at.progress, "snapshot", "taking a snapshot", fetched.files, fetched.bytes),
        parent=_parent(seen.past),
    )


def _tags(at: _At, seen: _Seen) -> list[str]:
    """The tags of the snapshot."""
    fetched = seen.fetched
    root = root_metadata(at.place.mirror) if fetched.keeps_root else None
    job, run, is_suspect = at.request.job.id, at.request.run_id, seen.fault is not None
    return snapshot_tags(job, run, root, fetched.files, fetched.bytes, is_suspect=is_suspect)


def root_metadata(directory: Path) -> RootMetadata:
    """Mode, owner and time of a directory."""
    status = directory.stat()
    return RootMetadata(status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_mtime_ns)


def _forget(at: _At, warnings: list[str]) -> reports.Retained:
    """Apply the retention. The backup is made whatever comes of it, so that a failure is a warning."""
    if not at.request.job.keep:
        return reports.Retained()
    try:
        return _prune(at)
    except AgentError as error:
        warnings.append(f"old snapshots were not removed: {error.phrase}")
    except ResticError as error:
        warnings.append(f"old snapshots were not removed: {error.message}")
    return reports.Retained()


def _prune(at: _At) -> reports.Retained:
    """Remove what no rule keeps while nobody else is at the repository, and log who stays and why."""
    at.progress.tell("prune", "removing old snapshots")
    refuse_wrong_clock(at.repository)
    with at.use.alone():
        retained = at.repository.forget(at.request.job.id, at.request.job.keep)
    proof.forget_samples(at.place.proof, [snapshot for snapshot, _ in retained.kept])
    for snapshot, reasons in retained.kept:
        _log(f"kept {_named(snapshot)}: {', '.join(reasons)}")
    for snapshot in retained.removed:
        _log(f"removed {_named(snapshot)}: no rule keeps it")
    return retained


def _named(snapshot: Snapshot) -> str:
    return f"{snapshot.short_id} of {snapshot.time.astimezone():%Y-%m-%d %H:%M:%S}"


def _log(line: str) -> None:
    print(line, file=sys.stderr)


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
