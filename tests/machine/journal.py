"""The journal of a machine as a stream of entries."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

# Who ends a command of a machine from outside leaves a zombie in it, for which a shutdown waits.
UNTIL_INPUT_ENDS = '"$@" & read -r end; exec 2>/dev/null; kill $!; wait $!'


@dataclass(frozen=True)
class Entry:
    """One message, with its fields (systemd.journal-fields(7))."""

    fields: dict[str, Any]

    @property
    def message(self) -> str:
        """What was said; bytes that are not UTF-8 are shown escaped."""
        text = self.fields.get("MESSAGE") or ""
        return text if isinstance(text, str) else bytes(text).decode(errors="backslashreplace")

    @property
    def cursor(self) -> str:
        """The place of the entry in the journal."""
        return str(self.fields["__CURSOR"])


class Follower:
    """The entries of a journal as they come, from its beginning or after a cursor.

    `matches` narrow them as for journalctl (`UNIT=a.service`). Both are done here: where journalctl of systemd 252
    follows from a cursor on, it passes over the first entry that matches.

    Raises:
        TimeoutError: from the iteration, when the time is over.
    """

    def __init__(
        self, enter: Callable[..., list[str]], *matches: str, after: str | None = None, timeout: float
    ) -> None:
        self._wanted: dict[str, set[str]] = {}
        for match in matches:
            name, _, value = match.partition("=")
            self._wanted.setdefault(name, set()).add(value)
        self._after, self._read_so_far = after, 0
        self._deadline = time.monotonic() + timeout
        follow = ["journalctl", "--quiet", "--follow", "--no-tail", "--all", "--output=json"]
        argv = enter("sh", "-c", UNTIL_INPUT_ENDS, "sh", *follow)
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Iterator[Entry]:
        return filter(self._matches, self._entries())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()

    def _matches(self, entry: Entry) -> bool:
        return all(entry.fields.get(name) in values for name, values in self._wanted.items())

    def _entries(self) -> Iterator[Entry]:
        entries = self._all()
        if self._after is not None:
            next(entry for entry in entries if entry.cursor == self._after)
        yield from entries

    def _all(self) -> Iterator[Entry]:
        pending = b""
        while True:
            pending += self._read()
            *lines, pending = pending.split(b"\n")
            for line in lines:
                self._read_so_far += 1
                yield Entry(json.loads(line))

    def _read(self) -> bytes:
        if not self._process.stdout:
            raise ValueError("not a pipe")
        left = self._deadline - time.monotonic()
        if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
            raise TimeoutError(f"{self._read_so_far} messages of the journal, but not what was to come")
        if block := os.read(self._process.stdout.fileno(), 65536):
            return block
        raise RuntimeError("journalctl ended")


class End:
    """How PID 1 says that a unit has ended (systemd/sd-messages.h)."""

    SUCCESS = "7ad2d189f7e94e70a38c781354912448"
    FAILURE = "d9b373ed55a64feb8242e02dbe79a49c"
    SKIPPED = "0e4284a0caca4bfc81c0bb6786972673"

    @classmethod
    def matches(cls, unit: str) -> list[str]:
        """What selects such messages; journalctl takes alternatives for one field as any of them."""
        return [f"UNIT={unit}", *(f"MESSAGE_ID={end}" for end in (cls.SUCCESS, cls.FAILURE, cls.SKIPPED))]

    @classmethod
    def result(cls, entry: Entry) -> str:
        """The unit's Result= property."""
        if entry.fields["MESSAGE_ID"] == cls.SUCCESS:
            return "success"
        return str(entry.fields["UNIT_RESULT"])
