"""Fetching from a server into the mirror: look at what is there, have rclone copy it, give it the rest, compare.

What moves while it is read is looked at again, some times; a mirror is complete only when a pass has found
nothing wrong.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.pull import Fetched, Place
from cncopctl.agentkit.rclone import Log, remote_of, tell_stats
from cncopctl.agentkit.rclone_server import Server, reached
from cncopctl.agentkit.survey import (
    Kind,
    Mirrored,
    Survey,
    clear_way,
    differing,
    finish_mirror,
    replace_conflict,
)
from cncopctl.core.engines import rclone
from cncopctl.core.engines.rclone_failures import CHANGED, VANISHED
from cncopctl.core.engines.rclone_filters import (
    Excludes,
    PatternError,
    exclude_rules,
    only_rules,
    path_rules,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cncopctl.agentkit.progress import Progress
    from cncopctl.agentkit.request import Request
    from cncopctl.core.engines.running import Ended

_PASSES = 3
_SHOWN = 5
_FEW = 100
_LONGEST_SHOWN = 200
_IN_THE_WAY = re.compile(r"(?:open|mkdir) (?P<path>/.*): (?:is a directory|not a directory|file exists)")


@dataclass(slots=True)
class _Pull:
    """One pull: where from and to, what is left out, and what has been done of it."""

    request: Request
    server: Server
    mirror: Path
    progress: Progress
    rules: list[str]
    excludes: Excludes
    source: str
    stats: rclone.Stats = field(default_factory=rclone.Stats)
    transferred: int = 0
    bytes: int = 0
    deleted: int = 0


def fetch(request: Request, place: Place, progress: Progress) -> Fetched:
    """Make the mirror a copy of the source, a directory or a single file; what that took.

    Raises:
        AgentError: it is not complete, also where the server only did not show all (agents/README.md, "A pass").
    """
    remote = remote_of(request, request.job.source, "source")
    rules, excludes = translated_excludes(request)
    progress.tell("mirror", "connecting")
    with reached(request, remote) as server:
        pull = _Pull(request, server, place.mirror, progress, rules, excludes, server.remote.served_path)
        if not request.dry_run and (fetched := _quick_pass(pull)):
            return fetched
        if not server.is_directory():
            pull.rules, pull.source = only_rules(remote.name()), remote.parent().served_path
            pull.server = replace(server, look=lambda _excludes: None)
        return _dry_run(pull) if request.dry_run else _passes(pull)


def translated_excludes(request: Request) -> tuple[list[str], Excludes]:
    """The job's excludes, for rclone and for us.

    Raises:
        AgentError: one of them has no translation.
    """
    try:
        return exclude_rules(request.job.exclude), Excludes.of(request.job.exclude)
    except PatternError as error:
        raise AgentError(f"exclude: {error}", "write it as rsync(1) says, PATTERN MATCHING RULES") from error


def _quick_pass(pull: _Pull) -> Fetched | None:
    """What is quickest where it is enough; None where it is not, or the server is not fit for it."""
    if pull.server.shows_all and any(pull.mirror.iterdir()):
        return _pass_by_survey(pull)
    return _pass_at_once(pull) if pull.server.at_once else None


def _pass_by_survey(pull: _Pull) -> Fetched | None:
    """Have rclone copy the files that differ, so that it need not look for them; None where more is to be done."""
    survey = _look(pull)
    if survey is None:
        return None
    clear_way(pull.mirror, survey)
    names = differing(pull.mirror, survey)
    if (
        names is None
        or len(names) > max(_FEW, len(survey.entries) // 10)
        or any("\n" in name for name in names)
    ):
        return None
    if names:
        listed = "".join(f"{name}\n" for name in names).encode(errors="surrogateescape")
        options = ["--files-from-raw=-", "--no-traverse"]
        ended, log = _sync(pull, [], survey, *options, verb="copy", stdin=listed)
        # A name that is not there any more, rclone passes over without a word.
        if ended.status != rclone.OK or log.errors or differing(pull.mirror, survey) != []:
            return None
    mirrored = finish_mirror(pull.mirror, survey)
    return None if mirrored.missing else _fetched(pull, mirrored, survey, [])


def _pass_at_once(pull: _Pull) -> Fetched | None:
    """Have rclone copy what is probably a directory while we look at it; None where that takes another pass.

    What became something else is in rclone's way now, and was not cleared: the next pass does that.
    """
    clear_way(pull.mirror, None)
    with _syncing(pull, pull.rules, None, ["--delete-excluded"]) as finish:
        if not pull.server.is_directory():
            return None
        survey = _look(pull)
        ended, log = finish()
    if ended.status != rclone.OK or log.errors:
        if not _is_worth_a_pass(pull, log):
            pull.server.rclone.raise_failed(ended, log)
        return None
    mirrored = finish_mirror(pull.mirror, survey)
    return None if mirrored.missing else _fetched(pull, mirrored, survey, [])


def _passes(pull: _Pull) -> Fetched:
    """Pass after pass until one finds nothing that moved."""
    for number in range(1, _PASSES + 1):
        survey = _look(pull)
        clear_way(pull.mirror, survey)
        ended, log = _sync(pull, _rules(pull, survey), survey, "--delete-excluded")
        if ended.status == rclone.OK and not log.errors:
            mirrored = finish_mirror(pull.mirror, survey)
            if not mirrored.missing:
                return _fetched(pull, mirrored, survey, [])
            if number == _PASSES:
                raise AgentError(
                    f"{_some(mirrored.missing)} could not be copied", "exclude it", transient=True
                )
        elif not _is_worth_a_pass(pull, log):
            pull.server.rclone.raise_failed(ended, log)
        elif number == _PASSES:
            return _take_as_it_is(pull, ended, log)
    raise AssertionError("the last pass returns or raises")


def _look(pull: _Pull) -> Survey | None:
    pull.progress.tell("mirror", "looking for files")
    survey = pull.server.look(pull.excludes)
    if survey and survey.unreadable:
        path, why = next(iter(survey.unreadable.items()))
        shown = path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}…"
        raise AgentError(
            f"{shown or pull.server.remote.path} cannot be read on {pull.server.remote.place}: {why}",
            "give the job a user who may, or exclude it",
        )
    return survey


def _rules(pull: _Pull, survey: Survey | None) -> list[str]:
    """The filters: links are left to us, and so is what is no file at all."""
    if survey is None:
        return pull.rules
    return [*path_rules(survey.paths(Kind.LINK)), *path_rules(survey.paths(Kind.OTHER)), *pull.rules]


def _sync(
    pull: _Pull,
    rules: Sequence[str],
    survey: Survey | None,
    *more: str,
    verb: str = "sync",
    stdin: bytes = b"",
) -> tuple[Ended, Log]:
    with _syncing(pull, rules, survey, more, verb=verb, stdin=stdin) as finish:
        return finish()


@contextlib.contextmanager
def _syncing(
    pull: _Pull,
    rules: Sequence[str],
    survey: Survey | None,
    more: Sequence[str],
    *,
    verb: str = "sync",
    stdin: bytes = b"",
) -> Iterator[Callable[[], tuple[Ended, Log]]]:
    """rclone at work; what is given is called to wait for its end."""
    engine, job = pull.server.rclone, pull.request.job
    files = sum(1 for _ in survey.paths(Kind.FILE)) if survey else None
    tell = tell_stats(pull.progress, "mirror", files, survey.size() if survey else None)
    options = rclone.sync_options(engine.ways, bandwidth=job.bandwidth, dry_run=pull.request.dry_run)
    places = ["--", f"{rclone.THERE}:{pull.source}", f"{rclone.HERE}:{pull.mirror}"]

    def finish() -> tuple[Ended, Log]:
        ended, log = end()
        pull.transferred += log.stats.transfers
        pull.bytes += log.stats.bytes
        pull.deleted += log.stats.deletes
        return ended, log

    with engine.transferring([verb, *options, *more, *places], rules, tell, stdin=stdin) as end:
        yield finish


def _is_worth_a_pass(pull: _Pull, log: Log) -> bool:
    """Whether all that went wrong is that something moved, or was in the way and is not any more."""
    if log.left_out or not any(line.name for line in log.errors):
        return False
    cleared = [_cleared(pull, line) for line in log.errors]
    return all(
        was_cleared or re.search(f"{CHANGED}|{VANISHED}", line.message, re.IGNORECASE)
        for was_cleared, line in zip(cleared, log.errors, strict=True)
        if line.name
    )


def _cleared(pull: _Pull, line: rclone.LogLine) -> bool:
    found = _IN_THE_WAY.search(line.message)
    return found is not None and replace_conflict(pull.mirror, Path(found["path"]))


def _take_as_it_is(pull: _Pull, ended: Ended, log: Log) -> Fetched:
    """The last pass: what changes all the time is copied as it is read, as rsync does, with a warning."""
    moving = sorted({line.name for line in log.errors if line.name and re.search(CHANGED, line.message)})
    if len(moving) != len({line.name for line in log.errors if line.name}):
        pull.server.rclone.raise_failed(ended, log)
    survey = _look(pull)
    clear_way(pull.mirror, survey)
    ended, log = _sync(pull, [*path_rules(moving), *_rules(pull, survey)], survey)
    pull.server.rclone.raise_failed(ended, log)
    names = "".join(f"{name}\n" for name in moving).encode(errors="surrogateescape")
    options = ["--files-from-raw=-", "--ignore-size", "--ignore-times"]
    ended, log = _sync(pull, [], survey, *options, verb="copy", stdin=names)
    pull.server.rclone.raise_failed(ended, log)
    mirrored = finish_mirror(pull.mirror, survey)
    if mirrored.missing:
        raise AgentError(f"{_some(mirrored.missing)} could not be copied", "exclude it", transient=True)
    return _fetched(pull, mirrored, survey, [f"changed while they were read: {_some(moving)}"])


def _dry_run(pull: _Pull) -> Fetched:
    ended, log = _sync(pull, _rules(pull, _look(pull)), None, "--delete-excluded")
    pull.server.rclone.raise_failed(ended, log)
    place = f"{rclone.THERE}:{pull.source}"
    size = pull.server.rclone.answer("size", "--json", "--", place, rules=pull.rules)
    files, size_bytes = rclone.counted(size)
    return Fetched(files, size_bytes, log.skipped.get("copy", 0), 0, log.skipped.get("delete", 0))


def _fetched(pull: _Pull, mirrored: Mirrored, survey: Survey | None, warnings: list[str]) -> Fetched:
    others = sorted(survey.paths(Kind.OTHER)) if survey else []
    if others:
        warnings.append(f"neither files, directories nor links, and left out: {_some(others)}")
    if not pull.server.rclone.ways.times:
        warnings.append("the server tells no times of files, so everything was copied anew")
    return Fetched(
        files=mirrored.files,
        bytes=mirrored.bytes,
        files_changed=pull.transferred,
        bytes_transferred=pull.bytes,
        deleted=pull.deleted,
        keeps_root=survey is not None and "" in survey.entries,
        warnings=warnings,
    )


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
