"""Sending mail: what waits in the queue, for the reporter, and at once, for a person who waits."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cncopctl.core.configuration import Mail
from cncopctl.core.errors import CncopError
from cncopctl.core.layout import Layout
from cncopctl.core.log_line import Level
from cncopctl.core.mail import Letter
from cncopctl.edges.files import write_atomically
from cncopctl.edges.mail import MailConnection, MailError, MailServer, connect
from cncopctl.edges.mail_queue import MailQueue
from cncopctl.verbs.notifying import queued_document
from cncopctl.verbs.run_output import RunOutput

# Reports that are refused are kept as long.
TRIED_FOR = timedelta(days=5)

# How long a server may think about each of our words, in seconds.
PATIENCE = 30.0

# Each may take its time to fail: mail is not what a machine spends its day with.
_CONNECTIONS = 3

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Mailing:
    """What became of the mails: how many were sent, wait still and were given up.

    `words` has the news of those that tell of no single run; news of others are in the run's log and the journal.
    """

    sent: int = 0
    waiting: int = 0
    given_up: int = 0
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Queued:
    name: str
    letter: Letter
    failure: str


def mail_server(layout: Layout, settings: Mail, environment: Mapping[str, str] = os.environ) -> MailServer:
    """The mail server of cncop3.ini, with its password.

    Under systemd the password is where the unit's LoadCredential= has put it, else in the store.

    Raises:
        MailError: no server is set, or the password cannot be read.
    """
    if not settings.server:
        raise MailError("no mail server is set", f"set mail_server under [mail] in {layout.settings}")
    password = _password(layout, settings, environment) if settings.user else ""
    return MailServer(
        host=settings.server.strip("[]"),
        port=settings.port,
        security=settings.security,
        user=settings.user,
        password=password,
        credential=settings.credential,
        sender=settings.sender,
        ca_file=settings.ca_file,
    )


def _password(layout: Layout, settings: Mail, environment: Mapping[str, str]) -> str:
    if not settings.credential:
        hint = "name the credential with its password: mail_credential in cncop3.ini"
        raise MailError(f"mail_user {settings.user} has no password", hint)
    given = environment.get("CREDENTIALS_DIRECTORY")
    from cncopctl.verbs.credential_store import read  # under systemd it is not needed

    path = Path(given, settings.credential) if given else None
    hint = f"store it with: cncopctl credential set {settings.credential}"
    try:
        value = path.read_bytes() if path and path.exists() else read(layout, settings.credential)
        if password := value.decode().rstrip("\n"):
            return password
        raise ValueError("is empty")
    except CncopError as error:
        raise MailError(f"the password of {settings.user} cannot be read: {error.message}", hint) from error
    except (OSError, ValueError) as error:
        why = f"{path}: {error.strerror}" if isinstance(error, OSError) else "it is not text, or empty"
        raise MailError(f"the password of {settings.user} cannot be read: {why}", hint) from error


def send_letter(layout: Layout, settings: Mail, letter: Letter) -> None:
    """Send `letter` now.

    Raises:
        MailError: it was not sent, or not to all.
    """
    server = mail_server(layout, settings)
    _LOG.debug("mail to %s by %s (%s)", ", ".join(letter.to), server.place(), server.security)
    with connect(server) as connection:
        connection.send(letter)


def send_mails(layout: Layout, settings: Mail, now: datetime, patience: float = PATIENCE) -> Mailing:
    """Send all mail that waits; what fails is kept and tried again, for five days.

    Only the first failure of a mail and its end are news: a server that is away for a day is told once. No
    failure of a mail is raised. `patience` is how long an answer of the server may take, in seconds.

    Raises:
        OSError: the queue itself cannot be read or written.
    """
    mailing, queue = Mailing(), MailQueue(layout.mail)
    with queue.alone() as is_alone:
        if is_alone:
            waiting = [queued for name in queue.names() if (queued := _read(layout, queue, name, mailing))]
            if waiting:
                _send_all(_Round(layout, queue, now, mailing, patience), settings, waiting)
    return mailing


def _read(layout: Layout, queue: MailQueue, name: str, mailing: Mailing) -> _Queued | None:
    """The queued mail; one that nobody can read is put aside, lest it stay for ever."""
    try:
        document = queue.read(name)
        return _Queued(name, Letter.from_document(document["letter"]), str(document.get("failure", "")))
    except FileNotFoundError:
        return None  # somebody has taken it away
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        queue.give_up(name, layout.expired)
        mailing.given_up += 1
        mailing.words.append(f"{name} is no mail that can be read ({error}): moved to {layout.expired}")
        return None


def _send_all(this: _Round, settings: Mail, waiting: Sequence[_Queued]) -> None:
    """Send them by as few connections as will do; a server may end one after a mail that it dislikes."""
    rest, error = list(waiting), MailError("the mail server has ended too many connections")
    for _ in range(_CONNECTIONS):
        try:
            server = replace(mail_server(this.layout, settings), timeout=this.patience)
            with connect(server) as connection:
                while rest and this.send(connection, rest.pop(0)):
                    continue
        except MailError as refusal:
            error = refusal
            break
        if not rest:
            break
    for queued in rest:
        this.keep(queued, queued.letter, error)


@dataclass(frozen=True, slots=True)
class _Round:
    """One attempt to send all that waits."""

    layout: Layout
    queue: MailQueue
    now: datetime
    mailing: Mailing
    patience: float

    def send(self, connection: MailConnection, queued: _Queued) -> bool:
        """Whether the connection may be used again."""
        try:
            connection.send(queued.letter)
        except MailError as error:
            left = replace(queued.letter, to=error.refused) if error.refused else queued.letter
            self.keep(queued, left, error)
            return bool(error.refused)
        self.queue.remove(queued.name)
        self.mailing.sent += 1
        if queued.failure:
            self._tell(queued.letter, f"mail to {', '.join(queued.letter.to)} is sent after all")
        return True

    def keep(self, queued: _Queued, left: Letter, error: MailError) -> None:
        """Keep what is left of the mail for another time, or give it up."""
        whom = f"mail to {', '.join(left.to)}"
        if self.now - left.written > TRIED_FOR:
            self.queue.give_up(queued.name, self.layout.expired)
            self.mailing.given_up += 1
            self._tell(left, f"{whom} is given up after {TRIED_FOR.days} days: {error.message}")
            return
        self.mailing.waiting += 1
        if not queued.failure or left.to != queued.letter.to:
            self._write(queued.name, left, error.message)
            hint = f" ({error.hint})" if error.hint else ""
            self._tell(left, f"{whom} is not sent yet, and tried again: {error.message}{hint}")

    def _write(self, name: str, letter: Letter, failure: str) -> None:
        """Write it anew, without waking the reporter, who would fail again at once."""
        text = json.dumps(queued_document(letter, failure))
        write_atomically(self.layout.mail / name, text, 0o600)

    def _tell(self, letter: Letter, text: str) -> None:
        if letter.run:
            tell_run(letter.log, letter.job, letter.run, text, Level.WARN)
        else:
            self.mailing.words.append(text)


def tell_run(log: str, job: str, run: str, text: str, level: Level) -> None:
    """Say it in the log of a run that has ended, where that is ours to write, and in the journal as a word on it."""
    writable = log if log and os.access(log, os.W_OK) else ""
    with RunOutput.resume(writable, job, run) as output:
        output.say(text, level)
