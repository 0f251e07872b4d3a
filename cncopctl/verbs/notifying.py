"""A run has ended: queue the mail that its job asks for.

Jobs' services have neither the network nor the password for it: the reporter sends what waits here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import parse_line
from cncopctl.core.mail import Letter, Telling, letter_of_run, mail_name, occasion
from cncopctl.core.run import Run
from cncopctl.edges.history import History
from cncopctl.edges.log_tail import read_tail
from cncopctl.edges.spool import spool_report


def queue_notification(layout: Layout, job: CompiledJob, run: Run) -> str:
    """Queue the mail about `run`, if its job asks for one; what is wrong where that is not possible, else "".

    Nothing that goes wrong here is raised: it is no fault of the run.
    """
    if not job.notify:
        return ""
    to: Sequence[str] = job.notify["to"]
    try:
        telling = telling_of(layout, run)
        if occasion(job.notify["on"], run, next(iter(telling.before or ()), None)):
            queue_letter(layout, letter_of_run(telling, to, host_name(), datetime.now(UTC)), run.started)
    except OSError as error:
        return f"no mail to {', '.join(to)}: {error.filename or layout.mail}: {error.strerror}"
    return ""


def queue_letter(layout: Layout, letter: Letter, at: datetime, failure: str = "") -> None:
    """Put `letter` where the reporter finds it, and wake it; one of that id and instant is there once.

    Args:
        layout: the installation.
        letter: the letter.
        at: when what it tells of began.
        failure: why it was not sent when it was tried.

    Raises:
        OSError: the spool cannot be written.
    """
    spool_report(layout.mail, mail_name(letter.id, at), queued_document(letter, failure))


def queued_document(letter: Letter, failure: str) -> dict[str, object]:
    """A letter in the queue, as JSON has it."""
    return {"mail": 1, "letter": letter.document(), "failure": failure}


def telling_of(layout: Layout, run: Run) -> Telling:
    """What a mail tells of `run`; a history that cannot be read keeps nobody from being told of a failure."""
    tail = read_tail(Path(run.log)) if run.log else []
    before: Sequence[Run] | None = None
    with contextlib.suppress(InstallError):
        before = History(layout.history).before(run)
    return Telling(run, before, list(map(_short, tail)))


def _short(line: str) -> str:
    """A line of a log without what all of them have in common."""
    parsed = parse_line(line)
    return f"{parsed.at:%H:%M:%S} {parsed.source}: {parsed.text}" if parsed else line


def host_name() -> str:
    """What this machine calls itself."""
    return os.uname().nodename
