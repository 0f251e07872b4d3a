"""Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02): those that a survey of a tree needs."""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 3


class Kind(IntEnum):
    """Types of packets (section 3)."""

    INIT = 1
    VERSION = 2
    CLOSE = 4
    OPENDIR = 11
    READDIR = 12
    REALPATH = 16
    STAT = 17
    READLINK = 19
    STATUS = 101
    HANDLE = 102
    NAME = 104
    ATTRS = 105


class Status(IntEnum):
    """Codes of STATUS packets (section 7) that mean something to a survey."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4


class PacketError(ValueError):
    """What came is no packet of this protocol."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a server says of a file (section 5); None for what it leaves out."""

    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    mtime: int | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.mode is not None and stat.S_ISDIR(self.mode)


_ALL, _ALL_FIELDS = 0xF, struct.Struct(">QIIIII")
"""What nearly all servers send of nearly all files, read in one go: there may be very many."""


@dataclass(frozen=True, slots=True)
class Named:
    """One entry of a NAME packet."""

    name: bytes
    attributes: Attributes


def request(kind: Kind, number: int, argument: bytes) -> bytes:
    """A packet that asks one thing of one path or handle; for INIT the number is the version."""
    body = struct.pack(">BI", kind, number)
    body += b"" if kind is Kind.INIT else struct.pack(">I", len(argument)) + argument
    return struct.pack(">I", len(body)) + body


class Reader:
    """Reads the fields of one packet in order.

    Raises:
        PacketError: a field goes beyond the packet's end.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def _unpack(self, form: str) -> int:
        try:
            (value,) = struct.unpack_from(form, self._body, self._at)
        except struct.error as error:
            raise PacketError("a packet ends too early") from error
        self._at += struct.calcsize(form)
        return int(value)

    def byte(self) -> int:
        """An unsigned byte."""
        return self._unpack(">B")

    def number(self) -> int:
        """An unsigned number of 32 bits."""
        return self._unpack(">I")

    def text(self) -> bytes:
        """A string."""
        length = self.number()
        if self._at + length > len(self._body):
            raise PacketError("a string goes beyond its packet")
        self._at += length
        return self._body[self._at - length : self._at]

    def attributes(self) -> Attributes:
        """An ATTRS field."""
        flags = self.number()
        if flags == _ALL and self._at + _ALL_FIELDS.size <= len(self._body):
            all_size, owner, group, all_mode, _, modified = _ALL_FIELDS.unpack_from(self._body, self._at)
            self._at += _ALL_FIELDS.size
            return Attributes(all_size, owner, group, all_mode, modified)
        size = self._unpack(">Q") if flags & 0x1 else None
        uid, gid = (self.number(), self.number()) if flags & 0x2 else (None, None)
        mode = self.number() if flags & 0x4 else None
        _accessed, mtime = (self.number(), self.number()) if flags & 0x8 else (None, None)
        if flags & 0x80000000:
            for _ in range(self.number()):
                self.text()
                self.text()
        return Attributes(size, uid, gid, mode, mtime)

    def names(self) -> list[Named]:
        """The entries of a NAME packet."""
        found = []
        for _ in range(self.number()):
            name = self.text()
            self.text()  # the line that ls would print
            found.append(Named(name, self.attributes()))
        return found
