"""Lines of a run's log: how a program's output becomes lines that harm nobody, how they are written and read.

    2026-11-21 02:30:00+0100 info  agent: 1,204 files copied

What others print may be anything: without an end, not UTF-8, made to drive terminals. A line of it is cut at
LONGEST bytes and says how much was cut; bytes that are no UTF-8 and control characters are written as escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from cncopctl.core.faults import printable
from cncopctl.core.outcome import Outcome

# The longest path that Linux takes has 4,096 bytes; journald cuts lines of its own at 48 KiB (journald.conf(5)).
LONGEST = 8192

# Who speaks: the dispatcher, the job's agent; user commands go by the name of their key in the profile.
OURS, AGENT = "cncop", "agent"

# Compiled when they are first needed: the dispatcher only writes.
_LINE = r"(?s)(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}(?:\d\d)?) (info|note|warn|error) +([a-z_]+): (.*)"
_BEGIN = r"run (\S+) of (\S+) \((.*)\) begins"
_END = rf"(\S+): ({'|'.join(Outcome)}): (.*)"


class Level(IntEnum):
    """How much a line matters, by the numbers of syslog(3), which the journal takes."""

    ERROR = 3
    WARN = 4
    NOTE = 5
    INFO = 6

    @classmethod
    def of(cls, outcome: Outcome | None) -> Level:
        """How much the end of a run matters."""
        if outcome is None or outcome.is_failure():
            return cls.ERROR
        return cls.INFO if outcome is Outcome.OK else cls.NOTE


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: when it was written (aware), how much it matters, who said it and what."""

    at: datetime
    level: Level
    source: str
    text: str

    def __str__(self) -> str:
        """The line as the log has it, without its end."""
        return f"{self.at:%Y-%m-%d %H:%M:%S%z} {self.level.name.lower():<5} {self.source}: {self.text}"


def parse_line(line: str) -> LogLine | None:
    """The line of a log that `line` (without its end) is; None for anything else."""
    found = re.fullmatch(_LINE, line)
    if not found:
        return None
    at = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S%z")
    return LogLine(at, Level[found[2].upper()], found[3], found[4])


def begin_text(run_id: str, job_id: str, title: str) -> str:
    """The text of the line with which a run's log begins."""
    return f"run {run_id} of {job_id} ({title}) begins"


def parse_begin(line: LogLine) -> tuple[str, str, str] | None:
    """Run id, job id and title, where it is the first line of a run's log."""
    found = re.fullmatch(_BEGIN, line.text) if line.source == OURS else None
    return (found[1], found[2], found[3]) if found else None


def end_text(job_id: str, outcome: Outcome | None, phrase: str) -> str:
    """The text of the line that says how a run ended."""
    return f"{job_id}: {outcome}: {phrase}"


def parse_end(line: LogLine) -> tuple[str, Outcome, str] | None:
    """Job id, outcome and phrase, where the line says how a run ended."""
    found = re.fullmatch(_END, line.text) if line.source == OURS else None
    return (found[1], Outcome(found[2]), found[3]) if found else None


class Lines:
    """Cuts a stream of bytes into lines fit for a log, in bounded memory; empty ones are left out."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._kept = bytearray()
        self._cut = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that end within `data`."""
        *ends, rest = data.split(b"\n")
        lines = []
        for part in ends:
            self._take(part)
            lines += self.rest()
        self._take(rest)
        return lines

    def rest(self) -> list[str]:
        """What is left of a line that has not ended; nothing where there is none."""
        data, cut = bytes(self._kept), self._cut
        self._kept.clear()
        self._cut = 0
        if cut:
            whole = cut_at_character(data)
            return [f"{_readable(whole)} [{cut + len(data) - len(whole):,} more bytes were cut]"]
        text = _readable(data.removesuffix(b"\r"))
        return [text] if text else []

    def _take(self, part: bytes) -> None:
        room = self._longest - len(self._kept)
        self._kept += part[:room]
        self._cut += max(0, len(part) - room)


def _readable(data: bytes) -> str:
    return visible(data.decode("utf-8", "backslashreplace"))


def visible(text: str) -> str:
    """`text` with everything that could drive a terminal written as an escape; tabs stay."""
    if text.isprintable():
        return text
    return "\t".join(printable(part) for part in text.split("\t"))


def cut_at_character(data: bytes) -> bytes:
    """`data` without the beginning of a UTF-8 character at its end, of which the rest is missing."""
    for back, byte in enumerate(reversed(data[-3:]), 1):
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if length > back else data
        if byte < 0x80:
            break
    return data
