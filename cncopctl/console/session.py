"""A session: read a line, answer it, prompt again."""

from __future__ import annotations

import importlib
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cncopctl.console.channel import (
    Channel,
    ForeignError,
    GoneError,
    InterruptError,
    Line,
    SilentError,
)
from cncopctl.console.user import User, may_still_change
from cncopctl.core.configuration import Console
from cncopctl.core.console import MOST_BYTES, Request, parse_line, wants_json
from cncopctl.core.errors import CncopError, UsageError
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout, Scope

if TYPE_CHECKING:
    from cncopctl.edges.systemd import Systemd

PROMPT = "cncop> "

# Characters of what was typed, and of all that is told of it: an entry that is too large is none (the journal's
# native protocol takes what fits into a datagram).
_MOST_OF_COMMAND, _MOST_OF_NOTE = 1000, 8000

# Which module answers which command; each is imported when it is asked for.
_ANSWERS = {
    "RUNJOB": "runjob",
    "SCHEDULES": "schedules",
    "DETAILS": "details",
    "GETPROFILE": "getprofile",
    "REREGISTER": "getprofile",
    "STOPSERVER": "stopserver",
    "HELP": "help",
}


class StoppedError(Exception):
    """systemd stops this session: cncop.target, or the machine, goes down."""


class Session:
    """One user's conversation with one installation. Answers find all that they need in it."""

    def __init__(
        self, layout: Layout, console: Console, user: User, channel: Channel, *, debug: bool
    ) -> None:
        self.layout, self.user, self.channel = layout, user, channel
        self._console, self._debug = console, debug
        self._is_noted = False

    def hold(self) -> int:
        """Answer until the user leaves; the exit status, which is 0 unless we have a bug.

        Raises:
            GoneError: the user has left without a word.
        """
        signal.signal(signal.SIGTERM, _stop)
        try:
            self._converse()
            self.outlive_stop()
        except ForeignError:
            return 0  # at once, and without a word: a web page shall learn nothing
        except SilentError:
            self.outlive_stop()
            self.channel.send("\nNothing was said for too long: the session ends.\n")
        except StoppedError:
            self.channel.hurry()
            self.channel.send("\nThe console was stopped: the session ends.\n")
        except (GoneError, CncopError):
            raise
        except Exception:  # noqa: BLE001 - the last word on what we did not foresee
            traceback.print_exc()
            self.channel.send("This is a bug of the console; the journal has more. The session ends.\n")
            self.channel.flush()
            return 1
        self.channel.flush()
        return 0

    def _converse(self) -> None:
        while True:
            if self.channel.is_prompted:
                self.channel.send(PROMPT)
            try:
                line = self.channel.read_line()
                if line is None or not self._answer(line):
                    return
            except (InterruptError, KeyboardInterrupt):
                self.channel.send("\n")

    def _answer(self, line: Line) -> bool:
        """Answer `line`; False where it ends the session."""
        began = time.monotonic()
        as_json = wants_json(line.text)
        try:
            request = self._understand(line)
            if request is None:
                return True
            if request.command.name == "QUIT":
                self.channel.send("Goodbye.\n")
                return False
            self._allow(request)
            module = importlib.import_module(f"cncopctl.console.{_ANSWERS[request.command.name]}")
            with self._noted(request):
                goes_on: bool = module.answer(self, request)
        except CncopError as error:
            self.say_error(error.message, error.hint, as_json=as_json)
            return True
        except OSError as error:
            self.say_error(f"{error.filename or 'the system'}: {error.strerror}", "", as_json=as_json)
            return True
        if self._debug:
            took = time.monotonic() - began
            print(f"uid {self.user.uid}: {printable(line.text)}: {took:.3f} s", file=sys.stderr)
        return goes_on

    @staticmethod
    def _understand(line: Line) -> Request | None:
        if line.is_too_long:
            raise UsageError("the line is too long", f"a line has at most {MOST_BYTES} bytes")
        return parse_line(line.text)

    def _allow(self, request: Request) -> None:
        """Refuse what the user may not do.

        Raises:
            UsageError: it is not allowed.
        """
        if not request.command.changes or may_still_change(self.layout, self._console, self.user):
            return
        self.note(request, "refused", "may only look")
        who = f"root and members of group {self._console.group}" if self._console.group else "root"
        raise UsageError(f"{self.user.name} may not use {request.command.name}", f"{who} may")

    @contextmanager
    def _noted(self, request: Request) -> Iterator[None]:
        """See to it that a changing command is in the journal however it ends."""
        self._is_noted = not request.command.changes
        try:
            yield
        except (GoneError, InterruptError, StoppedError):
            if not self._is_noted:
                self.note(request, "not waited for")
            raise
        except Exception as error:
            if not self._is_noted:
                self.note(request, "failed", str(error))
            raise

    @contextmanager
    def systemd(self) -> Iterator[Systemd]:
        """A connection to the manager that runs the jobs.

        Raises:
            UsageError: this installation has none.
            SystemdError: it does not answer.
        """
        if self.layout.scope is Scope.DIRECTORY:
            raise UsageError("an installation under --root has no systemd", "use --system or --user")
        from cncopctl.edges.systemd import Systemd

        with Systemd(user=self.layout.scope is Scope.USER) as systemd:
            yield systemd

    def systemctl(self, words: str) -> str:
        """How a person tells systemd something about these units."""
        return f"systemctl {'--user ' if self.layout.scope is Scope.USER else ''}{words}"

    def say(self, text: str) -> None:
        """Say one thing, on as many lines as it has."""
        self.channel.send_lines([printable(line) for line in text.splitlines()])

    def say_json(self, document: dict[str, Any]) -> None:
        """Answer with one line of JSON."""
        self.channel.send(json.dumps(document) + "\n")

    def say_error(self, message: str, hint: str, *, as_json: bool) -> None:
        """Say what is wrong and what to do about it."""
        if as_json:
            self.say_json({"error": message, "hint": hint})
            return
        self.say(f"error: {message}")
        if hint:
            self.say(f"hint: {hint}")

    def note(self, request: Request, outcome: str, detail: str = "") -> None:
        """Put a changing command into the journal: who, what, and what became of it."""
        from cncopctl.edges.journal import CONSOLE_COMMAND, Journal

        self._is_noted = True
        words = [request.command.name, *(f"-{flag}" for flag in sorted(request.flags)), *request.words]
        command = _shortened(" ".join(words), _MOST_OF_COMMAND)
        fields = {
            "MESSAGE_ID": CONSOLE_COMMAND,
            "CNCOP_UID": str(self.user.uid),
            "CNCOP_USER": self.user.name,
            "CNCOP_COMMAND": command,
            "CNCOP_OUTCOME": outcome,
        }
        said = f"console: {self.user.name} (uid {self.user.uid}): {command}: {outcome}"
        journal = Journal(fields)
        told = _shortened(f"{said}: {detail}" if detail else said, _MOST_OF_NOTE)
        journal.send(told, 4 if outcome == "refused" else 5)
        journal.close()

    def outlive_stop(self) -> None:
        """Let a stop of this session wait: its last answer is about it."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _shortened(text: str, most: int) -> str:
    """`text` for the journal, with a sign where it was longer: what is left out is not to look as if it were not."""
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _stop(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedError
