"""Snapshots of a repository, as restic lists them, in our words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TAG = "cncop"
SUSPECT = "suspect"
"""The tag of snapshots that the guard found fault with."""

_JOB, _RUN, _ROOT, _FILES, _BYTES = "job=", "run=", "root=", "files=", "bytes="


@dataclass(frozen=True, slots=True)
class RootMetadata:
    """Mode, owner and time of the directory that was backed up.

    restic keeps what is in the directory that it is started in, and nothing of the directory itself; so
    these travel in a tag of the snapshot.
    """

    mode: int
    uid: int
    gid: int
    mtime_ns: int

    def tag(self) -> str:
        """The tag that carries it."""
        return f"{_ROOT}{self.mode:o}.{self.uid}.{self.gid}.{self.mtime_ns}"

    @classmethod
    def from_tag(cls, tag: str) -> RootMetadata | None:
        """What a tag carries, None where it carries none."""
        found = re.fullmatch(rf"{_ROOT}([0-7]+)\.(\d+)\.(\d+)\.(-?\d+)", tag)
        if found is None:
            return None
        return cls(int(found[1], 8), int(found[2]), int(found[3]), int(found[4]))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One point in time of a job's backups; `files` and `bytes` are None where nobody counted them."""

    id: str
    short_id: str
    time: datetime
    job_id: str
    run_id: str
    tags: tuple[str, ...]
    paths: tuple[str, ...]
    files: int | None = None
    bytes: int | None = None
    root: RootMetadata | None = None

    def is_suspect(self) -> bool:
        """Whether the guard found fault with it."""
        return SUSPECT in self.tags

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "id": self.id,
            "short_id": self.short_id,
            "time": self.time.isoformat(),
            "job": self.job_id,
            "run": self.run_id,
            "files": self.files,
            "bytes": self.bytes,
            "tags": list(self.tags),
        }


def job_tag(job_id: str) -> str:
    """The tag of every snapshot of a job."""
    return f"{_JOB}{job_id}"


def snapshot_tags(
    job_id: str,
    run_id: str,
    root: RootMetadata | None,
    files: int | None,
    size: int | None,
    *,
    is_suspect: bool = False,
) -> list[str]:
    """Tags of a new snapshot. restic 0.14 keeps no counts of its own, so they travel as tags as well."""
    tags = [TAG, job_tag(job_id), f"{_RUN}{run_id}"] + ([SUSPECT] if is_suspect else [])
    tags += [root.tag()] if root else []
    tags += [f"{_FILES}{files}"] if files is not None else []
    tags += [f"{_BYTES}{size}"] if size is not None else []
    return tags


def tags_of_run(tags: Iterable[str], run_id: str) -> list[str]:
    """The tags that a snapshot of another run has if all else is the same."""
    return [f"{_RUN}{run_id}" if tag.startswith(_RUN) else tag for tag in tags]


def parse_snapshots(text: str) -> list[Snapshot]:
    """What `restic snapshots --json` lists, oldest first."""
    listed = json.loads(text) or []
    return sorted((parse_snapshot(entry) for entry in listed), key=lambda snapshot: snapshot.time)


def parse_snapshot(entry: Mapping[str, Any]) -> Snapshot:
    """One snapshot as restic describes it."""
    tags = tuple(entry.get("tags") or ())
    return Snapshot(
        id=entry["id"],
        short_id=entry.get("short_id", entry["id"][:8]),
        time=parse_time(entry["time"]),
        job_id=_tagged(tags, _JOB) or "",
        run_id=_tagged(tags, _RUN) or "",
        tags=tags,
        paths=tuple(entry.get("paths") or ()),
        files=_number(_tagged(tags, _FILES)),
        bytes=_number(_tagged(tags, _BYTES)),
        root=next((root for tag in tags if (root := RootMetadata.from_tag(tag))), None),
    )


def _tagged(tags: Iterable[str], prefix: str) -> str | None:
    return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def parse_time(text: str) -> datetime:
    """A time as restic writes it (RFC 3339 with nanoseconds, which datetime cannot hold), aware."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def find_snapshot(snapshots: Iterable[Snapshot], wanted: str) -> Snapshot | None:
    """The snapshot that `wanted` names: "latest", an id or the beginning of one; None for none."""
    ordered = list(snapshots)
    if wanted == "latest":
        return ordered[-1] if ordered else None
    found = [snapshot for snapshot in ordered if wanted and snapshot.id.startswith(wanted.lower())]
    return found[0] if len(found) == 1 else None


def snapshot_at(snapshots: Iterable[Snapshot], at: datetime) -> Snapshot | None:
    """The last snapshot that was taken by `at`; None where all are younger."""
    return max(
        (snapshot for snapshot in snapshots if snapshot.time <= at),
        key=lambda snapshot: snapshot.time,
        default=None,
    )
