"""`cncopctl schedules`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import click

from cncopctl.cli.forecast_picture import draw_forecast
from cncopctl.cli.heat_map import heat_map
from cncopctl.cli.options import installation_options, json_option
from cncopctl.cli.terminal import console, print_table, show_left, show_minute, show_time
from cncopctl.core.calendars import Blackout, InBlackout
from cncopctl.core.errors import UsageError
from cncopctl.core.forecast import (
    Collision,
    ExpectedRun,
    HourlyLoad,
    JobSchedule,
    collisions,
    expected_runs,
    first_runs,
    habits,
    hourly_load,
    never,
)
from cncopctl.core.layout import Layout
from cncopctl.core.pause import Pause
from cncopctl.core.schedule import Seed, parse
from cncopctl.core.spans import show_span
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.history import History
from cncopctl.edges.machine import machine_id
from cncopctl.edges.pauses import read_pauses

_DAYS = 7
_MOST_LINES = 2_000
_MOST_HABITS = 20
# A job every second for a week is as many; beyond, a forecast says where it stops.
_MOST_RUNS = 700_000


def _read_date(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    """A date or a time of this machine's clock; midnight where no time is said."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is no date\nhint: write 2027-03-27 or 2027-03-27T22:00"
        ) from error


@click.command("schedules")
@click.option("--from", "start", metavar="DATE", callback=_read_date, help="Begin there instead of now.")
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, 400),
    help=f"Show everything that fires in so many days ({_DAYS}).",
)
@click.option("--heatmap", is_flag=True, help="Show how full each hour of each day is.")
@click.option(
    "--by",
    type=click.Choice(["runs", "time"]),
    default="runs",
    help="What fills an hour: runs that start in it, or the time that they take.",
)
@click.option(
    "--svg", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw a picture."
)
@json_option
@installation_options
def command(
    layout: Layout,
    *,
    start: datetime | None,
    days: int | None,
    heatmap: bool,
    by: str,
    svg: Path | None,
    as_json: bool,
) -> int:
    """Show when what runs: the next time of each schedule, or a forecast of all that fires.

    A forecast begins now or at --from, and lasts 7 days unless --days says otherwise. It also tells which jobs
    start together, or while others run: how long a job takes is the median of its last 30 runs that were OK.

    \b
    Examples:
      cncopctl schedules
      cncopctl schedules --from 2027-03-27 --days 3
      cncopctl schedules --days 14 --heatmap --by time
      cncopctl schedules --days 14 --svg forecast.svg
    """
    now = datetime.now(UTC)
    schedules = list(_schedules(layout, now))
    if not (start or days or heatmap or svg):
        _show_next(schedules, now, as_json=as_json)
        return 0
    start = start or now
    forecast = _forecast(schedules, start, start + timedelta(days=days or _DAYS))
    if svg:
        _write(svg, draw_forecast(forecast.runs, forecast.load(), forecast.start, forecast.end, by=by))
    if as_json:
        click.echo(json.dumps(forecast.documents(), indent=2))
        return 0
    if heatmap:
        console().print(heat_map(forecast.load(), by=by), soft_wrap=True)
    if not (heatmap or svg):
        _print_runs(forecast.begun(), now)
    _print_habits(forecast.met())
    return 0


def _show_next(schedules: Sequence[JobSchedule], now: datetime, *, as_json: bool) -> None:
    """Show the next time of each schedule."""
    runs = first_runs(schedules, now)
    if as_json:
        click.echo(json.dumps([_document(run, None) for run in runs], indent=2))
    else:
        _print_runs(runs, now, others=_never_due(schedules, runs))


@dataclass(frozen=True, slots=True)
class _Forecast:
    """All that is to run from `start` to `end`; also what began before and is still running then."""

    runs: Sequence[ExpectedRun]
    start: datetime
    end: datetime

    def load(self) -> HourlyLoad:
        """How full each hour is."""
        return hourly_load(self.runs, self.start, self.end, datetime.astimezone)

    def begun(self) -> list[ExpectedRun]:
        """The runs that begin in it."""
        return [run for run in self.runs if run.at >= self.start]

    def met(self) -> list[Collision]:
        """The meetings of jobs in it."""
        return [collision for collision in collisions(self.runs) if collision.at >= self.start]

    def documents(self) -> list[dict[str, Any]]:
        """Its runs as JSON has them, each with whom it meets."""
        by_time = {collision.at: collision for collision in self.met()}
        return [_document(run, by_time.get(run.at)) for run in self.begun()]


def _forecast(schedules: Sequence[JobSchedule], start: datetime, end: datetime) -> _Forecast:
    """The forecast, up to as many runs as a machine can work out while somebody waits."""
    runs = list(islice(expected_runs(schedules, start, end), _MOST_RUNS))
    if len(runs) == _MOST_RUNS:
        end = runs[-1].at
        click.echo(f"the forecast ends after {_MOST_RUNS} runs, at {show_time(end)}", err=True)
    return _Forecast(runs, start, end)


def _schedules(layout: Layout, now: datetime) -> Iterator[JobSchedule]:
    machine = machine_id()
    durations = History(layout.history).usual_durations()
    pauses = read_pauses(layout.pauses, now)
    for job in read_compiled_jobs(layout.compiled_jobs):
        blackout = Blackout.from_document(job.blackout) if job.blackout else None
        hindrance = _in_the_way(pauses.get(job.id), blackout)
        for text, zone in job.schedules:
            schedule = parse(text, zone=zone, seed=Seed(machine, job.id))
            yield JobSchedule(job.id, job.title, schedule, durations.get(job.id), hindrance)


def _in_the_way(pause: Pause | None, blackout: Blackout | None) -> Callable[[datetime], str]:
    """What tells why a job would not run at an instant: its pause, or one of its calendars."""
    if blackout and blackout.effect is InBlackout.REPORT:
        blackout = None

    def reason(at: datetime) -> str:
        if pause and pause.holds(at):
            return pause.sentence()
        if blackout and (inside := blackout.around(at)):
            name, end = inside
            moved = ", made up for then" if blackout.effect is InBlackout.MOVE else ""
            return f"in the blackout {name} until {show_minute(end)}{moved}"
        return ""

    return reason if pause or blackout else never


def _never_due(schedules: Iterable[JobSchedule], runs: Iterable[ExpectedRun]) -> list[JobSchedule]:
    """Those that no clock starts: after boots, after their own end, or never any more."""
    due = {id(run.source) for run in runs}
    return [each for each in schedules if id(each) not in due]


def _print_runs(runs: Sequence[ExpectedRun], now: datetime, others: Iterable[JobSchedule] = ()) -> None:
    rows = [_row(run, now) for run in runs[:_MOST_LINES]]
    rows += [("-", "-", each.job, each.title, "-", each.schedule.explain()) for each in others]
    if not rows:
        click.echo("nothing is scheduled; see: cncopctl jobs")
        return
    print_table(
        ("NEXT RUN", "", "JOB", "TITLE", "TAKES", "SCHEDULE"),
        rows,
        right=("TAKES",),
        flexible=("TITLE", "SCHEDULE"),
    )
    if len(runs) > _MOST_LINES:
        click.echo(f"… and {len(runs) - _MOST_LINES} more; ask for fewer days, or for --json")


def _row(run: ExpectedRun, now: datetime) -> tuple[str, ...]:
    source = run.source
    takes = show_span(source.expected) if source.expected is not None else "-"
    takes, why = ("skipped", run.skipped) if run.skipped else (takes, source.schedule.explain())
    return show_time(run.at), show_left(run.at, now), source.job, source.title, takes, why


def _document(run: ExpectedRun, collision: Collision | None) -> dict[str, Any]:
    source = run.source
    document: dict[str, Any] = {
        "at": run.at.isoformat(),
        "job": source.job,
        "title": source.title,
        "schedule": source.schedule.text,
        "expected_seconds": round(source.expected.total_seconds(), 3)
        if source.expected is not None
        else None,
    }
    if run.skipped:
        document["skipped"] = run.skipped
    elif collision:
        document["starts_with"] = [job for job in collision.starting if job != source.job]
        document["while_running"] = list(collision.running)
    return document


def _print_habits(found: Iterable[Collision]) -> None:
    """Which jobs meet, the most frequent first."""
    met = habits(found)
    if not met:
        return
    click.echo()
    print_table(
        ("JOBS THAT MEET", "TIMES", "FIRST"),
        (
            (_meeting(habit.first), str(habit.times), show_minute(habit.first.at))
            for habit in met[:_MOST_HABITS]
        ),
        right=("TIMES",),
        flexible=("JOBS THAT MEET",),
    )
    if len(met) > _MOST_HABITS:
        click.echo(f"… and {len(met) - _MOST_HABITS} other meetings; --json has all")


def _meeting(collision: Collision) -> str:
    starting, running = ", ".join(collision.starting), ", ".join(collision.running)
    if not running:
        return f"{starting} start together"
    one = len(collision.starting) == 1
    return (
        f"{starting} {'starts' if one else 'start'} while {running} {'runs' if ',' not in running else 'run'}"
    )


def _write(path: Path, document: str) -> None:
    try:
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "name a file that you can write") from error
