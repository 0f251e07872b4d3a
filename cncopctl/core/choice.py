"""Which jobs the words of a command line mean, and in which order they run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import nearest, shown
from cncopctl.core.job import Role


def choose_jobs(words: Iterable[str], jobs: Sequence[CompiledJob]) -> list[CompiledJob]:
    """The jobs that `words` name by id or title, each once, in the words' order.

    Raises:
        UsageError: a word names no job, or several by their title.
    """
    return list({job.id: job for job in (choose_job(word, jobs) for word in words)}.values())


def choose_job(word: str, jobs: Sequence[CompiledJob]) -> CompiledJob:
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
    raise UsageError(f"there is no job {shown(word)}", _hint(word, jobs))


def _hint(word: str, jobs: Sequence[CompiledJob]) -> str:
    if not jobs:
        return "no job is installed yet: write a profile, then run cncopctl sync-profile"
    names = {name: job.id for job in jobs for name in (job.id, job.title)}
    meant = nearest(word, names)
    return f"did you mean {names[meant]}?" if meant else "see: cncopctl jobs"


def in_order(jobs: Iterable[CompiledJob]) -> list[CompiledJob]:
    """The order in which all jobs run: by title; on a Healthy Server PULL before PUSH (cncopagent -a)."""

    def place(job: CompiledJob) -> tuple[bool, str, str]:
        later = job.role is Role.REMOTE and not job.is_pull()
        return later, job.title.casefold(), job.id

    return sorted(jobs, key=place)
