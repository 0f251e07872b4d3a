"""The telnet protocol, as much of it as a console needs: RFC 854, 855, 858, 860, 1073.

Bytes of any kind go in; what comes out is what the user typed, and signs such as an interrupt. The protocol never
fails: what cannot be understood is passed over, and what is asked for is refused unless it is known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
_EOF, _ABORT, _BREAK, _INTERRUPT, _ARE_YOU_THERE, _ERASE_CHARACTER, _ERASE_LINE = (
    236,
    238,
    243,
    244,
    246,
    247,
    248,
)
_TIMING_MARK, _WINDOW_SIZE = 6, 31

# A subnegotiation that is longer than this is none that we have asked for.
_LONGEST = 64

ASK_FOR_WINDOW_SIZE = bytes((IAC, DO, _WINDOW_SIZE))


class Sign(Enum):
    """What a telnet client says besides what the user types."""

    INTERRUPT = "interrupt"
    END = "end of input"
    ARE_YOU_THERE = "are you there"
    ERASE_CHARACTER = "erase character"
    ERASE_LINE = "erase line"


_SIGNS = {
    _EOF: Sign.END,
    _ABORT: Sign.INTERRUPT,
    _BREAK: Sign.INTERRUPT,
    _INTERRUPT: Sign.INTERRUPT,
    _ARE_YOU_THERE: Sign.ARE_YOU_THERE,
    _ERASE_CHARACTER: Sign.ERASE_CHARACTER,
    _ERASE_LINE: Sign.ERASE_LINE,
}


class Telnet:
    """One end of a telnet connection.

    `width` is the client's in columns, 0 while it is not known; `is_spoken` tells whether the client has ever said
    anything in telnet; `replies` is what has to be sent, and is emptied by `take_replies`.
    """

    def __init__(self) -> None:
        self.width = 0
        self.is_spoken = False
        self._asked = False
        self._pending = b""
        self._replies = b""

    def ask_for_width(self) -> bytes:
        """What asks the client for its window's size, which it answers at once; b"" if it was asked before."""
        if self._asked:
            return b""
        self._asked = True
        return ASK_FOR_WINDOW_SIZE

    @property
    def owes_width(self) -> bool:
        """Whether the client was asked for its window's size, and has not answered yet."""
        return self._asked and not self.is_spoken

    def take_replies(self) -> bytes:
        """What the client is owed for what it has said so far."""
        replies, self._replies = self._replies, b""
        return replies

    def feed(self, data: bytes) -> Iterator[bytes | Sign]:
        """What `data`, which may end anywhere, adds to what was typed."""
        data = self._pending + data
        self._pending = b""
        while data:
            text, mark, rest = data.partition(b"\xff")
            if text:
                yield text
            if not mark:
                return
            used, found = self._command(rest)
            if used < 0:
                self._pending = mark + rest
                return
            if found is not None:
                yield found
            data = rest[used:]

    def _command(self, rest: bytes) -> tuple[int, bytes | Sign | None]:
        """What follows an IAC: how many bytes it takes (-1 where they have not all come), and what it is."""
        if not rest:
            return -1, None
        self.is_spoken = self.is_spoken or rest[0] != IAC
        if rest[0] == IAC:
            return 1, b"\xff"
        if rest[0] == SB:
            return self._subnegotiation(rest), None
        if rest[0] in (WILL, WONT, DO, DONT):
            if len(rest) < 2:
                return -1, None
            self._negotiate(rest[0], rest[1])
            return 2, None
        return 1, _SIGNS.get(rest[0])

    def _subnegotiation(self, rest: bytes) -> int:
        """The length of `SB … IAC SE`. One that is too long is taken for text from there on.

        Looked at is no more than an answer of ours may take: whoever sends nothing but beginnings shall not
        have us search all that follows for each of them.
        """
        near = rest[: _LONGEST + 1]
        end = near.find(b"\xff\xf0")
        # An IAC in it is doubled: the one before SE must not be the second of a pair.
        while end > 0 and (end - len(near[:end].rstrip(b"\xff"))) % 2:
            end = near.find(b"\xff\xf0", end + 1)
        if end < 0:
            return 1 if len(rest) > _LONGEST else -1
        body = rest[1:end].replace(b"\xff\xff", b"\xff")
        if len(body) == 5 and body[0] == _WINDOW_SIZE:
            self.width = int.from_bytes(body[1:3], "big")
        return end + 2

    def _negotiate(self, verb: int, option: int) -> None:
        """RFC 855: agree or refuse once, and never answer what changes nothing, lest two parties go on for ever."""
        match verb, option:
            case (253, 6):  # a mark in what we send, after which a client shows it again (RFC 860)
                self._reply(WILL, option)
            case (251, 31):
                self._accept_window_size()
            case (253, _):
                self._reply(WONT, option)
            case (251, _):
                self._reply(DONT, option)
            case _:
                return  # what it will not do, or wants us not to do, we do not expect nor do

    def _accept_window_size(self) -> None:
        if not self._asked:
            self._reply(DO, _WINDOW_SIZE)
        self._asked = True

    def _reply(self, verb: int, option: int) -> None:
        self._replies += bytes((IAC, verb, option))


class Lines:
    """What was typed, cut into lines: LF, CR LF, CR NUL (RFC 854) and CR alone end one.

    A line that is longer than `longest` bytes comes out as its first part, with True for "too long".
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._line = bytearray()
        self._after_return = False
        self._is_too_long = False

    @property
    def begun(self) -> bytes:
        """What has come of the line that has not ended yet."""
        return bytes(self._line)

    def feed(self, text: bytes) -> Iterator[tuple[bytes, bool]]:
        """The lines that end in `text`."""
        if self._after_return and text:
            self._after_return = False
            text = text[1:] if text[0] in b"\n\0" else text
        if text.endswith(b"\r"):
            self._after_return = True
        text = text.replace(b"\r\n", b"\n").replace(b"\r\0", b"\n").replace(b"\r", b"\n")
        *ended, rest = text.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._end()
        self._add(rest)

    def finish(self) -> Iterator[tuple[bytes, bool]]:
        """The line that the end of the input has ended, if there is one."""
        if self._line:
            yield self._end()

    def erase_character(self) -> None:
        """Forget the last character; in UTF-8 that may be several bytes."""
        while self._line and self._line[-1] & 0xC0 == 0x80:
            self._line.pop()
        del self._line[-1:]

    def erase_line(self) -> None:
        """Forget what has come of the line."""
        self._line.clear()
        self._is_too_long = False

    def _add(self, part: bytes) -> None:
        room = self._longest - len(self._line)
        self._is_too_long = self._is_too_long or len(part) > room
        self._line += part[:room]

    def _end(self) -> tuple[bytes, bool]:
        line = bytes(self._line), self._is_too_long
        self.erase_line()
        return line
