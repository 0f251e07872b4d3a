"""A run has ended: queue the mail that its job asks for.

Jobs' services have neither the network nor the password for it: the reporter sends what waits here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import InstallError
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import parse_line
from cncopctl.core.mail import FAILURE, MOST_BEFORE, Letter, Telling, letter_of_run, mail_name, show_time
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.core.told import tell
from cncopctl.edges.history import History
from cncopctl.edges.log_tail import read_tail
from cncopctl.edges.spool import spool_report
from cncopctl.edges.told_files import read_told, write_told


def queue_notification(
    layout: Layout, job: CompiledJob, run: Run, say: Callable[[str], None] = lambda _text: None
) -> str:
    """Queue the mail about `run`, if its job asks for one; what is wrong where that is not possible, else "".

    `say` is called with why there is none about a failure. Nothing that goes wrong here is raised: it is no fault of
    the run.
    """
    if not job.notify or run.outcome in (None, Outcome.SKIPPED):
        return ""
    to: Sequence[str] = job.notify["to"]
    repeat = timedelta(hours=job.notify.get("repeat", 0))
    told = read_told(layout.told, job.id)
    telling = telling_of(layout, run)
    is_due, now_told = tell(told, job.notify["on"], run, next(iter(telling.before or ()), None), repeat)
    try:
        if is_due:
            telling = replace(telling, untold=told.untold if told else 0, repeat=repeat if now_told else None)
            queue_letter(layout, letter_of_run(telling, to, host_name(), datetime.now(UTC)), run.started)
        elif told and now_told and now_told.untold > told.untold and FAILURE in job.notify["on"]:
            say(
                f"no mail: such failures were told last on {show_time(told.last)} (mail_repeat in cncop3.ini)"
            )
    except OSError as error:
        return f"no mail to {', '.join(to)}: {error.filename or layout.mail}: {error.strerror}"
    if now_told:
        write_told(layout.told, job.id, now_told)
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
        before = History(layout.history).before(run, MOST_BEFORE)
    return Telling(run, before, list(map(_short, tail)))


def _short(line: str) -> str:
    """A line of a log without what all of them have in common."""
    parsed = parse_line(line)
    return f"{parsed.at:%H:%M:%S} {parsed.source}: {parsed.text}" if parsed else line


def host_name() -> str:
    """What this machine calls itself."""
    return os.uname().nodename
