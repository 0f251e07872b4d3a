"""The two ends of a conversation: lines come in, text goes out, and nobody can make us wait or remember too much."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator

from cncopctl.core.console import FOREIGN_BYTES, MOST_BYTES, is_foreign, is_http
from cncopctl.core.console_telnet import Lines, Sign, Telnet
from cncopctl.edges.peer import has_left

# What the kernel may keep for a reader who does not read, and what we may.
_SEND_BUFFER = 32 * 1024
_CHUNK = 8 * 1024

# Seconds that an answer may wait for its reader: in a row, and altogether.
_PATIENCE, _PATIENCE_IN_ALL = 15.0, 60.0
# The last words of a session that is stopped: who does not read shall not hold up a stop, or the machine's end.
_HURRY = 2.0

# Lines and bytes that may have come without having been asked for; more of them stay in the kernel.
_MOST_LINES = 100
_BLOCK = 4096

# A telnet client answers at once when it is asked how wide it is; who does not answer is no telnet client.
_PATIENCE_FOR_WIDTH = 0.5

NARROW = 80


class GoneError(Exception):
    """The other end has left, or does not read what it has asked for."""


class SilentError(Exception):
    """Nothing has come for as long as a session may be silent."""


class ForeignError(Exception):
    """What came is of a protocol that no person speaks: a browser's."""


class InterruptError(Exception):
    """The user does not want to wait any longer."""


class Line:
    """A line as it came: its bytes without the end, and whether there were more of them than are kept."""

    def __init__(self, content: bytes, *, is_too_long: bool) -> None:
        self.is_too_long = is_too_long
        self.text = content.decode("utf-8", "surrogateescape")


class Channel:
    """A conversation over `source` and `sink`, which are one socket, or a terminal or pipes.

    Raises:
        GoneError: from everything that sends.
        ForeignError: from everything that reads.
    """

    def __init__(self, source: int, sink: int, silence: float) -> None:
        self._source, self._sink, self._silence = source, sink, silence
        self._telnet = Telnet()
        self._lines = Lines(MOST_BYTES)
        self._waiting: deque[Line] = deque()
        self._output = bytearray()
        self._blocked, self._patience = 0.0, _PATIENCE
        self._begin = b""
        self._is_interrupted = False
        self._has_ended = False
        self.is_socket = _prepare(source)
        self.is_prompted = self.is_socket or os.isatty(source)
        if self.is_socket:
            os.set_blocking(sink, False)

    def width(self, *, ask: bool) -> int:
        """How many columns the other end shows: more than 80 only where it says so itself.

        With `ask`, a telnet client is asked. A client that is none gets three odd bytes by that, and only then.
        """
        if not self.is_socket:
            with contextlib.suppress(OSError):
                return max(os.get_terminal_size(self._sink).columns, NARROW)
            return NARROW
        if ask and not self._telnet.width and not self._waiting and not self._has_ended:
            self._ask_for_width()
        return max(self._telnet.width, NARROW)

    def _ask_for_width(self) -> None:
        """Ask, and wait a moment for the answer; whoever sends the next line meanwhile is no telnet client."""
        self._output += self._telnet.ask_for_width()
        self.flush()
        deadline = time.monotonic() + _PATIENCE_FOR_WIDTH
        while self._telnet.owes_width and not self._waiting and not self._has_ended:
            if not self._read(max(deadline - time.monotonic(), 0)):
                return

    def read_line(self) -> Line | None:
        """The next line; None when there will be none any more.

        Raises:
            SilentError: nothing came for too long.
            InterruptError: the user has given up what was being typed.
        """
        self.flush()
        self._blocked = 0.0
        while not self._waiting and not self._has_ended:
            if not self._read(self._silence):
                raise SilentError
            if self._is_interrupted and not self._waiting:
                self._is_interrupted = False
                raise InterruptError
        self._is_interrupted = False  # what came before a line does not concern it
        return self._waiting.popleft() if self._waiting else None

    def check(self) -> None:
        """Take in what has come while an answer is under way, without waiting for more.

        Whoever says nothing more may still listen, as `nc -N` does; whoever has closed the connection does not.

        Raises:
            InterruptError: the user does not want to wait any longer.
        """
        self.flush()
        while not self._has_ended and len(self._waiting) < _MOST_LINES and self._read(0):
            pass
        if self._has_ended and self.is_socket and _is_deserted(self._source):
            raise GoneError
        if self._is_interrupted:
            self._is_interrupted = False
            raise InterruptError

    def send(self, text: str) -> None:
        """Send `text`, whose lines end in newlines."""
        if self.is_socket:
            text = text.replace("\n", "\r\n")
        self._output += text.encode("utf-8", "backslashreplace")
        if len(self._output) >= _CHUNK:
            self.flush()

    def send_lines(self, lines: Iterator[str] | list[str]) -> None:
        """Send each of `lines`, as they are made: what the reader does not take is not made either."""
        for line in lines:
            self.send(f"{line}\n")

    def hurry(self) -> None:
        """From now on nobody is waited for who does not read."""
        self._patience = _HURRY

    def flush(self) -> None:
        """Return when everything is on its way."""
        while self._output:
            try:
                sent = os.write(self._sink, self._output[:_CHUNK])
            except BlockingIOError:
                self._wait_for_reader()
            except OSError as error:
                raise GoneError from error
            else:
                del self._output[:sent]

    def _wait_for_reader(self) -> None:
        poll = select.poll()
        poll.register(self._sink, select.POLLOUT)
        began = time.monotonic()
        is_ready = poll.poll(min(self._patience, _PATIENCE_IN_ALL - self._blocked) * 1000)
        self._blocked += time.monotonic() - began
        if not is_ready or self._blocked >= _PATIENCE_IN_ALL:
            raise GoneError

    def _read(self, seconds: float) -> bool:
        """Take in what comes within so many seconds; False where nothing does."""
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        try:
            data = os.read(self._source, _BLOCK)
        except BlockingIOError:
            return False
        except OSError as error:
            if self.is_socket:
                raise GoneError from error  # reset: half a line that came before it is no command
            data = b""
        if data:
            self._take(data)
        else:
            self._end()
        return True

    def _take(self, data: bytes) -> None:
        if len(self._begin) < FOREIGN_BYTES:
            self._begin += data[:FOREIGN_BYTES]
            if is_foreign(self._begin):
                raise ForeignError
        if not self.is_socket:
            self._add(data)
            return
        for part in self._telnet.feed(data):
            if isinstance(part, bytes):
                self._add(part)
            else:
                self._obey(part)
        self._output += self._telnet.take_replies()
        self.flush()

    def _add(self, text: bytes) -> None:
        for content, is_too_long in self._lines.feed(text):
            self._keep(content, is_too_long=is_too_long)
        if is_http(self._lines.begun):
            raise ForeignError

    def _keep(self, content: bytes, *, is_too_long: bool) -> None:
        if is_http(content):
            raise ForeignError
        if b"\x03" in content:  # Ctrl-C of a client that sends characters as they are typed
            self._is_interrupted = True
            content = content.rpartition(b"\x03")[2]
        self._waiting.append(Line(content, is_too_long=is_too_long))

    def _obey(self, sign: Sign) -> None:
        match sign:
            case Sign.INTERRUPT:
                # What was typed before is not wanted any more (RFC 854: "suspend, interrupt, abort").
                self._lines.erase_line()
                self._waiting.clear()
                self._is_interrupted = True
            case Sign.END:
                self._end()
            case Sign.ARE_YOU_THERE:
                self._output += b"\r\n[cncop: yes]\r\n"
            case Sign.ERASE_CHARACTER:
                self._lines.erase_character()
            case Sign.ERASE_LINE:
                self._lines.erase_line()

    def _end(self) -> None:
        self._has_ended = True
        for content, is_too_long in self._lines.finish():
            self._keep(content, is_too_long=is_too_long)


def _prepare(descriptor: int) -> bool:
    """Whether it is a TCP socket, which is made ready for us if so."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                return connection.family == socket.AF_UNIX
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            # Telnet's urgent data mark (RFC 854, Synch) would otherwise leave a hole in what we read.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    except OSError:
        return False
    return True


def _is_deserted(descriptor: int) -> bool:
    """Whether nobody has the other end of the socket any more."""
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        return has_left(connection)
