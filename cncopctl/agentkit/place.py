"""The destination of a PULL job: what is where in it, and who may be at its repository.

<destination>/mirror/       the source as it was at the last complete run, to be read with ls
<destination>/repository/   restic: every snapshot that was taken of the mirror
<destination>/partial/      what an interrupted transfer left, for the next one to go on from
<destination>/proof/        what backups counted and hashed, and what drills found
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cncopctl.agentkit.engine import run_lines
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.request import REPOSITORY_PASSWORD, Request
from cncopctl.edges.restic import Repository


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

    @property
    def proof(self) -> Path:
        """What backups counted and hashed, and what drills found."""
        return self.destination / "proof"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[Use]:
        """Let nobody prune the repository meanwhile; what is started inherits that.

        Raises:
            AgentError: it is being pruned now; trying again helps.
        """
        try:
            self.proof.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self.proof / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            # A disk that is mounted for reading alone, or another user's: nobody can prune here either.
            yield Use(None)
            return
        try:
            os.set_inheritable(descriptor, True)
            _flock(descriptor, fcntl.LOCK_SH, "old snapshots are being removed from it")
            yield Use(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Use:
    """That somebody is at a repository, as flock(2) has it."""

    descriptor: int | None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one at the repository for a while.

        Raises:
            AgentError: somebody else is at it; trying again helps.
        """
        if self.descriptor is None:
            yield
            return
        _flock(self.descriptor, fcntl.LOCK_EX, "a restore, a drill or another run is reading it")
        try:
            yield
        finally:
            fcntl.flock(self.descriptor, fcntl.LOCK_SH)


def _flock(descriptor: int, how: int, why_not: str) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AgentError(f"the repository is in use: {why_not}", "try again later", transient=True) from error


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
    note = place.proof / "restic.json"
    return Repository(place.repository, password, cache_directory=None, runner=run_lines, version_note=note)
