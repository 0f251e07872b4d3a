"""An SFTP server that means harm, as sshd's subsystem: `hostile_sftp.py KIND FLAG` on stdin and stdout.

It shows a directory with one sound file, `sound`, and besides, by KIND,

    names       names that lead elsewhere, and a directory `..` with a file in it
    later       the same, but not on the first connection, for which the file FLAG is left as a sign
    deep        a directory in every directory, without end
    many        names without end
    grows       a file that never ends
    silent      a file whose content never comes
    hangs       a directory whose names never come
"""

from __future__ import annotations

import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

KIND, FLAG = sys.argv[1], Path(sys.argv[2])
SHOWS_EVIL = KIND == "names" or (KIND == "later" and FLAG.exists())
FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
CONTENT = b"sound\n"
EVIL = [
    (b"..", DIRECTORY),
    (b"x/..", DIRECTORY),
    (b"../evil", FILE),
    (b"/evil", FILE),
    (b"x/../../evil", FILE),
    (b".", DIRECTORY),
    (b"", FILE),
    (b"control \x1b]0;title\x07", FILE),
    (b"fifo", stat.S_IFIFO | 0o644),
    (b"device", stat.S_IFBLK | 0o666),
]


def text(words: bytes) -> bytes:
    return struct.pack(">I", len(words)) + words


def attributes(mode: int, size: int = len(CONTENT)) -> bytes:
    return struct.pack(">IQIII", 0x1 | 0x4 | 0x8, size, mode, 1_234_567_890, 1_234_567_890)


def listed(directory: bytes) -> Iterator[list[tuple[bytes, int]]]:
    """What a directory shows, in pieces."""
    inside_out = directory.rstrip(b"/").endswith((b"..", b"/x"))
    yield [(b"evil" if inside_out else b"sound", FILE)]
    if SHOWS_EVIL and not inside_out:
        yield EVIL
    elif KIND == "deep":
        yield [(b"d" * 200, DIRECTORY)]
    elif KIND in ("grows", "silent"):
        yield [(KIND.encode(), FILE)]
    number = 0
    while KIND == "many":
        yield [(b"%d" % (number + one), FILE) for one in range(1000)]
        number += 1000


def mode_of(path: bytes) -> int:
    name = path.rpartition(b"/")[2]
    return (
        FILE if name in (b"sound", b"evil", b"grows", b"silent") or name.startswith(b"control") else DIRECTORY
    )


class Server:
    def __init__(self) -> None:
        self.open: dict[bytes, bytes] = {}
        self.listings: dict[bytes, Iterator[list[tuple[bytes, int]]]] = {}

    def answer(self, kind: int, number: int, body: bytes) -> bytes | None:
        (length,) = struct.unpack_from(">I", body)
        path, rest = body[4 : 4 + length], body[4 + length :]
        match kind:
            case 16:  # REALPATH
                return b"h" + struct.pack(">II", number, 1) + text(path) + text(path) + attributes(DIRECTORY)
            case 7 | 17 | 8:  # LSTAT, STAT, FSTAT
                return b"i" + struct.pack(">I", number) + attributes(mode_of(self.open.get(path, path)))
            case 3 | 11:  # OPEN, OPENDIR
                handle = b"%d" % number
                self.open[handle] = path
                self.listings[handle] = listed(path)
                return b"f" + struct.pack(">I", number) + text(handle)
            case 12 if KIND == "hangs":
                return None
            case 12:  # READDIR
                if names := next(self.listings[path], None):
                    shown = b"".join(text(name) + text(name) + attributes(mode) for name, mode in names)
                    return b"h" + struct.pack(">II", number, len(names)) + shown
                return status(number, 1)
            case 5:  # READ
                return self.read(number, self.open[path], *struct.unpack(">QI", rest))
            case _:
                return status(number, 0 if kind == 4 else 8)

    @staticmethod
    def read(number: int, path: bytes, start: int, length: int) -> bytes | None:
        name = path.rpartition(b"/")[2]
        if name == b"silent":
            return None
        content = b"x" * length if name == b"grows" else CONTENT[start : start + length]
        return b"g" + struct.pack(">I", number) + text(content) if content else status(number, 1)


def status(number: int, code: int) -> bytes:
    return b"e" + struct.pack(">II", number, code) + text(b"") + text(b"")


def main() -> None:
    source, target, server = sys.stdin.buffer, sys.stdout.buffer, Server()
    while len(header := source.read(4)) == 4:
        packet = source.read(struct.unpack(">I", header)[0])
        if packet[0] == 1:  # INIT
            said: bytes | None = b"\x02" + struct.pack(">I", 3)
        else:
            said = server.answer(packet[0], struct.unpack_from(">I", packet, 1)[0], packet[5:])
        if said is not None:
            target.write(text(said))
            target.flush()


if __name__ == "__main__":
    FLAG.touch()
    main()
