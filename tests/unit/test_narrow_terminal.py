"""What a terminal shows that is narrower than a table."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import struct
import termios
from pathlib import Path

import pytest

from cncopctl.core.outcome import Outcome

from .past import HOUR, PROGRAMS, Past


def seen(columns: int, *words: str) -> str:
    """What a program of ours writes to a terminal of so many columns, without colours."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        os.execve(PROGRAMS / words[0], words, {**environment, "TERM": "xterm", "NO_COLOR": "1", "TZ": "UTC"})  # noqa: S606
    written = b""
    try:
        while part := os.read(terminal, 65536):
            written += part
    except OSError as error:
        if error.errno != errno.EIO:  # how Linux tells that the other end was closed
            raise
    os.close(terminal)
    os.waitpid(child, 0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", written.decode())


@pytest.fixture
def past(tmp_path: Path) -> Past:
    made = Past(tmp_path)
    made.job("web-01", made.daily(3 * HOUR), title="Web server, nightly")
    made.run("web-01", 3 * HOUR, Outcome.ERROR, phrase="no route to host")
    return made


@pytest.mark.parametrize("columns", [20, 40, 79])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("jobs", ("TITLE", "LAST RUN", "OUTCOME", "ERROR no")),
        ("history", ("BEGAN", "OUTCOME", "ERROR no")),
        ("schedules", ("TITLE", "SCHEDULE", "At ")),
        ("job", ("TITLE", "RESULT", "NEXT RUN")),
    ],
)
def test_no_column_is_left_out(past: Past, columns: int, words: str, told: tuple[str, ...]) -> None:
    shown = seen(columns, "cncopctl", words, "--root", str(past.root))
    assert [word for word in told if word not in shown] == []


def test_a_heat_map_keeps_its_lines(past: Past) -> None:
    lines = seen(40, "cncopctl", "schedules", "--heatmap", "--root", str(past.root)).splitlines()
    assert lines[0].split() == ["00", "03", "06", "09", "12", "15", "18", "21", "RUNS", "TIME"]
    assert len(lines) == 10
