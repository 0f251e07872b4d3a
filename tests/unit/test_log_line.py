"""What programs print becomes lines that harm neither a log nor a terminal, in bounded memory."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cncopctl.core.log_line import (
    LONGEST,
    OURS,
    Level,
    Lines,
    LogLine,
    begin_text,
    cut_at_character,
    end_text,
    parse_begin,
    parse_end,
    parse_line,
    visible,
)
from cncopctl.core.outcome import Outcome

AT = datetime(2026, 11, 21, 2, 30, tzinfo=timezone(timedelta(hours=1)))


def lines_of(*blocks: bytes, longest: int = LONGEST) -> list[str]:
    lines = Lines(longest)
    return [line for block in blocks for line in lines.feed(block)] + lines.rest()


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"no end", ["no end"]),
        (b"\n\r\n\n", []),
        (b"from windows\r\n", ["from windows"]),
        (b"10%\r20%\r\n", ["10%\\r20%"]),
        (b"\x1b[2J\x07\x00\x9b", ["\\x1b[2J\\x07\\x00\\x9b"]),
        ("\u202egnp.exe\u2028\n".encode(), ["\\u202egnp.exe\\u2028"]),
        (b"\xff\xfe\xed\xa0\x80", ["\\xff\\xfe\\xed\\xa0\\x80"]),
        ("Größe\t🐘".encode(), ["Größe\t🐘"]),
    ],
)
def test_whatever_is_printed_can_be_read(printed: bytes, lines: list[str]) -> None:
    assert lines_of(printed) == lines


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"12345678", "12345678"),
        (b"123456789", "12345678 [1 more bytes were cut]"),
        ("123456ä89".encode(), "123456ä [2 more bytes were cut]"),
        ("1234567ä89".encode(), "1234567 [4 more bytes were cut]"),
        (b"1234567\xc3\xc3", "1234567 [2 more bytes were cut]"),
    ],
)
def test_a_long_line_is_cut_between_characters_and_says_so(printed: bytes, line: str) -> None:
    assert lines_of(printed, longest=8) == [line]


def test_a_line_without_an_end_takes_no_memory() -> None:
    lines, block = Lines(), b"x" * 65536
    tracemalloc.start()
    try:
        for _ in range(1600):
            assert lines.feed(block) == []
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert lines.rest() == [f"{'x' * LONGEST} [{1600 * 65536 - LONGEST:,} more bytes were cut]"]
    assert lines.rest() == []


@given(st.lists(st.binary(max_size=40)), st.integers(1, 20))
def test_lines_do_not_depend_on_how_they_come(blocks: list[bytes], longest: int) -> None:
    assert lines_of(*blocks, longest=longest) == lines_of(b"".join(blocks), longest=longest)


@given(st.binary())
def test_nothing_of_it_drives_a_terminal_or_breaks_a_line(printed: bytes) -> None:
    for line in lines_of(printed):
        assert line.replace("\t", "").isprintable()
        assert line


@given(st.text())
def test_what_is_visible_once_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(), st.integers(0, 40))
def test_a_character_is_kept_whole_or_left_out(text: str, length: int) -> None:
    data = text.encode("utf-8", "replace")[:length]
    assert data.startswith(cut_at_character(data))
    assert cut_at_character(data) == data.decode("utf-8", "ignore").encode()


@given(st.sampled_from(Level), st.sampled_from(["cncop", "agent", "run_before"]), st.text().map(visible))
def test_a_line_is_read_as_it_was_written(level: Level, source: str, text: str) -> None:
    line = LogLine(AT, level, source, text)
    assert parse_line(str(line)) == line


def test_a_log_reads_well() -> None:
    assert str(LogLine(AT, Level.INFO, OURS, "x")) == "2026-11-21 02:30:00+0100 info  cncop: x"


@pytest.mark.parametrize(
    "text", ["", "a", "2026-11-21 02:30:00+0100 loud cncop: x", "2026-11-21 info agent: x"]
)
def test_other_lines_are_none_of_ours(text: str) -> None:
    assert parse_line(text) is None


def test_a_log_says_whose_it_is_and_how_the_run_ended() -> None:
    begin = LogLine(AT, Level.INFO, OURS, begin_text("r1", "web-01", "Web (nightly)"))
    end = LogLine(AT, Level.ERROR, OURS, end_text("web-01", Outcome.RERUN, "no route: x"))
    assert parse_begin(begin) == ("r1", "web-01", "Web (nightly)")
    assert parse_end(end) == ("web-01", Outcome.RERUN, "no route: x")


def test_an_agent_cannot_say_how_its_run_ended() -> None:
    assert parse_end(LogLine(AT, Level.INFO, "agent", end_text("a", Outcome.OK, "all fine"))) is None
    assert parse_begin(LogLine(AT, Level.INFO, "agent", begin_text("r", "a", "b"))) is None


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.OK, Level.INFO),
        (Outcome.SKIPPED, Level.NOTE),
        (Outcome.ERROR, Level.ERROR),
        (Outcome.RERUN, Level.ERROR),
        (Outcome.ABORTED, Level.ERROR),
        (None, Level.ERROR),
    ],
)
def test_failures_are_errors_in_the_journal(outcome: Outcome | None, level: Level) -> None:
    assert Level.of(outcome) is level
