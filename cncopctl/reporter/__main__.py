"""cncopreporter: hands on what waits in the spool. systemd starts it when there is something, and now and then.

It takes one step after the other, and what fails in one keeps none of the others.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.core.errors import CncopError
from cncopctl.core.layout import Layout, Scope
from cncopctl.edges.notify import notify_status
from cncopctl.verbs.choose_layout import choose_layout

if TYPE_CHECKING:
    from cncopctl.core.configuration import Configuration

Say = Callable[[str], None]

# The default of days_of_logs (core.configuration), which is much to load for one number.
_DAYS = 90


@dataclass(frozen=True, slots=True)
class Task:
    """The installation, its cncop3.ini, and what to call with what only who looks for a mistake wants to know."""

    layout: Layout
    settings: Path
    debug: Say

    def configuration(self) -> Configuration:
        """The settings.

        Raises:
            ProfileError: they are not valid.
        """
        from cncopctl.edges.configuration_file import read_configuration  # most machines have no such file

        return read_configuration(self.settings)

    def days(self) -> int:
        """How many days the archive keeps; the default where cncop3.ini is missing, or not valid."""
        if not self.settings.exists():
            return _DAYS
        try:
            return self.configuration().defaults.days_of_logs
        except CncopError:
            return _DAYS  # a sync says what is wrong, and so does the step that cannot do without


# Does its part, and returns what is left undone and is tried again, in sentences.
Step = Callable[[Task], list[str]]

# What is not done: the exit status of all our programs for that (design, section 14).
_UNDONE = 3

# A path unit that starts us again at once, since we could not do what it woke us for, shall not do so all the time.
_LINGER = 30

# The reports of one run, and of runs that end together, go in one pass.
_GATHER = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Take all steps; 0 if nothing is left undone."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.config and not options.config.exists():
        parser.error(f"there is no file {options.config}")
    layout = choose_layout(options.scope, options.root, os.environ)
    task = Task(layout, options.config or layout.settings, _say if options.debug else lambda _text: None)
    is_woken = bool(os.environ.get("TRIGGER_PATH"))
    if is_woken:
        time.sleep(_GATHER)
    undone = [sentence for step in STEPS for sentence in _taken(step, task)]
    for sentence in undone:
        _say(sentence)
    if undone and is_woken and (layout.spool / "wake").exists():
        notify_status(f"is tried again in {_LINGER} seconds: {undone[0]}")
        time.sleep(_LINGER)
    return _UNDONE if undone else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cncopreporter",
        description="Hand on what waits in the spool: reports in the order JE, JS, JF, VIRUS, each by age (without a "
        "hub they go to the archive), then mail. systemd starts this whenever there is something to hand on.",
        epilog="exit status: 0 all is handed on, 2 usage, 3 something is left, and is tried again",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-?", "-h", "--help", action="help", help="show this help and exit")
    parser.add_argument("-d", "--debug", action="store_true", help="say what is done")
    parser.add_argument("-c", "--config", type=Path, metavar="CONFIG", help="another cncop3.ini")
    scope = parser.add_mutually_exclusive_group()
    for name in (Scope.SYSTEM, Scope.USER):
        scope.add_argument(
            f"--{name}", dest="scope", action="store_const", const=name, help=f"the {name}'s installation"
        )
    scope.add_argument("--root", type=Path, metavar="DIR", help="an installation under a directory")
    return parser


def _taken(step: Step, task: Task) -> list[str]:
    try:
        return step(task)
    except CncopError as error:
        return [error.message]
    except OSError as error:
        return [f"{error.filename or 'the system'}: {error.strerror}"]


def _reports(task: Task) -> list[str]:
    from cncopctl.verbs.deliver_reports import deliver_reports

    return deliver_reports(task.layout, datetime.now(UTC), task.days(), _say, task.debug)


def _mail(task: Task) -> list[str]:
    if not task.layout.mail.is_dir() or not any(task.layout.mail.iterdir()):
        return []
    from cncopctl.verbs.send_mails import send_mails  # most passes have none to send

    mailing = send_mails(task.layout, task.configuration().mail, datetime.now(UTC))
    for words in mailing.words:
        _say(words)
    task.debug(f"mail: {mailing.sent} sent, {mailing.waiting} wait, {mailing.given_up} given up")
    return []


def _expired(task: Task) -> list[str]:
    """What was given up stays as long as logs do, for whoever looks for it."""
    if not task.layout.expired.is_dir():
        return []
    from cncopctl.edges.mail_queue import forget_expired

    failed = forget_expired(task.layout.expired, time.time() - task.days() * 24 * 3600)
    return [f"{error.filename or task.layout.expired}: {error.strerror}" for error in failed]


# What leaves this machine, in this order; then what need not stay.
STEPS: tuple[Step, ...] = (_reports, _mail, _expired)


def _say(text: str) -> None:
    print(f"cncopreporter: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
