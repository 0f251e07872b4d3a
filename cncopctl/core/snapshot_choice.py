"""Which snapshot the words of a command line mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cncopctl.core.engines.snapshots import Snapshot, find_snapshot, snapshot_at
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import shown

_SHOWN = 3


def choose_snapshot(word: str, at: datetime | None, taken: Sequence[Snapshot], job_id: str) -> Snapshot:
    """The snapshot that `word` names: `latest`, an id, its beginning, or else the last one taken by `at`.

    Args:
        word: as it was typed.
        at: the instant that `word` reads as; None where it reads as none.
        taken: the job's snapshots, oldest first.
        job_id: the job.

    Raises:
        UsageError: it names none, or several.
    """
    found = find_snapshot(taken, word) or (snapshot_at(taken, at) if at else None)
    if found:
        return found
    if not taken:
        raise UsageError(f"{job_id} has no snapshot yet", how_to_take_one(job_id))
    if at:
        oldest = f"the oldest is {taken[0].short_id} of {taken[0].time.astimezone():%Y-%m-%d %H:%M:%S}"
        raise UsageError(f"{job_id} has no snapshot from before {at.astimezone():%Y-%m-%d %H:%M:%S}", oldest)
    fitting = [snapshot for snapshot in taken if word and snapshot.id.startswith(word.lower())]
    named = ", ".join(snapshot.short_id for snapshot in reversed((fitting or taken)[-_SHOWN:]))
    if fitting:
        raise UsageError(f"several snapshots of {job_id} begin with {shown(word)}", f"the latest are {named}")
    raise UsageError(
        f"{job_id} has no snapshot {shown(word)}",
        f"the latest are {named}; see them all with: cncopctl snapshots {job_id}",
    )


def how_to_take_one(job_id: str) -> str:
    """What to do where there is no snapshot. A directory that a disk is to be mounted on looks like it, too."""
    return f"take one with: cncopctl runjob {job_id}; or is the disk not mounted that has them?"


def is_snapshot(word: str, at: datetime | None, taken: Sequence[Snapshot]) -> bool:
    """Whether `word` can be meant to name a snapshot: it does, or it is an instant, or the beginning of an id."""
    return bool(at) or word == "latest" or any(snapshot.id.startswith(word.lower()) for snapshot in taken)
