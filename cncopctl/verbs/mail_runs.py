"""The one-shot mail: what became of the jobs that somebody has run, sent by whoever ran them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.configuration import Configuration, Mail
from cncopctl.core.faults import Fault, ProfileError
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import Level
from cncopctl.core.mail import Letter, check_address, letter_of_runs, trial_letter
from cncopctl.core.run import Run
from cncopctl.edges.configuration_file import read_configuration
from cncopctl.edges.mail import MailError
from cncopctl.verbs.notifying import host_name, queue_letter, telling_of
from cncopctl.verbs.send_mails import send_letter, tell_run


def mail_settings(layout: Layout, address: str, path: Path | None = None) -> Configuration:
    """The configuration at `path`, by default the installation's, with which mail can be sent to `address`.

    Raises:
        UsageError: that is no address.
        ProfileError: cncop3.ini is not valid, or names no mail server.
    """
    check_address(address)
    settings = path or layout.settings
    configuration = read_configuration(settings)
    if not configuration.mail.server:
        what = "is not set, and without a mail server there is no mail"
        fault = Fault(settings.name, what, f"set it in {settings}", key="[mail] mail_server")
        raise ProfileError([fault])
    return configuration


def mail_runs(layout: Layout, settings: Mail, runs: Sequence[Run], address: str) -> str:
    """Mail what became of `runs`; "" if that is done, else what is wrong, which the runs' logs tell as well.

    A mail that cannot be sent is queued for the reporter, who tries again.
    """
    tellings = [telling_of(layout, run) for run in runs]
    letter = letter_of_runs(tellings, uuid.uuid4().hex, [address], host_name(), datetime.now(UTC))
    try:
        send_letter(layout, settings, letter)
    except MailError as error:
        problem = f"mail to {address} is not sent yet: {error.message}; {_queued(layout, letter, error)}"
        _tell(runs, problem)
        return f"{problem}\nhint: {error.hint}" if error.hint else problem
    return ""


def _queued(layout: Layout, letter: Letter, error: MailError) -> str:
    """What becomes of it now, in words."""
    left = replace(letter, to=error.refused) if error.refused else letter
    try:
        queue_letter(layout, left, left.written, error.message)
    except OSError as problem:
        return f"nor can it wait: {problem.filename or layout.mail}: {problem.strerror}"
    return "it is tried again for five days"


def _tell(runs: Iterable[Run], problem: str) -> None:
    for run in runs:
        if run.id:
            tell_run(run.log, run.job, run.id, problem, Level.WARN)


def mail_trial(layout: Layout, settings: Mail, address: str) -> None:
    """Send a mail that says nothing but that mail arrives.

    Raises:
        MailError: it was not sent.
    """
    letter = trial_letter(uuid.uuid4().hex, check_address(address), host_name(), datetime.now(UTC))
    send_letter(layout, settings, letter)
