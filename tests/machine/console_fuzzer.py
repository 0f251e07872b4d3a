#!/usr/bin/python3
"""Floods of the console, to be run in a machine.

    console_fuzzer.py fuzz NUMBER [FIRST] | burst NUMBER | slow-readers NUMBER
    console_fuzzer.py wait-until-quiet

Each ends with status 0 when it has done all of it, whatever the console made of it; a session that hangs fails it.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

PORT, PATIENCE = 59153, 120
WORDS = [
    b"HELP", b"sched", b"SCHEDULES -j", b"DETAILS", b"RUNJOB", b"RUNJOB nonsense", b"RUNJOB -j '", b"help runjob",
    b"QUIT", b"stop", b"r", b"\xff\xf4", b"\xff\xfd\x06", b"\xff\xfb\x1f\xff\xfa\x1f\x00\x00\x00\x00\xff\xf0",
    b"\xff\xfa" + b"x" * 200, b"\xff", b"\xff\xff", b"\x00", b"\x03", b"\x1b[2J", b"\xc3\x28", b"GET / HTTP/1.0",
    b"\x16\x03\x01", b"-j", b"--", b"\\", b'"', b" ", b"\t", b"a" * 5000, b"\xf0\x9f\x97\x84",
]  # fmt: skip
ENDS = [b"\r\n", b"\n", b"\r", b"\r\0", b"", b"\n\n\n"]


@contextlib.contextmanager
def unless_it_hangs() -> Iterator[None]:
    """A console may end a session whenever it likes, but has to do something."""
    try:
        yield
    except TimeoutError:
        raise
    except OSError:
        return


def session(seed: int) -> None:
    """One session of random words and bytes, which ends in one of the ways in which sessions end."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    host = chance.choice(["127.0.0.1", "::1"])
    with unless_it_hangs(), socket.create_connection((host, PORT), PATIENCE) as connection:
        connection.settimeout(PATIENCE)
        for _ in range(chance.randrange(8)):
            word = chance.choice([chance.choice(WORDS), chance.randbytes(chance.randrange(100))])
            connection.sendall(word + chance.choice(ENDS), socket.MSG_OOB if chance.random() < 0.02 else 0)
            if chance.random() < 0.3 and select.select([connection], [], [], 0.1)[0]:
                connection.recv(chance.randrange(1, 5000))
        end(connection, chance.choice(["close", "reset", "half", "quit"]))


def end(connection: socket.socket, how: str) -> None:
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how in ("half", "quit"):
        if how == "quit":
            connection.sendall(b"\r\nQUIT\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def fuzz(number: int, first: int = 0) -> None:
    """So many sessions, a few at a time; each is drawn from its number."""
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(session, range(first, first + number)):
            pass


def burst(number: int) -> None:
    """So many connections at once; each is served, or closed without a byte."""
    connections = []
    for _ in range(number):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", PORT))
        connections.append(connection)
    waiting, served = set(connections), 0
    while waiting:
        ready = select.select(list(waiting), [], [], PATIENCE)[0]
        if not ready:
            raise SystemExit(f"{len(waiting)} connections were neither served nor closed")
        for connection in ready:
            with contextlib.suppress(ConnectionError):
                served += bool(connection.recv(100))
            waiting.discard(connection)
    print(f"{served} of {number} were served")
    for connection in connections:
        connection.close()


def slow_readers(number: int) -> None:
    """So many who ask for more than they read: they are dropped, while an honest session is served."""
    readers = []
    for _ in range(number):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        reader.connect(("127.0.0.1", PORT))
        reader.setblocking(False)
        readers.append(reader)
    for _ in range(50):
        for reader in readers:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                reader.send(b"HELP RUNJOB\r\nSCHEDULES -j\r\n" * 20)
    with socket.create_connection(("127.0.0.1", PORT), PATIENCE) as honest:
        honest.sendall(b"QUIT\r\n")
        said = b""
        while block := honest.recv(4096):
            said += block
    if b"Goodbye" not in said:
        raise SystemExit(f"beside slow readers an honest session got {said!r}")
    poll = select.poll()
    for reader in readers:
        poll.register(reader, 0)  # nothing but the end of both directions
    ended = 0
    while ended < number:
        news = poll.poll(PATIENCE * 1000)
        if not news:
            raise SystemExit(f"{number - ended} slow readers were not dropped")
        for descriptor, _ in news:
            poll.unregister(descriptor)
            ended += 1


def wait_until_quiet() -> None:
    """Return when no session is left."""
    for _ in range(PATIENCE * 5):
        listed = ["systemctl", "list-units", "--all", "--no-legend", "--plain", "cncop-console@*"]
        if not subprocess.run(listed, capture_output=True, text=True, check=True).stdout:
            return
        select.select([], [], [], 0.2)
    raise SystemExit("sessions are left")


def main(arguments: list[str]) -> None:
    if arguments == ["wait-until-quiet"]:
        wait_until_quiet()
        return
    floods = {"fuzz": fuzz, "burst": burst, "slow-readers": slow_readers}
    floods[arguments[0]](*map(int, arguments[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
