"""Looking into the repository of a job, for what a person asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.engines.diagnosis import Diagnosis
from cncopctl.core.errors import InstallError, UsageError
from cncopctl.core.layout import Layout
from cncopctl.edges.restic import Repository, ResticError
from cncopctl.verbs.credential_store import handed_over


@contextmanager
def repository_of(
    layout: Layout, job: CompiledJob, on_warning: Callable[[str], None]
) -> Iterator[Repository]:
    """The repository of a job, while its password is at hand; `on_warning` hears what restic passes over.

    Raises:
        ResticError: restic failed, with the job.
        UsageError: the job keeps none here.
        InstallError: its directory or its password is not there: it is not that nothing was ever backed up.
    """
    if not job.is_pull():
        raise UsageError(
            f"{job.id} is a PUSH job, which keeps no repository on this machine",
            f"what it keeps is at {job.values['destination']}",
        )
    destination = Path(job.values["destination"])
    if not destination.is_dir():
        hint = f"is its disk mounted? create it with: install -d -m 700 {destination}"
        raise InstallError(f"{job.id}: {destination} does not exist", hint)
    with handed_over(layout) as credentials:
        password = credentials / REPOSITORY_PASSWORD
        if not password.exists():
            hint = f"store your copy of it: cncopctl credential set {REPOSITORY_PASSWORD}"
            raise InstallError(f"the credential {REPOSITORY_PASSWORD} is missing, which opens it", hint)
        try:
            yield Repository(destination / "repository", password, on_warning=on_warning)
        except ResticError as error:
            told = Diagnosis(f"{job.id}: {error.message}", error.hint, error.transient)
            raise ResticError(told) from error


def path_in_backup(job: CompiledJob, path: str) -> str:
    """`path` from the root of the job's backup; one that begins with the job's own local source is cut there."""
    source = str(job.values["source"]).rstrip("/")
    if source.startswith("/") and f"{path}/".startswith(f"{source}/"):
        path = path.removeprefix(source)
    return "/".join(part for part in path.split("/") if part not in ("", "."))
