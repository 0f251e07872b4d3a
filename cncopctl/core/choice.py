"""Which jobs the words of a command line mean, and in which order they run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import NoJobError, UsageError
from cncopctl.core.faults import nearest, shown
from cncopctl.core.role import Role


class Named(Protocol):
    """What a command line can name: a job, or what is left of one."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def title(self) -> str:
        """Its title."""


_Named = TypeVar("_Named", bound=Named)


def select_jobs(
    words: Sequence[str], installed: Sequence[CompiledJob], *, alljobs: bool, kind: str | None
) -> list[CompiledJob]:
    """The jobs that cncopagent is to run, in their order: those of `words`, all, or all of a type.

    Raises:
        UsageError: not one of the three is asked for, or there is no such job.
    """
    if [bool(words), alljobs, bool(kind)].count(True) != 1:
        hint = "name the jobs, or take all with -a, or all of a type with -t TYPE"
        raise UsageError("which jobs?" if not words and not kind else "too many ways to say which jobs", hint)
    if words:
        return choose_jobs(words, installed)
    chosen = [job for job in installed if not kind or job.values["type"] == kind.upper()]
    if not chosen and kind:
        known = sorted({str(job.values["type"]) for job in installed})
        raise UsageError(
            f"no job is of type {shown(kind)}", f"installed are jobs of type: {', '.join(known) or 'none'}"
        )
    if not chosen:
        raise UsageError("no job is installed", "write a profile, then run: cncopctl sync-profile")
    return in_order(chosen)


def choose_jobs(words: Iterable[str], jobs: Sequence[_Named]) -> list[_Named]:
    """The jobs that `words` name by id or title, each once, in the words' order.

    Raises:
        UsageError: a word names no job, or several by their title.
    """
    return list({job.id: job for job in (choose_job(word, jobs) for word in words)}.values())


def choose_job(word: str, jobs: Sequence[_Named]) -> _Named:
    """The job that `word` names: by its id, else by its title, whose case does not matter.

    Raises:
        UsageError: it names none, or several.
    """
    found = [job for job in jobs if job.id == word]
    found = found or [job for job in jobs if job.title.casefold() == word.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"several jobs have the title {shown(word)}",
            f"name it by its id: {', '.join(job.id for job in found)}",
        )
    kind = UsageError if jobs else NoJobError
    raise kind(f"there is no job {shown(word)}", _hint(word, jobs))


def choose_backup(word: str, jobs: Sequence[CompiledJob]) -> CompiledJob:
    """The job that `word` names, as far as one of its backups goes: `JOB`, or `JOB/ACTION` where it has several.

    Its agent and values are those of that backup; of a job that backs up nothing itself, those of what it is about.

    Raises:
        UsageError: it names none, or several.
    """
    try:
        job, name = choose_job(word, jobs), ""
    except UsageError:
        first, slash, name = word.rpartition("/")
        if not slash:
            raise
        job = choose_job(first, jobs)
    backups = [action for action in job.actions if action.action == "backup"]
    found = [action for action in backups if not name or action.name == name]
    if len(found) == 1:
        return replace(job, agent=found[0].agent, values=found[0].values)
    if not backups and not name:
        return _what_it_is_about(job)
    names = [f"{job.id}/{action.name}" for action in backups]
    what = f"{job.id} has no backup {shown(name)}" if name else f"{job.id} has several backups"
    raise UsageError(what, f"name one of them: {', '.join(names)}")


def _what_it_is_about(job: CompiledJob) -> CompiledJob:
    """Whose backups a job is about that has none itself, such as a drill with a schedule of its own.

    Raises:
        UsageError: those of several.
    """
    about = {str(action.values["id"]): action for action in job.actions}
    if len(about) > 1:
        raise UsageError(f"{job.id} backs up nothing itself", f"name what it is about: {', '.join(about)}")
    for name, action in about.items():
        return replace(job, id=name, agent=action.agent, values=action.values)
    return job


def all_backups(job: CompiledJob) -> list[CompiledJob]:
    """The job once for each of its backups, as `choose_backup` gives them."""
    backups = [action for action in job.actions if action.action == "backup"]
    return [replace(job, agent=action.agent, values=action.values) for action in backups]


def _hint(word: str, jobs: Sequence[Named]) -> str:
    if not jobs:
        return "no job is installed yet: write a profile, then run cncopctl sync-profile"
    names = {name: job.id for job in jobs for name in (job.id, job.title)}
    meant = nearest(word, names)
    if meant:
        return f"did you mean {names[meant]}?"
    return "see: cncopctl jobs; a new one is there after: cncopctl sync-profile"


def in_order(jobs: Iterable[CompiledJob]) -> list[CompiledJob]:
    """The order in which all jobs run: by title; on a Healthy Server PULL before PUSH (cncopagent -a)."""

    def place(job: CompiledJob) -> tuple[bool, str, str]:
        later = job.role is Role.REMOTE and not job.is_pull()
        return later, job.title.casefold(), job.id

    return sorted(jobs, key=place)
