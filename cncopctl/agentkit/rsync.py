"""rsync as an agent uses it: fetching into a mirror, pushing away, listing a source."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.agentkit.engine import find_program, run_engine
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.phrases import counted, size
from cncopctl.agentkit.pull import Fetched, Place
from cncopctl.agentkit.request import KNOWN_HOSTS, Request
from cncopctl.agentkit.result import Result
from cncopctl.agentkit.stall import SilentError
from cncopctl.agentkit.target import claimed
from cncopctl.core.engines import rsync
from cncopctl.core.engines.endpoint import Endpoint, EndpointError, parse_endpoint
from cncopctl.core.engines.rsync_failures import diagnose
from cncopctl.core.engines.running import Ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cncopctl.agentkit.progress import Progress

_STATS_KEPT = 1 << 13
_REPLACED = ".cncop-replaced"
"""Where a PUSH keeps what it replaced or deleted, in the destination."""


@dataclass(frozen=True, slots=True)
class _Transfer:
    """One transfer: how rsync is asked, and from where to where."""

    remote: Endpoint
    options: Sequence[str]
    source: str
    target: str
    names: bytes = b""


def fetch(request: Request, place: Place, progress: Progress) -> Fetched:
    """Make the mirror an exact copy of the source, a directory or a single file; what that took.

    Raises:
        AgentError: it is not complete; transient where another try may help (rsync(1), EXIT VALUES).
    """
    source = endpoint(request.job.source, "source")
    _refuse_overlap(source, place.destination)
    carries = carried_by(place.destination)
    options = [
        *rsync.transfer_options(carries, request.job.bandwidth, request.dry_run, request.silence),
        "--delete",
        "--delete-excluded",
        *_partial(source, place, request),
        *_own_destination(source, place.destination),
        *rsync.pseudo_file_systems(source),
        *rsync.exclude_filters(request.job.exclude),
    ]
    is_file = source.is_local and not _is_directory(source)
    ended, stats = Ended(0, ""), rsync.Stats()
    if not is_file:
        transfer = _Transfer(source, options, source.contents(), f"{place.mirror}/")
        ended, stats = _run(request, transfer, progress, "mirror")
        is_file = _is_no_directory(ended)
    if is_file:
        whole, name = source.parent(), source.name()
        alone = [*options, *rsync.only(name)]
        transfer = _Transfer(source, alone, whole.contents(), f"{place.mirror}/")
        ended, stats = _run(request, transfer, progress, "mirror")
    _raise_failed(ended, source)
    return _fetched(stats, ended, carries, keeps_root=not is_file)


def push(request: Request, progress: Progress) -> Result:
    """Make the destination an exact copy of a local source; what is replaced or deleted stays beside it.

    Raises:
        AgentError: it is not complete; what was replaced by then is kept all the same.
    """
    source, destination = push_endpoints(request)
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}-{request.run_id[:8]}".rstrip("-")
    carries = carried_by(Path(destination.path)) if destination.is_local else rsync.Carries()
    options = [
        *rsync.transfer_options(carries, request.job.bandwidth, request.dry_run, request.silence),
        "--delete",
        "--backup",
        f"--backup-dir={_REPLACED}/{stamp}",
        # Protected from deletion at the destination, and hidden at the source.
        f"--filter=P /{_REPLACED}/",
        f"--filter=- /{_REPLACED}/",
        *rsync.pseudo_file_systems(source),
        *rsync.exclude_filters(request.job.exclude),
    ]
    origin = source.contents()
    if not _is_directory(source):
        options += rsync.only(source.name())
        origin = source.parent().contents()
    transfer = _Transfer(destination, options, origin, destination.contents())
    ended, stats = _run(request, transfer, progress, "push")
    _raise_failed(ended, destination, is_sending=True)
    fetched = _fetched(stats, ended, carries, keeps_root=True)
    deleted = f", {stats.deleted:,} deleted" if stats.deleted else ""
    return Result(
        f"{counted(stats.files, 'file')}, {size(stats.bytes)}; {stats.files_transferred:,} changed{deleted}",
        files=stats.files,
        bytes=stats.bytes,
        files_changed=stats.files_transferred,
        bytes_transferred=stats.bytes_literal,
        warnings=fetched.warnings,
    )


def pull_back(request: Request, progress: Progress) -> Result:
    """Restore a PUSH job: copy what is at the destination, or some paths of it, into a directory.

    Raises:
        AgentError: an older state was asked for, the target would lose something, or not all came back.
    """
    wanted = request.wanted()
    if wanted.snapshot != "latest" or wanted.at:
        raise AgentError(
            f"this job has no snapshot {wanted.at.isoformat(' ', 'seconds') if wanted.at else wanted.snapshot}",
            f"a PUSH job has its latest state, and what was replaced in {_REPLACED}/ at its destination",
        )
    destination = endpoint(request.job.destination, "destination")
    if destination.is_local:
        _existing(destination)
    with claimed(wanted, dry_run=request.dry_run) as target:
        carries = carried_by(target.path if target.path.is_dir() else target.path.parent)
        options = [
            *rsync.transfer_options(carries, request.job.bandwidth, request.dry_run, request.silence),
            f"--filter=- /{_REPLACED}/",
        ]
        names = b"\0".join(os.fsencode(path) for path in wanted.paths)
        if names:
            options += ["-r", "--from0", "--files-from=-"]
        transfer = _Transfer(destination, options, destination.contents(), f"{target.path}/", names)
        ended, stats = _run(request, transfer, progress, "restore")
        _raise_failed(ended, destination)
    would = "would be " if request.dry_run else ""
    return Result(
        f"{counted(stats.files, 'file')}, {size(stats.bytes)} {would}restored to {wanted.to}",
        files=stats.files,
        bytes=stats.bytes,
    )


def push_endpoints(request: Request) -> tuple[Endpoint, Endpoint]:
    """Source and destination of a PUSH job, checked as far as this machine goes.

    Raises:
        AgentError: the source is not here, or one lies in the other.
    """
    source = endpoint(request.job.source, "source")
    if not source.is_local:
        raise AgentError(f"the source of a PUSH job is not on this machine: {request.job.source}")
    destination = endpoint(request.job.destination, "destination")
    if destination.is_local:
        _existing(destination)
        if _contains(Path(source.path), Path(destination.path)):
            raise AgentError(f"the destination {destination.path} lies in the source {source.path}")
    _is_directory(source)
    return source, destination


def endpoint(text: str, role: str) -> Endpoint:
    """The endpoint that a job names as its `role`, "source" or "destination".

    Raises:
        AgentError: it is none; with what to write.
    """
    try:
        return parse_endpoint(text)
    except EndpointError as error:
        raise AgentError(f"{role}: {error.message}", error.hint) from error


def reachable(request: Request, place: Endpoint) -> str:
    """Ask rsync to list `place`, which reads nothing and writes nothing; says that it is reachable."""
    if place.is_local:
        _is_directory(place)
    listing = [_program(), "--list-only", "--no-h", "--timeout=60", *_connection(request, place)]
    for argument in (place.contents(), place.contents().rstrip("/")):
        ended = run_engine([*listing, "--", argument], on_output=lambda _chunk: None, env=environment())
        if not _is_no_directory(ended):
            break
    _raise_failed(ended, place)
    return f"{place.path or 'the home directory'} on {place.place} can be read"


def writable(request: Request, place: Endpoint) -> str:
    """Write an empty file to `place`, a directory, and remove it again; says that it can be written."""
    name = f".cncop-probe-{request.run_id}"
    with tempfile.TemporaryDirectory(prefix="cncop-") as scratch:
        Path(scratch, name).touch()
        _probe_with(request, place, scratch, name)
        Path(scratch, name).unlink()
        _probe_with(request, place, scratch, name)
    return f"{place.path or 'the home directory'} on {place.place} can be written"


def _probe_with(request: Request, place: Endpoint, scratch: str, name: str) -> None:
    """Make the file of that name there what it is in `scratch`, present or absent, and touch nothing else."""
    options = ["-r", "--delete", "--timeout=60", *rsync.only(name), *_connection(request, place)]
    command = [_program(), *options, "--", f"{scratch}/", place.contents()]
    _raise_failed(
        run_engine(command, on_output=lambda _chunk: None, env=environment()), place, is_sending=True
    )


def carried_by(directory: Path) -> rsync.Carries:
    """What can be written to `directory`: its file system is tried with a file that has no name."""
    devices = rsync.may_make_devices(Path("/proc/self/status").read_text())
    try:
        with _probe(directory) as descriptor:
            return rsync.Carries(
                xattrs=_holds_xattrs(descriptor),
                acls=_holds_acls(descriptor),
                devices=devices,
                fine_times=_holds_fine_times(descriptor),
            )
    except OSError:
        return rsync.Carries(devices=devices)


@contextlib.contextmanager
def _probe(directory: Path) -> Iterator[int]:
    """A new file in `directory` that leaves nothing behind: Python uses O_TMPFILE where there is that."""
    with tempfile.TemporaryFile(dir=directory) as probe:
        yield probe.fileno()


def _holds_fine_times(descriptor: int) -> bool:
    time = 1_234_567_890_123_456_789
    os.utime(descriptor, ns=(time, time))
    return os.fstat(descriptor).st_mtime_ns == time


def _holds_xattrs(descriptor: int) -> bool:
    try:
        os.setxattr(descriptor, "user.cncop", b"")
    except OSError as error:
        return error.errno != errno.ENOTSUP
    return True


def _holds_acls(descriptor: int) -> bool:
    try:
        os.getxattr(descriptor, "system.posix_acl_access")
    except OSError as error:
        return error.errno != errno.ENOTSUP
    return True


def environment() -> dict[str, str]:
    """Our environment for rsync and ssh, in plain English, without what would change rsync's ways."""
    unwanted = ("RSYNC_RSH", "RSYNC_PASSWORD", "RSYNC_CONNECT_PROG", "RSYNC_OLD_ARGS", "RSYNC_PROTECT_ARGS")
    return {name: text for name, text in os.environ.items() if name not in unwanted} | {"LC_ALL": "C.UTF-8"}


def _run(request: Request, transfer: _Transfer, progress: Progress, phase: str) -> tuple[Ended, rsync.Stats]:
    command = [_program(), *transfer.options, *_connection(request, transfer.remote)]
    command += ["--", transfer.source, transfer.target]
    reader = _Reader(progress, phase)
    silence = 0 if transfer.remote.is_local else request.silence
    try:
        ended = run_engine(
            command, on_output=reader.feed, env=environment(), stdin=transfer.names, silence=silence
        )
    except SilentError as error:
        raise AgentError(f"{transfer.remote.place} does not answer", transient=True) from error
    return ended, rsync.parse_stats(reader.tail.decode(errors="replace"))


class _Reader:
    """Reads rsync's stdout: shows the newest progress line now and then, keeps the end for the figures.

    rsync writes a line for each file; parsing them all would cost more than copying small files does.
    """

    def __init__(self, progress: Progress, phase: str) -> None:
        self.tail = b""
        self._progress = progress
        self._phase = phase
        progress.tell(phase, "copying")

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of output."""
        self.tail = (self.tail + chunk)[-_STATS_KEPT:] if len(chunk) < _STATS_KEPT else chunk[-_STATS_KEPT:]
        if not self._progress.is_due():
            return
        lines = self.tail.rsplit(b"\r", 2)
        now = rsync.parse_progress(lines[-1]) or rsync.parse_progress(lines[-2] if len(lines) > 1 else b"")
        if now:
            self._progress.tell(
                self._phase,
                "copying",
                bytes_done=now.bytes_done,
                bytes_total=now.bytes_total,
                files_done=now.files_done,
                files_total=now.files_total,
            )


def _connection(request: Request, remote: Endpoint) -> list[str]:
    credential = request.job.credential
    known_hosts = request.optional_credential(KNOWN_HOSTS)
    access = rsync.Access(
        credential=str(request.credential(credential)) if credential and not remote.is_local else "",
        known_hosts=str(known_hosts) if known_hosts else "",
    )
    return rsync.connection_options(remote, access)


def _partial(source: Endpoint, place: Place, request: Request) -> list[str]:
    """Keep half-transferred files outside the mirror. A local copy starts anew faster than it compares."""
    if source.is_local or request.dry_run:
        return []
    place.partial.mkdir(mode=0o700, exist_ok=True)
    return [f"--partial-dir={place.partial}"]


def _own_destination(source: Endpoint, destination: Path) -> list[str]:
    """A backup of a directory that holds its own destination leaves the destination out."""
    if not source.is_local or not _contains(Path(source.path), destination):
        return []
    inside = destination.resolve().relative_to(Path(source.path).resolve())
    return [f"--filter=- /{rsync.literal_pattern(str(inside))}"]


def _refuse_overlap(source: Endpoint, destination: Path) -> None:
    if source.is_local and _contains(destination, Path(source.path)):
        raise AgentError(f"the source {source.path} lies in the destination {destination}", "keep them apart")


def _contains(outer: Path, inner: Path) -> bool:
    return inner.resolve().is_relative_to(outer.resolve())


def _is_directory(source: Endpoint) -> bool:
    """Whether a local source is a directory.

    Raises:
        AgentError: there is nothing of that name.
    """
    path = Path(source.path)
    if not path.exists():
        raise AgentError(f"{source.path} does not exist", "is the disk mounted that it should be on?")
    return path.is_dir()


def _existing(destination: Endpoint) -> None:
    if not Path(destination.path).is_dir():
        raise AgentError(
            f"{destination.path} does not exist",
            f"is its disk mounted? create it with: install -d -m 700 {destination.path}",
        )


def _is_no_directory(ended: Ended) -> bool:
    return ended.status == 23 and "change_dir" in ended.errors and "Not a directory" in ended.errors


def _raise_failed(ended: Ended, place: Endpoint, *, is_sending: bool = False) -> None:
    if ended.status not in (rsync.OK, rsync.VANISHED):
        raise AgentError.diagnosed(diagnose(ended.status, ended.errors, place, is_sending=is_sending))


def _fetched(stats: rsync.Stats, ended: Ended, carries: rsync.Carries, *, keeps_root: bool) -> Fetched:
    warnings = []
    if ended.status == rsync.VANISHED:
        names = rsync.listed(ended.errors, rsync.VANISHED_FILES)
        warnings.append("vanished while they were read: " + ", ".join(names))
    if not carries.xattrs or not carries.acls:
        warnings.append("the destination's file system keeps no extended attributes or ACLs")
    return Fetched(
        files=stats.files,
        bytes=stats.bytes,
        files_changed=stats.files_transferred,
        bytes_transferred=stats.bytes_literal,
        deleted=stats.deleted,
        keeps_root=keeps_root,
        warnings=warnings,
    )


def _program() -> str:
    return find_program("rsync", "rsync")
