"""A machine with a console, and raw connections to it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Self

from .machine import Machine
from .project import install_project

PROFILE = """
schema = 1

[[job]]
id = "web-01"
title = "Web server, nightly"
type = "RSYNC"
schedule = "30 2 * * *"
source = "/etc/systemd"

[[job]]
id = "db"
title = "Datenbank \U0001f5c4"
type = "RSYNC"
schedule = "0 12 * * *"
source = "/etc/cron.daily"
"""


def install_console(machine: Machine, wheel: Path) -> None:
    """Install the project, the console's account and rights as a sync asks for them, and a profile."""
    install_project(machine, wheel)
    machine.write("/etc/cncop/profile.toml", PROFILE)
    said = machine.run("cncopctl", "sync-profile").stdout
    asked = re.search(r"there is no console: .* with: (.*)", said)
    assert asked, said
    machine.run("sh", "-c", asked[1])
    assert "there is no console" not in machine.run("cncopctl", "sync-profile").stdout


class Typist:
    """Somebody at a terminal of the machine who uses telnet, in a pseudo-terminal of so many columns."""

    def __init__(
        self, machine: Machine, user: str = "root", *, columns: int = 80, host: str = "localhost"
    ) -> None:
        at_terminal = f"stty cols {columns} rows 24; exec telnet {host} 59153"
        command = ["runuser", "-u", user, "--", "script", "--quiet", "--command", at_terminal, "/dev/null"]
        self._process = subprocess.Popen(
            machine.argv(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()

    def type(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def see(self, pattern: str, timeout: float = 20) -> str:
        """What is shown up to the end of what matches `pattern`, which is not shown again."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self._seen)):
            self._seen += self._more(deadline, f"no {pattern!r} in {self._seen!r}")
        shown, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return shown

    def ask(self, line: str) -> str:
        """What is answered to a line, without its echo."""
        self.type(f"{line}\r")
        return self.see(r"cncop> $").partition("\r\n")[2].replace("\r\n", "\n").removesuffix("cncop> ")

    def see_the_end(self) -> str:
        """All that is shown until telnet has ended."""
        return self.see(r"Connection closed by foreign host\.")

    def _more(self, deadline: float, otherwise: str) -> str:
        assert self._process.stdout
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
            raise TimeoutError(otherwise)
        block = os.read(self._process.stdout.fileno(), 65536)
        if not block:
            raise AssertionError(f"telnet ended: {otherwise}")
        return block.decode(errors="backslashreplace")


def converse(
    machine: Machine, program: str, *arguments: str, user: str = "root", timeout: float = 120
) -> str:
    """What a Python program prints that talks to the console by raw sockets; it finds the functions of RAW made."""
    script = f"{RAW}\n{program}"
    argv = ["runuser", "-u", user, "--", "python3", "-c", script, *arguments]
    return machine.run(*argv, timeout=timeout).stdout


RAW = r"""
import json, os, select, socket, struct, sys, time

def connect(host="127.0.0.1", port=59153):
    connection = socket.create_connection((host, port), timeout=60)
    return connection

def until(connection, end=b"cncop> "):
    "All that comes, up to `end` or the end of everything."
    data = b""
    while not data.endswith(end):
        try:
            block = connection.recv(4096)
        except ConnectionResetError:
            break
        if not block:
            break
        data += block
    return data

def ask(connection, line):
    "The answer to a line, without the prompt behind it."
    connection.sendall(line.encode() + b"\r\n")
    return until(connection).decode().replace("\r\n", "\n").removesuffix("cncop> ")

def begun(*arguments):
    connection = connect(*arguments)
    until(connection)
    return connection
"""
