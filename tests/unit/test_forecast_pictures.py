"""Pictures of a forecast: well-formed whatever titles say, and the same shades in text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from cncopctl.cli.forecast_picture import draw_forecast
from cncopctl.cli.heat_map import BLOCKS, PLAIN, heat_map
from cncopctl.cli.shades import Shades
from cncopctl.cli.svg import Svg
from cncopctl.core.forecast import ExpectedRun, Hour, HourlyLoad, JobSchedule, expected_runs, hourly_load
from cncopctl.core.schedule import parse

SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2026, 3, 2, tzinfo=UTC)
EVIL = "<script>&amp;]]>\"' \x00\x1b[31m\ud800 \uffff größe 🐘"


def loaded(*texts: str, title: str = "A job", minutes: int = 30) -> tuple[list[ExpectedRun], HourlyLoad]:
    """Two days of jobs with these schedules."""
    jobs = [
        JobSchedule(f"job-{number}", title, parse(text), timedelta(minutes=minutes))
        for number, text in enumerate(texts)
    ]
    end = START + timedelta(days=2)
    runs = list(expected_runs(jobs, START, end))
    return runs, hourly_load(runs, START, end, lambda at: at)


def drawn(*texts: str, title: str = "A job", by: str = "runs") -> ElementTree.Element:
    runs, load = loaded(*texts, title=title)
    return ElementTree.fromstring(draw_forecast(runs, load, START, START + timedelta(days=2), by=by))  # noqa: S314 - ours


@pytest.mark.parametrize("by", ["runs", "time"])
def test_a_picture_says_what_runs_in_each_hour_and_in_a_lane_of_each_job(by: str) -> None:
    root = drawn("0 2 * * *", "30 2,14 * * *", by=by)
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert "Mon 2026-03-02 02:00\njob-0: 1 run\njob-1: 1 run\ntime taken: 1h" in titles
    assert sum(title.startswith("A job\n") for title in titles) == 6
    assert sum("meets other runs" in title for title in titles) == 0


def test_a_title_of_any_text_is_text_in_the_picture() -> None:
    root = drawn("0 2 * * *", title=EVIL)
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{name}" for name in ("svg", "title", "rect", "text", "line")
    }
    assert any(
        "<script>&amp;]]>\"' \ufffd\ufffd[31m\ufffd \ufffd größe 🐘" in (e.text or "") for e in root.iter()
    )


@pytest.mark.parametrize("texts", [(), ("@reboot",), ("* * * * * *",), ("0 0 29 2 *",)])
def test_a_picture_of_nothing_and_one_of_very_much_are_pictures(texts: tuple[str, ...]) -> None:
    root = drawn(*texts)
    assert root.tag == f"{SVG}svg"
    assert float(root.attrib["height"]) < 1000
    assert len(list(root.iter())) < 5_000


def test_attributes_are_quoted() -> None:
    svg = Svg(10, 10, "x")
    svg.rectangle((0, 0.125, 1, 1), fill='"><script>', font_size=3)
    rectangle = ElementTree.fromstring(svg.document()).find(f"{SVG}rect")  # noqa: S314 - ours
    assert rectangle is not None
    assert (rectangle.attrib["fill"], rectangle.attrib["font-size"], rectangle.attrib["y"]) == (
        '"><script>',
        "3",
        "0.12",
    )


SHADES = """
0 0 0   | none                           | 0 0 0
0 1     | none, 1                        | 0 1
0 1 2   | none, 1, 2                     | 0 1 2
1 2 3 4 | none, 1, 2, 3, 4               | 1 2 3 4
1 5 9   | none, 1 to 3, 4 to 5, 6 to 7, 8 to 9 | 1 2 4
100 1   | none, 1 to 25, 26 to 50, 51 to 75, 76 to 100 | 4 1
"""


@pytest.mark.parametrize(
    ("starts", "legend", "shades"),
    [tuple(part.strip() for part in line.split("|")) for line in SHADES.strip().splitlines()],
)
def test_shades_are_quarters_of_the_fullest_hour(starts: str, legend: str, shades: str) -> None:
    hours = [Hour(int(number)) for number in starts.split()]
    chosen = Shades(hours, by="runs")
    assert ", ".join(chosen.legend()) == legend
    assert " ".join(str(chosen.of(hour)) for hour in hours) == shades


@pytest.mark.parametrize(("minutes", "shade"), [(0, 0), (1, 1), (15, 1), (16, 2), (30, 2), (60, 3), (61, 4)])
def test_shades_of_time_are_the_same_on_every_machine(minutes: int, shade: int) -> None:
    assert Shades([], by="time").of(Hour(1, timedelta(minutes=minutes))) == shade


def test_a_heat_map_fits_eighty_columns_and_needs_no_colour() -> None:
    _, load = loaded("0 2 * * *", "0,30 14 * * *")
    for marks in (BLOCKS, PLAIN):
        lines = heat_map(load, by="runs", marks=marks).plain.splitlines()
        assert max(len(line) for line in lines) <= 80
        none, one, two = (marks[shade] for shade in (0, 1, 2))
        assert lines[1] == f"Mon 2026-03-02  {none * 2}{one}{none * 11}{two}{none * 9}     3  1h 30min"
        assert lines[-1].split() == f"an hour's runs: {none} none {one} 1 {two} 2".split()
    assert "".join(PLAIN).isascii()
