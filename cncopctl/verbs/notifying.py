"""A run has ended: queue the mail that its job asks for.

Jobs' services have neither the network nor the password for it: the reporter sends what waits here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.mail import Letter, Telling, letter_of_run, mail_name, occasion
from cncopctl.core.run import Run
from cncopctl.edges.history import History
from cncopctl.edges.log_tail import add_line, read_tail
from cncopctl.edges.spool import spool_report


def queue_notification(layout: Layout, job: CompiledJob, run: Run) -> str:
    """Queue the mail about `run`, if its job asks for one; a word on it, also in the run's log, or "".

    Nothing that goes wrong here is raised: it is no fault of the run. Doing it once more queues the same mail.
    """
    if not job.notify:
        return ""
    to: Sequence[str] = job.notify["to"]
    try:
        telling = telling_of(layout, run)
        if not occasion(job.notify["on"], run, next(iter(telling.before), None)):
            return ""
        queue_letter(layout, letter_of_run(telling, to, host_name(), datetime.now(UTC)))
        word = f"mail to {', '.join(to)} waits to be sent"
    except OSError as error:
        word = f"no mail to {', '.join(to)}: {error.filename or 'the spool'}: {error.strerror}"
    if run.log:
        add_line(Path(run.log), word)
    return word


def queue_letter(layout: Layout, letter: Letter, failure: str = "") -> None:
    """Put `letter` where the reporter finds it; `failure` is why it could not be sent when it was tried.

    Raises:
        OSError: the spool cannot be written.
    """
    document = {"mail": 1, "letter": letter.document(), "failure": failure}
    spool_report(layout.mail, mail_name(letter.id, letter.written), document)


def telling_of(layout: Layout, run: Run) -> Telling:
    """What a mail tells of `run`.

    Raises:
        OSError: the history cannot be read.
    """
    tail = read_tail(Path(run.log)) if run.log else []
    return Telling(run, History(layout.history).before(run), tail)


def host_name() -> str:
    """What this machine calls itself."""
    return os.uname().nodename
