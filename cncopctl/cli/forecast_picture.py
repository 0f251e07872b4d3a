"""A forecast as a picture: how full each hour is, and beneath it a lane for each job with its runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from cncopctl.cli.shades import Shades
from cncopctl.cli.svg import Svg
from cncopctl.cli.terminal import show_minute
from cncopctl.core.forecast import ExpectedRun, Hour, HourlyLoad, collisions
from cncopctl.core.spans import show_span

_COLOURS = ("#eef1f4", "#c9e2c3", "#ffd97a", "#f79a4b", "#c8382e")
_INK, _FAINT, _BAR, _MEET = "#1f2933", "#8494a3", "#2f6f9f", "#c8382e"
_MARGIN, _LABELS, _HOUR, _ROW, _LANE = 24, 120, 30, 22, 18
_SUMS = 150
_WIDTH = 2 * _MARGIN + _LABELS + 24 * _HOUR + _SUMS
_MAP_TOP = 96
_MOST_LANES = 60
_MOST_BARS = 4_000


def draw_forecast(
    runs: Sequence[ExpectedRun], load: HourlyLoad, start: datetime, end: datetime, *, by: str
) -> str:
    """The picture as an SVG document."""
    lanes = _lanes(runs)
    map_bottom = _MAP_TOP + len(load.days) * _ROW
    lanes_top = map_bottom + 96
    height = lanes_top + len(lanes) * _LANE + 2 * _MARGIN
    what = f"Backup runs from {show_minute(start)} to {show_minute(end)}"
    svg = Svg(_WIDTH, height, what)
    svg.rectangle((0, 0, _WIDTH, height), fill="#ffffff")
    svg.text(_MARGIN, 40, what, font_size=18, font_weight="bold", fill=_INK)
    met = sum(collision.at >= start for collision in collisions(runs))
    count = sum(run.at >= start and not run.skipped for run in runs)
    jobs = len({run.source.job for run in runs})
    told = f"{count} runs of {jobs} job{'' if jobs == 1 else 's'}; {met} of the starts meet another run"
    svg.text(_MARGIN, 60, told, fill=_FAINT)
    _draw_map(svg, load, Shades(load.hours.values(), by=by))
    _draw_legend(svg, map_bottom + 28, Shades(load.hours.values(), by=by), by)
    _draw_lanes(svg, lanes, (start, end), lanes_top)
    return svg.document()


def _draw_map(svg: Svg, load: HourlyLoad, shades: Shades) -> None:
    left = _MARGIN + _LABELS
    for hour in range(0, 24, 3):
        svg.text(left + hour * _HOUR, _MAP_TOP - 8, f"{hour:02}:00", fill=_FAINT, font_size=11)
    for row, day in enumerate(load.days):
        top = _MAP_TOP + row * _ROW
        weight = "bold" if day.weekday() > 4 else "normal"
        svg.text(_MARGIN, top + 15, f"{day:%a %Y-%m-%d}", fill=_INK, font_weight=weight)
        for hour in range(24):
            _draw_hour(svg, (left + hour * _HOUR, top), shades, load.hours.get((day, hour)), (day, hour))
        total = load.of_day(day)
        took = f", {show_span(total.busy)}" if total.busy else ""
        sums = f"{total.starts} run{'' if total.starts == 1 else 's'}{took}"
        svg.text(left + 24 * _HOUR + 10, top + 15, sums, fill=_FAINT, font_size=11)


def _draw_hour(
    svg: Svg, corner: tuple[float, float], shades: Shades, hour: Hour | None, when: tuple[date, int]
) -> None:
    x, y = corner
    shade = shades.of(hour)
    box = (x + 1, y + 1, _HOUR - 2, _ROW - 2)
    svg.rectangle(box, _told(hour, when) if hour else "", rx=3, fill=_COLOURS[shade])
    if hour and hour.starts:
        ink = "#ffffff" if shade == 4 else _INK
        number = str(hour.starts) if hour.starts < 1000 else f"{hour.starts // 1000}k"
        svg.text(x + _HOUR / 2, y + 15, number, fill=ink, font_size=11, text_anchor="middle")


def _told(hour: Hour, when: tuple[date, int]) -> str:
    """What one reads when the mouse rests on an hour."""
    day, number = when
    jobs = [
        f"{job}: {f'{starts} runs' if starts != 1 else '1 run'}"
        for job, starts in hour.jobs.items()
        if starts
    ]
    jobs += [f"{job}: still running" for job, starts in hour.jobs.items() if not starts]
    busy = [f"time taken: {show_span(hour.busy)}"] if hour.busy else []
    return "\n".join([f"{day:%a %Y-%m-%d} {number:02}:00", *sorted(jobs), *busy])


def _draw_legend(svg: Svg, y: float, shades: Shades, by: str) -> None:
    x = float(_MARGIN + _LABELS)
    svg.text(_MARGIN, y, "Runs an hour" if by == "runs" else "Time an hour", fill=_FAINT, font_size=11)
    for shade, words in enumerate(shades.legend()):
        svg.rectangle((x, y - 11, 14, 14), rx=3, fill=_COLOURS[shade])
        svg.text(x + 20, y, words, fill=_INK, font_size=11)
        x += 44 + 7 * len(words)


def _lanes(runs: Sequence[ExpectedRun]) -> list[tuple[str, list[ExpectedRun]]]:
    """The runs of each job, by the job's title; the first so many jobs."""
    by_job: dict[str, list[ExpectedRun]] = {}
    for run in runs:
        if not run.skipped:
            by_job.setdefault(run.source.job, []).append(run)
    lanes = sorted(by_job.values(), key=lambda lane: (lane[0].source.title.casefold(), lane[0].source.job))
    return [(lane[0].source.title or lane[0].source.job, lane) for lane in lanes[:_MOST_LANES]]


def _draw_lanes(
    svg: Svg, lanes: Sequence[tuple[str, list[ExpectedRun]]], span: tuple[datetime, datetime], top: float
) -> None:
    if not lanes:
        return
    start, end = span
    left, width = _MARGIN + _LABELS, 24.0 * _HOUR
    scale = width / (end - start).total_seconds()
    bottom = top + len(lanes) * _LANE
    svg.text(_MARGIN, top - 24, "Jobs", fill=_INK, font_weight="bold")
    svg.text(left, top - 28, "red: starts together with, or during, other runs", fill=_FAINT, font_size=11)
    for row in range(0, len(lanes), 2):
        svg.rectangle((left, top + row * _LANE, width, _LANE), fill="#f6f8fa")
    for x, label in _midnights(start, end, left, scale):
        svg.line(x, top - 6, x, bottom, stroke="#dde3e8")
        if label:
            svg.text(x + 3, top - 10, label, fill=_FAINT, font_size=10)
    meetings = {collision.at for collision in collisions(sorted(_all(lanes), key=lambda run: run.at))}
    for row, (title, lane) in enumerate(lanes):
        y = top + row * _LANE
        svg.text(_MARGIN, y + 13, title if len(title) < 18 else f"{title[:16]}…", fill=_INK, font_size=11)
        _draw_bars(svg, lane, meetings, (left, y, scale, start, end))


def _all(lanes: Sequence[tuple[str, list[ExpectedRun]]]) -> list[ExpectedRun]:
    return [run for _, lane in lanes for run in lane]


def _draw_bars(
    svg: Svg,
    lane: Sequence[ExpectedRun],
    meetings: set[datetime],
    place: tuple[float, float, float, datetime, datetime],
) -> None:
    left, y, scale, start, end = place
    for run in lane[:_MOST_BARS]:
        at = max(run.at, start)
        x = left + (at - start).total_seconds() * scale
        width = max(2.0, (min(run.ends, end) - at).total_seconds() * scale)
        colour = _MEET if run.at in meetings else _BAR
        takes = f", takes about {show_span(run.source.expected)}" if run.source.expected else ""
        meets = "\nmeets other runs" if run.at in meetings else ""
        title = f"{run.source.title}\n{show_minute(run.at)}{takes}{meets}"
        svg.rectangle((x, y + 3, width, _LANE - 6), title, fill=colour, fill_opacity=0.85)


def _midnights(start: datetime, end: datetime, left: float, scale: float) -> list[tuple[float, str]]:
    """Where days begin, with as many of their names as fit."""
    found = []
    day = start.astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(
        days=1
    )
    while (at := day.astimezone()) < end:
        found.append((left + (at - start).total_seconds() * scale, f"{day:%a %d}"))
        day += timedelta(days=1)
    every = -(-len(found) * 44 // (24 * _HOUR)) or 1
    return [(x, label if number % every == 0 else "") for number, (x, label) in enumerate(found)]
