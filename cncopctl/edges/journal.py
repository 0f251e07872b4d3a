"""The journal: messages with fields, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from collections.abc import Mapping

_SOCKET = "/run/systemd/journal/socket"
# journald takes what we send at once; one that hangs shall not hold up a backup.
_PATIENCE = 10.0
_STDERR = 2
_MOMENT_MS = 1000

RUN_ENDED = "083e73b0efbf4b1cad4b87a1a1e727aa"
CONSOLE_COMMAND = "5eea286c27dd4b0b99da6d95658e0522"


class Journal:
    """Where a run's messages go: to the journal, with `fields` on each, if it is what stderr leads to.

    Elsewhere, as in a terminal or where journald does not answer, they go to stderr as plain lines.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {"SYSLOG_IDENTIFIER": "cncop", **fields}
        self._socket = _connected() if _leads_to_journal(_STDERR) else None

    def send(self, message: str, priority: int, fields: Mapping[str, str] | None = None) -> None:
        """Send one message; `priority` is syslog's. It is lost where nobody takes it: a backup matters more."""
        entry = {"MESSAGE": message, "PRIORITY": str(priority), **self._fields, **(fields or {})}
        if self._socket:
            try:
                self._socket.send(_serialised(entry))
                return
            except OSError:
                self.close()
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"{message}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Return when journald has taken everything, and close.

        It looks up the unit of a sender when it reads a message: from one who has ended by then, the message
        belongs to no unit. A socket with the smallest buffer is writable again only when all it sent was read.
        """
        if not self._socket:
            return
        with self._socket as channel, contextlib.suppress(OSError):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            poll = select.poll()
            poll.register(channel, select.POLLOUT)
            poll.poll(_MOMENT_MS)
        self._socket = None


def _leads_to_journal(descriptor: int) -> bool:
    """Whether systemd has connected it to the journal: $JOURNAL_STREAM tells device and inode (systemd.exec(5))."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _connected() -> socket.socket | None:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        channel.settimeout(_PATIENCE)
        channel.connect(_SOCKET)
    except OSError:
        channel.close()
        return None
    return channel


def _serialised(entry: Mapping[str, str]) -> bytes:
    parts = []
    for name, text in entry.items():
        value = text.encode("utf-8", "backslashreplace")
        if b"\n" in value:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts)
