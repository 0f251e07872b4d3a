"""Looking back: runs that have ended, and the logs that they have left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cncopctl.core.choice import choose_jobs
from cncopctl.core.errors import UsageError
from cncopctl.core.layout import Layout
from cncopctl.core.pause import SPAN
from cncopctl.core.run import Run
from cncopctl.core.spans import parse_span
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.history import History


def find_runs(
    layout: Layout, words: Iterable[str], *, failed: bool, since: datetime | None, limit: int
) -> list[Run]:
    """Runs of the jobs that `words` name, of all jobs without any, newest first.

    Raises:
        UsageError: a word names no job, neither an installed one nor one of the history.
        InstallError: the history or a compiled job cannot be read.
    """
    history = History(layout.history)
    return history.runs(past_jobs(layout, words), failed=failed, since=since, limit=limit)


def past_jobs(layout: Layout, words: Iterable[str]) -> list[str]:
    """The ids of the jobs that `words` name; a job that is not installed any more goes by its id.

    Raises:
        UsageError: a word names no job.
    """
    found: list[str] = []
    installed = read_compiled_jobs(layout.compiled_jobs)
    for word in words:
        try:
            found += [job.id for job in choose_jobs([word], installed)]
        except UsageError:
            if not History(layout.history).runs([word], limit=1):
                raise
            found.append(word)
    return found


def parse_since(text: str, now: datetime) -> datetime:
    """The instant that a person's `text` means: ISO 8601 by the machine's clock, or a span before `now`.

    Raises:
        UsageError: it is neither.
    """
    try:
        if SPAN.fullmatch(text):
            return now - parse_span(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        hint = 'write a date such as 2026-12-24, a time such as 2026-12-24T18:00, or a span such as "3d"'
        raise UsageError(f'"{text}" is no time', hint) from error
