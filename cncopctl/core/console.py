"""The console's language: its commands, how they are abbreviated, and what a line means.

From the original manual: commands are case-insensitive, and each may be abbreviated to a unique prefix, but for
STOPSERVER, "to remove ambiguity". The manual once calls that one SHUTDOWN, so that word is taken for it, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cncopctl.core.errors import UsageError
from cncopctl.core.faults import shown

# The longest line that is understood, in bytes, without its end.
MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words in a call, what it does, its flags, and whether it changes anything.

    `is_abbreviable` says whether a prefix is enough; `has_jobs` whether words that are no flags name jobs.
    """

    name: str
    usage: str
    summary: str
    text: str = ""
    flags: str = ""
    changes: bool = False
    is_abbreviable: bool = True
    takes: str = ""


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "RUNJOB",
            "RUNJOB [-a] [-f] [-w] [-j] [JOB]...",
            "Run jobs now.",
            "JOB is the id of a job, or its title, in quotes if it has spaces. Tells at once which were started, "
            "which are running already and which are unknown.\n"
            "-a  all jobs\n"
            "-f  also jobs that are paused\n"
            "-w  wait for their ends, and show how they come on; Ctrl-C ends the waiting, not the jobs\n"
            "-j  answer with one line of JSON\n"
            'Example: RUNJOB -w web-01 "Web server, nightly"',
            flags="afwj",
            changes=True,
            takes="jobs",
        ),
        Command(
            "SCHEDULES",
            "SCHEDULES [-j]",
            "Show when tasks and jobs run next, and how they ended last.",
            "In the order of their next runs. IN is the time that is left.\n-j  answer with one line of JSON",
            flags="j",
        ),
        Command(
            "DETAILS",
            "DETAILS [-j]",
            "Show what runs now, and what waits for what.",
            "Since when, which attempt, how far it has come, and when it will probably end, by the median of "
            "its last runs.\n-j  answer with one line of JSON",
            flags="j",
        ),
        Command(
            "GETPROFILE",
            "GETPROFILE [-j]",
            "Fetch the profile from the hub, then make the timers match it.",
            "Tells which jobs were added, changed and removed.\n-j  answer with one line of JSON",
            flags="j",
            changes=True,
        ),
        Command(
            "REREGISTER",
            "REREGISTER [-j]",
            "Fetch profile and role from the hub, then make the timers match.",
            "Tells which jobs were added, changed and removed.\n-j  answer with one line of JSON",
            flags="j",
            changes=True,
        ),
        Command(
            "STOPSERVER",
            "STOPSERVER [-j]",
            "Stop all timers, all running jobs and this console.",
            "Must be written in full. No job runs until an administrator starts cncop.target again.\n"
            "-j  answer with one line of JSON",
            flags="j",
            changes=True,
            is_abbreviable=False,
        ),
        Command(
            "HELP",
            "HELP [-j] [COMMAND]",
            "Show this summary, or all about one command.",
            "-j  answer with one line of JSON",
            flags="j",
            takes="command",
        ),
        Command("QUIT", "QUIT", "End this session."),
    )
}

# Whole words for those who are used to them; they abbreviate nothing and stand in the way of no prefix.
ALIASES = {"SHUTDOWN": "STOPSERVER", "EXIT": "QUIT", "LOGOUT": "QUIT", "?": "HELP"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a line asks for: a command, its flags in lower case, and its other words as they were written."""

    command: Command
    flags: frozenset[str]
    words: tuple[str, ...]

    @property
    def as_json(self) -> bool:
        """Whether the answer is to be one line of JSON."""
        return "j" in self.flags


def parse_line(line: str) -> Request | None:
    """What `line` asks for; None where it is empty.

    Raises:
        UsageError: it is no command, is ambiguous, or is not written as the command wants it.
    """
    words = _split(line)
    if not words:
        return None
    command = find_command(words[0])
    flags, others = _flags(command, words[1:])
    if others and not command.takes:
        raise UsageError(f"{command.name} takes no words: {shown(others[0])}", f"write: {command.usage}")
    if command.takes == "command" and len(others) > 1:
        raise UsageError(f"{command.name} takes one command", f"write: {command.usage}")
    if command.takes == "jobs" and bool(others) == ("a" in flags):
        raise UsageError(
            "which jobs? all of them, or those that are named" if others else "which jobs?",
            f"name jobs, or take all of them: {command.name} -a",
        )
    return Request(command, flags, others)


def wants_json(line: str) -> bool:
    """Whether a line that may be faulty asks for JSON: then its fault is told in JSON as well."""
    return any(re.fullmatch(r"-[a-zA-Z]*[jJ][a-zA-Z]*", word) for word in line.split()[1:])


def find_command(word: str) -> Command:
    """The command that `word` is or begins.

    Raises:
        UsageError: there is none, or there are several.
    """
    given = word.upper()
    if found := COMMANDS.get(ALIASES.get(given, given)):
        return found
    begun = [name for name in COMMANDS if name.startswith(given)]
    meant = [name for name in begun if COMMANDS[name].is_abbreviable]
    if len(meant) == 1:
        return COMMANDS[meant[0]]
    if meant:
        raise UsageError(f"{shown(word)} is ambiguous", f"it begins {', '.join(meant)}")
    if begun:
        raise UsageError(f"there is no command {shown(word)}", f"{begun[0]} must be written in full")
    from cncopctl.core.faults import nearest

    near = nearest(word, [name for name in COMMANDS if COMMANDS[name].is_abbreviable])
    raise UsageError(f"there is no command {shown(word)}", f"did you mean {near}?" if near else "see: HELP")


def _split(line: str) -> list[str]:
    import shlex

    try:
        return shlex.split(line)
    except ValueError:
        # Also what shlex calls "No escaped character": a backslash at the end.
        raise UsageError(
            "a quotation is not closed", "close it, or write a backslash before a quote that is meant as such"
        ) from None


def _flags(command: Command, words: list[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    flags: set[str] = set()
    others: list[str] = []
    for number, word in enumerate(words):
        if word == "--":
            others += words[number + 1 :]
            break
        if len(word) > 1 and word.startswith("-"):
            flags |= _known(command, word)
        else:
            others.append(word)
    return frozenset(flags), tuple(others)


def _known(command: Command, word: str) -> set[str]:
    letters = set(word[1:].lower())
    if letters - set(command.flags):
        raise UsageError(f"{command.name} has no flag {shown(word)}", f"write: {command.usage}")
    return letters


_METHODS = rb"GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI"
_HTTP = re.compile(rb"(?:%b) +(?:/|\*|[a-z]+://|[\w.:\[\]-]+:\d+ )|.* HTTP/\d" % _METHODS, re.ASCII)
FOREIGN_BYTES = 10
"""So many bytes tell whether a session begins as one of another protocol."""

_TLS, _STUN = b"\x16\x03", b"\x21\x12\xa4\x42"


def is_http(line: bytes) -> bool:
    """Whether a line, or as much of it as has come, is of HTTP (RFC 9112, section 3): a browser's, not a person's.

    A web page can make a browser send a request to this port, with commands in its body. So a line that looks like
    a request ends the session, wherever it stands and however long it is.
    """
    return bool(_HTTP.match(line[:MOST_BYTES]))


def is_foreign(begin: bytes) -> bool:
    """Whether a session that begins so is of another protocol that a browser can be made to speak here.

    TLS (RFC 8446, section 5.1: a handshake record) and STUN (RFC 8489, section 5: the magic cookie), whose user name
    a web page chooses; between two browsers a length stands before it (RFC 6544, section 4.2, and RFC 4571).
    """
    return begin.startswith(_TLS) or _STUN in (begin[4:8], begin[6:10])
