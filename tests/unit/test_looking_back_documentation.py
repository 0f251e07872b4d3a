"""docs/looking-back.md says what the programs do."""

from __future__ import annotations

from pathlib import Path

from cncopctl.core.log_line import LONGEST, parse_begin, parse_end, parse_line
from cncopctl.core.outcome import Outcome
from cncopctl.edges.journal import RUN_ENDED

TEXT = (Path(__file__).parents[2] / "docs/looking-back.md").read_text("utf-8")


def test_the_log_that_is_shown_is_one() -> None:
    lines = [line for text in TEXT.splitlines() if (line := parse_line(text))]
    assert len(lines) == 4
    begin, end = parse_begin(lines[0]), parse_end(lines[-1])
    assert begin
    assert end
    assert (begin[1], end[1]) == ("web-01", Outcome.OK)


def test_numbers_are_those_of_the_code() -> None:
    assert TEXT.count(RUN_ENDED) == 2
    assert f"cut at {LONGEST:,} bytes" in TEXT
