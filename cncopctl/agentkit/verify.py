"""verify: a drill. What was backed up is restored in part and compared with what was hashed at backup.

A drill reads one part of the repository's data, the next one each time; restores some files of the newest
snapshot to a scratch directory; compares them; and sees that the snapshot is young and large enough. It tells
everything that is wrong, not only the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cncopctl.agentkit import proof
from cncopctl.agentkit.engine import run_engine
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.phrases import age, counted, size
from cncopctl.agentkit.place import Place, existing_place, open_repository
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.request import Request
from cncopctl.agentkit.result import Result
from cncopctl.agentkit.telling import teller
from cncopctl.core.engines.restic import Node
from cncopctl.core.engines.snapshots import Snapshot
from cncopctl.core.snapshot_choice import how_to_take_one
from cncopctl.edges.restic import Repository, ResticError, environment

_MOST_PARTS = 20
_PART = 256 << 20
"""A part is at least so large: a small repository is read as a whole."""

_SHOWN = 5


def verify(request: Request, progress: Progress) -> Result:
    """Prove that the newest snapshot can be restored.

    Raises:
        AgentError: it cannot, or not as was asked for; with everything that was found out.
    """
    place = existing_place(request)
    repository = open_repository(request)
    with place.in_use(), _alone(place):
        taken = repository.snapshots(request.job.id)
        if not taken:
            raise AgentError(
                f"{repository.directory} has no snapshot of this job",
                how_to_take_one(request.job.id),
            )
        if request.dry_run:
            return Result(f"would check the repository, and restore files of {taken[-1].short_id}")
        return _Drill(request, place, repository, taken, progress).result()


@contextlib.contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Only one drill at a time: they share a scratch directory and take turns in reading parts."""
    try:
        descriptor = os.open(place.proof / "drill.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        os.set_inheritable(descriptor, True)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise AgentError("another drill of this repository is under way", transient=True) from error
    finally:
        os.close(descriptor)


class _Drill:
    """One drill: what it does one after another, and what it found wrong."""

    def __init__(
        self,
        request: Request,
        place: Place,
        repository: Repository,
        taken: Sequence[Snapshot],
        progress: Progress,
    ) -> None:
        self._request, self._place, self._repository = request, place, repository
        self._taken, self._progress = taken, progress
        self._faults: list[str] = []
        self._hint = ""
        self._warnings: list[str] = []
        self._before = self._past_drills()
        of = max(1, min(_MOST_PARTS, repository.size() // _PART))
        self._told: dict[str, Any] = {
            "snapshot": taken[-1].id,
            "part": self._before.next_part(of),
            "of": of,
            "files": 0,
            "bytes": 0,
            "seconds": 0.0,
        }

    def _past_drills(self) -> proof.Drills:
        try:
            return proof.Drills.read(self._place.proof)
        except proof.DamagedError as error:
            self._warnings.append(f"{error} was damaged: what was noted of earlier drills is lost")
            return proof.Drills()

    def _samples(self) -> list[proof.Sample]:
        """What was hashed when the newest snapshot was taken; else what restic says of files, which has no hashes."""
        sizes_alone = "so that sizes alone were compared"
        try:
            if samples := proof.read_samples(self._place.proof, self._taken[-1].id):
                return samples
            self._warnings.append(f"nothing was hashed at this backup, {sizes_alone}")
        except proof.DamagedError as error:
            self._warnings.append(f"{error} was damaged, {sizes_alone}")
        return self._listed()

    def result(self) -> Result:
        """Do it all, note it, and tell of it."""
        now = datetime.now(UTC)
        self._assert(now)
        self._check()
        self._restore()
        self._told |= {"ok": not self._faults, "time": now.isoformat(), "faults": self._faults}
        try:
            self._before.write(self._place.proof, self._told)
        except OSError as error:
            self._warnings.append(f"the drill was not noted: {error.filename}: {error.strerror}")
        if self._faults:
            raise AgentError(
                f"the drill failed: {'; '.join(self._faults)}",
                self._hint,
                told={"snapshot": self._taken[-1].id, "drill": self._told, "warnings": self._warnings},
            )
        return Result(
            self._phrase(now),
            snapshot=self._taken[-1].id,
            files=self._told["files"],
            bytes=self._told["bytes"],
            warnings=self._warnings,
            snapshots=[snapshot.as_dict() for snapshot in self._taken],
            drill=self._told,
        )

    def _phrase(self, now: datetime) -> str:
        part, of = self._told["part"], self._told["of"]
        read = "all data read" if of == 1 else f"part {part} of {of} of the data read"
        compared = (
            f"{counted(self._told['files'], 'file')} ({size(self._told['bytes'])}) restored in "
            f"{self._told['seconds']:.1f} s and compared"
        )
        taken = f"{counted(len(self._taken), 'snapshot')}, the latest {age(now - self._taken[-1].time)} old"
        return f"repository sound, {read}; {compared}; {taken}"

    def _assert(self, now: datetime) -> None:
        latest, drill = self._taken[-1], self._request.job.drill
        if drill.max_age and (now - latest.time).total_seconds() > drill.max_age:
            self._faults.append(f"the latest snapshot is {age(now - latest.time)} old")
            self._hint = (
                f"see why there is no younger one: cncopctl jobs, cncopctl runjob {self._request.job.id}"
            )
        if drill.min_files and (latest.files or 0) < drill.min_files:
            found = "an unknown number of files" if latest.files is None else counted(latest.files, "file")
            self._faults.append(f"the latest snapshot has {found}, and should have {drill.min_files:,}")

    def _check(self) -> None:
        part, of = self._told["part"], self._told["of"]
        self._progress.tell("verify", f"reading part {part} of {of} of the data back")
        try:
            self._repository.check(part=part, of=of, on_message=lambda _message: None)
        except ResticError as error:
            if error.transient:
                raise
            self._faults.append(error.message)
            self._hint = self._hint or error.hint

    def _restore(self) -> None:
        wanted = self._request.job.drill.sample
        samples = self._samples() if wanted else []
        chosen = random.sample(samples, min(wanted, len(samples)))
        begun = time.monotonic()
        try:
            with self._scratch() as scratch:
                self._restore_whole([sample for sample in chosen if sample.is_whole()], scratch)
            for sample in (sample for sample in chosen if not sample.is_whole()):
                self._restore_head(sample)
        except ResticError as error:
            if error.transient:
                raise
            self._faults.append(f"files cannot be restored: {error.message}")
            self._hint = self._hint or error.hint
        self._told["seconds"] = round(time.monotonic() - begun, 3)
        self._shorten()

    def _restore_whole(self, samples: Sequence[proof.Sample], scratch: Path) -> None:
        if not samples:
            return
        files, total = len(samples), sum(sample.size for sample in samples)
        reader = teller(self._progress, "verify", "restoring files to compare", files, total)
        paths = [sample.path for sample in samples]
        self._repository.restore(self._taken[-1].id, scratch, paths=paths, on_message=reader)
        for sample in samples:
            try:
                found = proof.hash_head(scratch / sample.path, proof.HEAD)
            except OSError as error:
                self._faults.append(f"{sample.path} was not restored: {error.strerror}")
                continue
            self._compare(sample, found[0], found[2])

    def _restore_head(self, sample: proof.Sample) -> None:
        """Have restic write a large file to us, and stop it once we have seen what was hashed."""
        self._progress.tell("verify", "reading the beginnings of large files")
        digest, left = hashlib.sha256(), sample.hashed

        def read(chunk: bytes) -> None:
            nonlocal left
            digest.update(chunk[:left])
            left -= min(left, len(chunk))
            if not left:
                raise _EnoughError

        command = self._repository.command("dump", "--no-lock", self._taken[-1].id, f"/{sample.path}")
        with contextlib.suppress(_EnoughError):
            self._repository.raise_failed(run_engine(command, on_output=read, env=environment()))
        self._compare(sample, sample.size if not left else sample.hashed - left, digest.hexdigest())

    def _compare(self, sample: proof.Sample, found_size: int, found_hash: str) -> None:
        self._told["files"] += 1
        self._told["bytes"] += sample.hashed
        if found_size != sample.size:
            self._faults.append(
                f"{sample.path} came back with {found_size:,} bytes instead of {sample.size:,}"
            )
        elif sample.sha256 and found_hash != sample.sha256:
            self._faults.append(f"the content of {sample.path} is not what was backed up")

    def _listed(self) -> list[proof.Sample]:
        """Files of the snapshot as restic lists them: their sizes are known, their hashes are not."""
        files: list[proof.Sample] = []

        def note(node: Node) -> None:
            if node.kind == "file" and "\ufffd" not in node.path and node.size <= proof.HEAD:
                files.append(proof.Sample(node.path, node.size, node.size, ""))

        self._repository.walk(self._taken[-1].id, on_node=note)
        return files

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A directory for what is restored; one that a killed drill left is removed first."""
        base = self._request.cache_directory or self._place.proof
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = base / f"drill-{self._request.job.id}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _shorten(self) -> None:
        """A thousand files that are all damaged are told in a few."""
        if len(self._faults) > _SHOWN:
            more = len(self._faults) - _SHOWN
            self._faults[_SHOWN:] = [f"and {more:,} more"]


class _EnoughError(Exception):
    """We have read all that we wanted."""
