"""The parts that agents share: phrases, results, lines, running a program."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cncopctl.agentkit import phrases
from cncopctl.agentkit.engine import Lines, run_engine
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.result import Result, write_result

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1536, "1.5 KiB"),
        (5 << 30, "5.0 GiB"),
        (2 << 50, "2,048.0 TiB"),
    ],
)
def test_sizes_are_read_by_people(count: int, text: str) -> None:
    assert phrases.size(count) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=-1), "0 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=47), "1 day"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_ages_are_told_in_their_largest_unit(span: timedelta, text: str) -> None:
    assert phrases.age(span) == text


def test_a_result_holds_what_is_known_and_always_a_snapshot(tmp_path: Path) -> None:
    write_result(Result("done \udcff", files=0, warnings=["w"]), tmp_path / "result")
    assert json.loads((tmp_path / "result").read_bytes()) == {
        "contract": 1,
        "snapshot": None,
        "phrase": "done \\xff",
        "files": 0,
        "warnings": ["w"],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_the_same_however_output_is_cut(size: int) -> None:
    text = b"one\n\ntwo\nthree"
    seen: list[bytes] = []
    lines = Lines(seen.append)
    for start in range(0, len(text), size):
        lines.feed(text[start : start + size])
    lines.feed(b"")
    assert seen == [b"one", b"", b"two", b"three"]


def test_progress_is_told_at_once_when_the_phase_changes_and_seldom_otherwise() -> None:
    reader, writer = os.pipe()
    progress = Progress(writer)
    for phase in ("mirror", "mirror", "mirror", "snapshot", "snapshot"):
        progress.tell(phase, "working", bytes_done=1, bytes_total=None)
    os.close(writer)
    with os.fdopen(reader) as lines:
        told = [json.loads(line) for line in lines]
    assert told == [
        {"phase": phase, "phrase": "working", "bytes_done": 1} for phase in ("mirror", "snapshot")
    ]


def test_an_engine_gives_its_output_its_errors_and_its_status() -> None:
    seen: list[bytes] = []
    ended = run_engine(
        ["/bin/sh", "-c", "cat; echo wrong >&2; exit 7"], on_output=seen.append, env=ENVIRONMENT, stdin=b"in"
    )
    assert (ended.status, ended.errors, b"".join(seen)) == (7, "wrong\n", b"in")


def test_a_grandchild_that_keeps_the_pipes_does_not_keep_us() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    ended = run_engine(
        ["/bin/sh", "-c", f"cat <&{reader} & exit 3"], on_output=lambda _chunk: None, env=ENVIRONMENT
    )
    os.close(writer)
    os.close(reader)
    assert ended.status == 3


def test_an_engine_is_gone_when_what_reads_it_fails() -> None:
    def fail(chunk: bytes) -> None:
        pids.append(int(chunk))
        raise RuntimeError

    pids: list[int] = []
    with pytest.raises(RuntimeError):
        run_engine(
            ["/bin/sh", "-c", "trap '' INT; echo $$; exec sleep 60"],
            on_output=fail,
            env=ENVIRONMENT,
            stop_with=signal.SIGTERM,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
