"""Sending a local source to a server with rclone; what is replaced or deleted there is kept beside it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.phrases import counted, size
from cncopctl.agentkit.pull import check as check_pull
from cncopctl.agentkit.rclone import Log, remote_of, tell_stats
from cncopctl.agentkit.rclone_pull import translated_excludes
from cncopctl.agentkit.rclone_server import Server, reached
from cncopctl.agentkit.request import Direction, Request
from cncopctl.agentkit.result import Result
from cncopctl.agentkit.target import claimed
from cncopctl.core.engines import rclone
from cncopctl.core.engines.rclone_failures import CHANGED, VANISHED
from cncopctl.core.engines.rclone_filters import Excludes, exclude_rules, literal, only_rules
from cncopctl.core.engines.remote import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cncopctl.agentkit.progress import Progress
    from cncopctl.core.engines.remote import Remote
    from cncopctl.core.engines.running import Ended

REPLACED = ".cncop-replaced"
"""Where a PUSH keeps what it replaced or deleted, in the destination."""

_LINK = ".rclonelink"
"""How rclone ends the name of a file that stands for a link (rclone(1), --links)."""

_IN_THE_WAY = r"directory|\b553 |Update Create failed: .*SSH_FX_FAILURE"
"""What servers say of a file that is to be written where a directory is, or the other way round."""

_CLEARED = 20  # names a pass: where more fail, something else is wrong

_LONGEST_TARGET = 4096
_PASSES = 3
_PSEUDO_FILE_SYSTEMS = ("/proc/*", "/sys/*", "/dev/*", "/run/*")


@dataclass(frozen=True, slots=True)
class _Push:
    """One push: from where, what is left out, and where to."""

    request: Request
    server: Server
    progress: Progress
    source: Path
    rules: list[str]

    def there(self, path: str = "") -> str:
        """A path below the destination as rclone writes it."""
        return f"{rclone.THERE}:{self.server.remote.below(path)}"


def push(request: Request, progress: Progress) -> Result:
    """Make the destination a copy of a local source; what is replaced or deleted stays beside it.

    Raises:
        AgentError: it is not complete; transient where another try may help.
    """
    source, remote = push_places(request)
    rules = [f"- /{literal(REPLACED)}/**", *_source_rules(request, source)]
    where = source if source.is_dir() else source.parent
    progress.tell("push", "connecting")
    with reached(request, remote, encode_names=_encodes(remote)) as server:
        _refuse_file(server)
        work = _Push(request, server, progress, where, rules)
        log, warnings = _passes(work)
        here = f"{rclone.HERE}:{where}"
        files, total = rclone.counted(
            server.rclone.answer("size", "--json", "--links", "--", here, rules=rules)
        )
    if request.dry_run:
        copied, deleted = log.skipped.get("copy", 0), log.skipped.get("delete", 0)
        also = f" and delete {deleted:,}" if deleted else ""
        return Result(f"would copy {copied:,} of {counted(files, 'file')}{also}", files=files, bytes=total)
    gone = f", {log.stats.deletes:,} deleted" if log.stats.deletes else ""
    return Result(
        f"{counted(files, 'file')}, {size(total)}; {log.stats.transfers:,} changed{gone}",
        files=files,
        bytes=total,
        files_changed=log.stats.transfers,
        bytes_transferred=log.stats.bytes,
        warnings=warnings,
    )


def push_places(request: Request) -> tuple[Path, Remote]:
    """Source and destination of a PUSH job, checked as far as this machine goes.

    Raises:
        AgentError: the source is not here, or the destination is no place that the type knows.
    """
    text = request.job.source
    if not text.startswith("/") or text.startswith("//"):
        raise AgentError(f"source: the source of a PUSH job is not on this machine: {text}")
    if not Path(text).exists():
        raise AgentError(f"{text} does not exist", "is the disk mounted that it should be on?")
    return Path(text), remote_of(request, request.job.destination, "destination")


def _source_rules(request: Request, source: Path) -> list[str]:
    rules, _ = translated_excludes(request)
    if not source.is_dir():
        return only_rules(source.name)
    return [*(exclude_rules(_PSEUDO_FILE_SYSTEMS) if source == Path("/") else []), *rules]


def _encodes(remote: Remote) -> bool:
    """Windows knows no `:` or `?` in names, and no invalid UTF-8: rclone writes look-alikes and reads them back."""
    return remote.protocol is Protocol.SMB


def _refuse_file(server: Server) -> None:
    if not server.is_directory():
        raise AgentError(f"{server.remote.path} on {server.remote.place} is not a directory")


def _passes(work: _Push) -> tuple[Log, list[str]]:
    """Pass after pass while something moves; the last takes it as it is, with a warning."""
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}-{work.request.run_id[:8]}".rstrip("-")
    kept = [f"--backup-dir={work.there(f'{REPLACED}/{stamp}{also}')}" for also in ("", "-2", "-3", "-4")]
    # Where names are equal that differ in case, a file that was renamed so is copied onto the old one, and then
    # goes with it: the old one goes first. What is replaced in one pass does not replace what was in another.
    more = ["--delete-before"] if _is_blind_to_case(work.server.remote) else []
    moving: list[str] = []
    for keep in kept[:_PASSES]:
        ended, log = _sync(work, [keep, "--links", *more])
        named = [line for line in log.errors if line.name]
        if ended.status == rclone.OK and not log.errors:
            break
        if log.left_out or not all(
            re.search(f"{CHANGED}|{VANISHED}|{_IN_THE_WAY}", line.message) for line in named
        ):
            break
        _clear_way(work, [line.name for line in named if re.search(_IN_THE_WAY, line.message)])
        moving = sorted({line.name for line in named if re.search(CHANGED, line.message)})
        # What has become a directory can be written only when the file of that name is gone.
        more = ["--delete-before"]
    else:
        ended, log = _sync(work, [kept[-1], "--links", "--local-no-check-updated", "--ignore-size", *more])
    _refuse_twins(work)
    work.server.rclone.raise_failed(ended, log)
    return log, [f"changed while they were read: {', '.join(moving[:5])}"] if moving else []


def _clear_way(work: _Push, names: Sequence[str]) -> None:
    """Remove directories that are in the way of files, if nothing is in them: what was, a pass has moved aside."""
    for name in names[:_CLEARED]:
        if not work.request.dry_run and not (work.source / name).is_dir():
            words = ["rmdirs", "--", work.there(name)]
            work.server.rclone.transfer(words, [], lambda _stats: None)  # the next pass says what is wrong


def _is_blind_to_case(remote: Remote) -> bool:
    """Whether names are probably equal there that differ in case alone, as they are to Windows and to Samba."""
    return remote.protocol is Protocol.SMB


def _refuse_twins(work: _Push) -> None:
    """Say so where the server takes two names of the source for one, so that one file has replaced the other.

    Raises:
        AgentError: it does.
    """
    source = Path(work.request.job.source)
    if not _is_blind_to_case(work.server.remote) or work.request.dry_run or not source.is_dir():
        return
    for directory, names in _twins(source, _left_out(work.request, source)):
        place = f"{rclone.THERE}:{work.server.remote.below(directory)}"
        try:
            there = work.server.rclone.answer("lsf", "--dir-slash=false", "--", place).split("\n")
        except AgentError:
            return  # what failed before says more
        if set(names) <= set(there):
            return  # it tells them apart
        paths = " and ".join(str(Path(directory, name)) for name in names)
        where = work.server.remote.place
        raise AgentError(f"{paths} are one name to {where}", "rename one of them, or exclude it")


def _left_out(request: Request, source: Path) -> Excludes:
    own = _PSEUDO_FILE_SYSTEMS if source == Path("/") else ()
    return Excludes.of([*request.job.exclude, *own, f"/{REPLACED}/"])


def _twins(source: Path, excludes: Excludes) -> Iterator[tuple[str, list[str]]]:
    """Names of the source that differ in case alone, with the directory that they are in."""
    for where, directories, files in os.walk(source):
        below = os.path.relpath(where, source)
        below = "" if below == "." else below
        prefix = f"{below}/" if below else ""
        directories[:] = [
            name for name in directories if not excludes.leave_out(prefix + name, is_directory=True)
        ]
        files = [name for name in files if not excludes.leave_out(prefix + name, is_directory=False)]
        alike: dict[str, list[str]] = {}
        for name in (*directories, *files):
            alike.setdefault(name.upper(), []).append(name)
        yield from ((below, sorted(names)) for names in alike.values() if len(names) > 1)


def _sync(work: _Push, more: Sequence[str]) -> tuple[Ended, Log]:
    engine, request = work.server.rclone, work.request
    options = rclone.sync_options(engine.ways, bandwidth=request.job.bandwidth, dry_run=request.dry_run)
    tell = tell_stats(work.progress, "push", None, None)
    words = ["sync", *options, *more, "--", f"{rclone.HERE}:{work.source}", work.there()]
    return engine.transfer(words, work.rules, tell)


def pull_back(request: Request, progress: Progress) -> Result:
    """Restore a PUSH job: copy what is at the destination, or some paths of it, into a directory.

    Raises:
        AgentError: an older state or a missing path was asked for, the target would lose something, or not all
            came back.
    """
    wanted = request.wanted()
    if wanted.snapshot != "latest" or wanted.at:
        raise AgentError(
            f"this job has no snapshot {wanted.at.isoformat(' ', 'seconds') if wanted.at else wanted.snapshot}",
            f"a PUSH job has its latest state, and what was replaced in {REPLACED}/ at its destination",
        )
    remote = remote_of(request, request.job.destination, "destination")
    with reached(request, remote, encode_names=_encodes(remote)) as server:
        _refuse_file(server)
        work = _Push(request, server, progress, wanted.to, _wanted_rules(server, wanted.paths))
        files, total = rclone.counted(
            server.rclone.answer("size", "--json", "--", work.there(), rules=work.rules)
        )
        with claimed(wanted, dry_run=request.dry_run) as target:
            if not request.dry_run:
                _copy_back(replace(work, source=target.path), files, total)
    would = "would be " if request.dry_run else ""
    return Result(
        f"{counted(files, 'file')}, {size(total)} {would}restored to {wanted.to}", files=files, bytes=total
    )


def _wanted_rules(server: Server, paths: Sequence[str]) -> list[str]:
    """The filters of a restore.

    Raises:
        AgentError: a path is not there; nothing has been written yet.
    """
    kept = f"- /{literal(REPLACED)}/**"
    if not paths:
        return [kept]
    rules = [kept]
    for path in paths:
        _refuse_missing(server, path)
        names = literal(path)
        rules += [f"+ /{{{{{names}}}}}", f"+ /{{{{{names}{literal(_LINK)}}}}}", f"+ /{{{{{names}}}}}/**"]
    return [*rules, "- **"]


def _refuse_missing(server: Server, path: str) -> None:
    place = server.remote.below(path)
    for name in (place, place + _LINK):
        ended, _log = server.rclone.transfer(
            ["lsjson", "--stat", "--", f"{rclone.THERE}:{name}"], [], lambda _stats: None
        )
        if ended.status == rclone.OK:
            return
    raise AgentError(
        f"the backup has no {path}", "write paths from the root of the backup, without the source's own path"
    )


def _copy_back(work: _Push, files: int, total: int) -> None:
    engine = work.server.rclone
    options = rclone.sync_options(engine.ways, bandwidth=work.request.job.bandwidth, dry_run=False)
    words = ["copy", *options, "--", work.there(), f"{rclone.HERE}:{work.source}"]
    ended, log = engine.transfer(words, work.rules, tell_stats(work.progress, "restore", files, total))
    engine.raise_failed(ended, log)
    _make_links(work.source)


def _make_links(directory: Path) -> None:
    """Turn the files that stand for links into links, once nothing more is written through them."""
    for _, _, files, handle in os.fwalk(f"{directory}/."):  # by way of a link, where it is a descriptor's
        for name in files:
            if name.endswith(_LINK) and os.lstat(name, dir_fd=handle).st_size <= _LONGEST_TARGET:
                _make_link(name, handle)


def _make_link(name: str, directory: int) -> None:
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory), "rb") as file:  # noqa: PTH123
        target = file.read()
    link = name.removesuffix(_LINK)
    if link and target and b"\0" not in target:
        partial = f".{link[:200]}.cncop"
        os.symlink(target, partial, dir_fd=directory)
        os.rename(partial, link, src_dir_fd=directory, dst_dir_fd=directory)
        os.unlink(name, dir_fd=directory)


def check(request: Request, progress: Progress) -> Result:
    """See whether both ends can be reached; what is written to see that is removed again."""
    progress.tell("check", "connecting")
    if request.job.direction is Direction.PUSH:
        source, remote = push_places(request)
        with reached(request, remote, encode_names=_encodes(remote)) as server:
            _refuse_file(server)
            return Result(f"{source} is there; {_probe(request, server)}")
    remote = remote_of(request, request.job.source, "source")
    rules, _ = translated_excludes(request)
    with reached(request, remote) as server:
        server.rclone.answer("lsf", "--max-depth=1", "--", _place(server), rules=rules)
        said = f"{remote.path} on {remote.place} can be read"
    return Result("; ".join([said, *check_pull(request)]))


def _place(server: Server) -> str:
    return f"{rclone.THERE}:{server.remote.served_path}"


def _probe(request: Request, server: Server) -> str:
    """Write a file to the destination, and remove it."""
    name = server.remote.below(f".cncop-probe-{request.run_id}")
    server.rclone.answer("rcat", "--", f"{rclone.THERE}:{name}", stdin=b"cncop\n")
    server.rclone.answer("deletefile", "--", f"{rclone.THERE}:{name}")
    return f"{server.remote.path} on {server.remote.place} can be written"
