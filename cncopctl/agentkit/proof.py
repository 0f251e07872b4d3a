"""What is kept beside a repository to prove it: what backups counted, hashes of some of their files, past drills.

    proof/past.json             what the last backups held: core.guard.Past
    proof/last.json             the tags of the last snapshot
    proof/samples/<id>.json     hashes of some files of a snapshot, drawn anew for each
    proof/drills.json           the last drills, and which part of the repository was read last

All of it can be lost without harm: the past is read from the repository's tags, drills compare sizes alone. What
is there and cannot be understood is told, and written anew by the next run.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cncopctl.core.engines.snapshots import Snapshot, tags_of_run
from cncopctl.core.guard import Count, Past

_FILES = 50
_BYTES = 64 << 20
HEAD = 16 << 20
"""Of a larger file only the beginning is hashed, so that a backup of one large file is not read twice."""

_DRILLS = 50


class DamagedError(ValueError):
    """A file of the proof is there, and nothing that we wrote: a disk or somebody has changed it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file as it was at backup; `sha256` is of its first `hashed` bytes."""

    path: str
    size: int
    hashed: int
    sha256: str

    def is_whole(self) -> bool:
        """Whether all of the file was hashed."""
        return self.hashed == self.size

    def is_fit(self) -> bool:
        """Whether it can be one of ours: of numbers, text, and a path that stays below where it is restored."""
        numbers = type(self.size) is int and type(self.hashed) is int and 0 <= self.hashed <= self.size
        words = isinstance(self.path, str) and isinstance(self.sha256, str)
        return numbers and words and not {"", ".", ".."} & set(self.path.split("/")) and "\0" not in self.path


def read_past(proof: Path) -> Past | None:
    """What the last backups held; None where that was never noted here.

    Raises:
        DamagedError: what was noted cannot be understood.
    """
    document = _read(proof / "past.json")
    try:
        return Past.from_document(document) if document is not None else None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(str(proof / "past.json")) from error


def past_of(snapshots: Iterable[Snapshot]) -> Past:
    """What the tags of a job's snapshots tell of the past."""
    past = Past()
    for snapshot in snapshots:
        if snapshot.files is not None and snapshot.bytes is not None:
            past = past.with_(
                Count(
                    snapshot.files,
                    snapshot.bytes,
                    snapshot.run_id,
                    snapshot.id,
                    is_suspect=snapshot.is_suspect(),
                )
            )
    return past


def write_past(proof: Path, past: Past) -> None:
    """Keep what the last backups held."""
    _write(proof / "past.json", past.document())


@dataclass(frozen=True, slots=True)
class Last:
    """The tags of the last snapshot; `is_usual` where the one before had the same, save that of its run."""

    tags: tuple[str, ...]
    is_usual: bool

    @classmethod
    def read(cls, proof: Path) -> Last | None:
        """What is known of it."""
        try:
            document = _read(proof / "last.json") or {}
            return cls(tuple(str(tag) for tag in document["tags"]), bool(document["is_usual"]))
        except (KeyError, TypeError, ValueError):
            return None


def write_last(proof: Path, tags: Sequence[str]) -> None:
    """Keep the tags of the snapshot that was taken now."""
    before = Last.read(proof)
    is_usual = before is None or tags_of_run(before.tags, "") == tags_of_run(tags, "")
    _write(proof / "last.json", {"tags": list(tags), "is_usual": is_usual})


def draw(mirror: Path) -> list[Sample]:
    """Hash some files of the mirror, drawn at random, without walking all of it.

    Each is found by going down at random, so that what lies in small directories is drawn more often.
    """
    listed: dict[bytes, list[os.DirEntry[bytes]]] = {}
    samples: dict[bytes, Sample] = {}
    left = _BYTES
    for _ in range(_FILES * 4):
        if len(samples) == _FILES or left <= 0:
            break
        path = _go_down(os.fsencode(mirror), listed)
        if path is None or path in samples:
            continue
        with suppress(OSError):
            samples[path] = _sample(path, os.fsencode(mirror), min(HEAD, left))
            left -= samples[path].hashed
    return list(samples.values())


def _go_down(directory: bytes, listed: dict[bytes, list[os.DirEntry[bytes]]]) -> bytes | None:
    from random import choice  # imported while restic is already at work

    while True:
        if directory not in listed:
            try:
                listed[directory] = list(os.scandir(directory))
            except OSError:
                listed[directory] = []
        if not listed[directory]:
            return None
        entry = choice(listed[directory])  # noqa: S311 - no secret
        if not entry.is_dir(follow_symlinks=False):
            return entry.path if entry.is_file(follow_symlinks=False) else None
        directory = entry.path


def _sample(path: bytes, mirror: bytes, most: int) -> Sample:
    size, hashed, digest = hash_head(path, most)
    return Sample(os.fsdecode(os.path.relpath(path, mirror)), size, hashed, digest)


def hash_head(path: bytes | Path, most: int) -> tuple[int, int, str]:
    """Size of a file, how many bytes of it were hashed (at most `most`), and their SHA-256.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    from hashlib import sha256

    digest, hashed = sha256(), 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "is no regular file", os.fsdecode(path))
        while hashed < most and (chunk := file.read(min(1 << 20, most - hashed))):
            digest.update(chunk)
            hashed += len(chunk)
    return status.st_size, hashed, digest.hexdigest()


def write_samples(proof: Path, snapshot_id: str, samples: Iterable[Sample]) -> None:
    """Keep the samples of a snapshot."""
    (proof / "samples").mkdir(mode=0o700, exist_ok=True)
    _write(proof / "samples" / f"{snapshot_id}.json", {"files": [asdict(sample) for sample in samples]})


def read_samples(proof: Path, snapshot_id: str) -> list[Sample]:
    """The samples of a snapshot; none where none were kept.

    Raises:
        DamagedError: what was kept cannot be understood.
    """
    path = proof / "samples" / f"{snapshot_id}.json"
    document = _read(path)
    try:
        samples = [Sample(**entry) for entry in document["files"]] if document is not None else []
    except (KeyError, TypeError) as error:
        raise DamagedError(str(path)) from error
    if not all(sample.is_fit() for sample in samples):
        raise DamagedError(str(path))
    return samples


def forget_samples(proof: Path, kept: Iterable[Snapshot]) -> None:
    """Remove the samples of snapshots that are gone, by whomever they were removed."""
    names = {f"{snapshot.id}.json" for snapshot in kept}
    with suppress(OSError):
        for path in (proof / "samples").iterdir():
            if names and path.name not in names:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Drills:
    """The last drills, oldest first, and the part of the data that was read last: `part` of `of`."""

    part: int = 0
    of: int = 1
    drills: tuple[dict[str, Any], ...] = field(default=())

    @classmethod
    def read(cls, proof: Path) -> Drills:
        """What is known of the last drills.

        Raises:
            DamagedError: what was noted of them cannot be understood.
        """
        document = _read(proof / "drills.json")
        match document:
            case None:
                return cls()
            case {"part": int(part), "of": int(of), "drills": [*drills]} if 0 <= part <= of and of:
                return cls(part, of, tuple(drill for drill in drills if isinstance(drill, dict)))
            case _:
                raise DamagedError(str(proof / "drills.json"))

    def next_part(self, of: int) -> int:
        """The part to read next where there are `of` parts: after the last one, round and round."""
        done = self.part * of // self.of
        return done % of + 1

    def write(self, proof: Path, drill: dict[str, Any]) -> None:
        """Note one more drill. Its part counts as read only where nothing was wrong with it."""
        part, of = (drill["part"], drill["of"]) if drill["ok"] else (self.part, self.of)
        drills = [*self.drills, drill][-_DRILLS:]
        _write(proof / "drills.json", {"part": part, "of": of, "drills": drills})


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is no such file.

    Raises:
        DamagedError: it cannot be read, or has something else in it.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(str(path)) from error
    if not isinstance(document, dict):
        raise DamagedError(str(path))
    return document


def _write(path: Path, document: dict[str, Any]) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(json.dumps(document), encoding="utf-8")
    aside.replace(path)
