"""Looking into the repository of a job, for what a person asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.errors import UsageError
from cncopctl.core.layout import Layout
from cncopctl.edges.restic import Repository
from cncopctl.verbs.credential_store import handed_over


@contextmanager
def repository_of(layout: Layout, job: CompiledJob) -> Iterator[Repository]:
    """The repository of a job, while its password is at hand.

    Raises:
        UsageError: the job keeps none here.
        InstallError: the password cannot be read.
    """
    if not job.is_pull():
        raise UsageError(
            f"{job.id} is a PUSH job, which keeps no repository on this machine",
            f"what it keeps is at {job.values['destination']}",
        )
    with handed_over(layout) as credentials:
        yield Repository(Path(job.values["destination"], "repository"), credentials / REPOSITORY_PASSWORD)


def path_in_backup(job: CompiledJob, path: str) -> str:
    """`path` from the root of the job's backup; one that begins with the job's own local source is cut there."""
    source = str(job.values["source"]).rstrip("/")
    if source.startswith("/") and f"{path}/".startswith(f"{source}/"):
        path = path.removeprefix(source)
    return "/".join(part for part in path.split("/") if part not in ("", "."))
