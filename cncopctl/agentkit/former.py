"""What was there before and is not now: a disk that is not mounted, snapshots that are gone, a clock that was right.

None of it can be told by the place itself: an empty mount point is an empty directory.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from cncopctl.agentkit.failure import AgentError

if TYPE_CHECKING:
    from pathlib import Path

    from cncopctl.agentkit.place import Place
    from cncopctl.agentkit.request import Request
    from cncopctl.core.guard import Past
    from cncopctl.edges.restic import Repository

_SKEW = 3600.0
"""Seconds by which the clock of a file server may be ahead."""


def refuse_empty_place(request: Request, place: Place) -> None:
    """Refuse to begin anew where the job has had backups, and nothing is left of them.

    Raises:
        AgentError: the destination is empty, and was not.
    """
    note = _note(request)
    if note is None or any(path.exists() for path in (place.repository, place.mirror, place.proof)):
        return
    if _says(note) == request.job.destination:
        raise AgentError(
            f"{place.destination} is empty, and backups of this job were in it",
            f"is its disk mounted? to begin anew, on another disk: install -d -m 700 {place.repository}",
        )


def remember_place(request: Request) -> None:
    """Note where the job has backups, outside of that place; it can be lost without harm."""
    note = _note(request)
    if note is None or _says(note) == request.job.destination:
        return  # written once: a full disk would leave it empty
    with suppress(OSError):
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(request.job.destination, errors="surrogateescape")


def _note(request: Request) -> Path | None:
    if request.cache_directory is None:
        return None
    return request.cache_directory / "places" / request.job.id.replace("/", "_")


def _says(note: Path) -> str:
    """What was noted; "" where nothing was, or it cannot be read."""
    try:
        return note.read_text(errors="surrogateescape")
    except OSError:
        return ""


def lost_history(repository: Repository, past: Past) -> list[str]:
    """A warning where none of the snapshots is there any more that the job's last backups took: we leave one."""
    known = [count.snapshot for count in past.counts if count.snapshot]
    if not known or any(repository.has_snapshot(snapshot) for snapshot in known):
        return []
    return [
        f"the snapshots of earlier backups are not in {repository.directory} any more: the history begins anew"
    ]


def refuse_wrong_clock(repository: Repository) -> None:
    """Remove nothing by a clock that is wrong, or was: what is dated later pushes out what is made now.

    Raises:
        AgentError: there is a snapshot that was written later than now.
    """
    newest = 0.0
    with suppress(FileNotFoundError):  # what is missing there, restic has the words for
        for path in (repository.directory / "snapshots").iterdir():
            newest = max(newest, path.stat().st_mtime)
    if newest > time.time() + _SKEW:
        day = time.strftime("%Y-%m-%d", time.localtime(newest))
        raise AgentError(
            f"there is a snapshot of {day}, which is later than now: the clock is wrong, or was",
            "put it right; if it is, remove what is dated later than now: restic forget SNAPSHOT",
        )
