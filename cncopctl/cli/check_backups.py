"""`cncopctl check-backups`."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cncopctl.cli.options import choose, complete_job, installation_options, json_option, manager_of
from cncopctl.cli.terminal import drop_output, show_minute
from cncopctl.core.errors import CncopError, SystemdError
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.overdue import Limits, State, Verdict
from cncopctl.core.pause import SPAN
from cncopctl.core.spans import parse_span
from cncopctl.verbs.standing import Timers, gather, observe_timers, verdicts

# What is said on the one line of many jobs, and of which jobs ages are told (Nagios takes 8 KiB).
_MOST_TOLD, _MOST_AGES = 3, 50


class _Plugin(click.Command):
    """A command whose every failure is UNKNOWN: to a monitoring system, 2 would be a backup that has failed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            _unknown(error.format_message().partition("\n")[0])
            raise click.exceptions.Exit(State.UNKNOWN) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _unknown(error.format_message().partition("\n")[0])
        except CncopError as error:
            _unknown(f"{error.message} ({error.hint})" if error.hint else error.message)
        except Exception as error:  # noqa: BLE001 - the last word on what we did not foresee
            _unknown(f"this is a bug: {error!r}")
            traceback.print_exc()
        return int(State.UNKNOWN)


def _span(_: click.Context, __: click.Parameter, text: str | None) -> timedelta | None:
    if text is None:
        return None
    if not (SPAN.fullmatch(text) or text.isdecimal()):
        raise click.BadParameter(f'"{text}" is no span: write one such as 90m, 26h or 8d')
    try:
        return parse_span(text)
    except OverflowError as error:
        raise click.BadParameter(f'"{text}" is longer than time itself') from error


@click.command("check-backups", cls=_Plugin)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option(
    "--grace",
    metavar="SPAN",
    callback=_span,
    help="A run is overdue so long after its time [1h]; late after 5min.",
)
@click.option("-w", "--warning", metavar="AGE", callback=_span, help="WARNING if the last good run is older.")
@click.option(
    "-c", "--critical", metavar="AGE", callback=_span, help="CRITICAL if the last good run is older."
)
@json_option
@installation_options
def command(
    layout: Layout,
    *,
    jobs: tuple[str, ...],
    grace: timedelta | None,
    warning: timedelta | None,
    critical: timedelta | None,
    as_json: bool,
) -> int:
    """Check whether all that should have run did, as a plugin for monitoring: one line, and 0, 1, 2 or 3.

    What should have run follows from the schedules, with time zones, random delays, blackouts and pauses; what did,
    from the history. CRITICAL (2) is a job whose last run failed, or that did not run at its time; WARNING (1) is
    one that is late, whose last run had warnings, that takes much longer than usual, or that no timer will start;
    OK (0) all else, also a job that is paused. UNKNOWN (3) is any failure to find out. -w and -c are for ages of the
    last good run, besides, and hold for paused jobs as well.

    \b
    Examples:
      cncopctl check-backups
      cncopctl check-backups web-01 --grace 4h -c 3d
      cncopctl check-backups --json | jq '.jobs[] | select(.state != "OK")'
    """
    now = datetime.now(UTC)
    limits = Limits(warning_age=warning, critical_age=critical)
    limits = limits if grace is None else Limits(grace, warning, critical)
    chosen = choose(layout, jobs, alljobs=not jobs)
    timers, trouble = _timers(layout, chosen)
    found = verdicts(gather(layout, chosen, timers, now), timers, limits, show_minute, now)
    shown = [json.dumps(_document(found, trouble), indent=2)] if as_json else _lines(found, limits, trouble)
    _say(shown)
    return int(_worst(found, trouble))


def _timers(layout: Layout, chosen: Sequence[Any]) -> tuple[Timers, str]:
    """How the timers stand; where systemd does not answer, what that means, and what can be said without it."""
    try:
        with manager_of(layout) as systemd:
            return observe_timers(systemd, chosen), ""
    except SystemdError as error:
        return observe_timers(None, chosen), f"{error.message}: nothing is going to run"


def _worst(found: Sequence[Verdict], trouble: str) -> State:
    return max([State.WARNING if trouble else State.OK, *(verdict.state for verdict in found)])


def _lines(found: Sequence[Verdict], limits: Limits, trouble: str) -> Iterator[str]:
    worst = _worst(found, trouble)
    bad = sorted((each for each in found if each.state), key=lambda each: (-each.state, each.job))
    told = [f"{each.job}: {each.sentence}" for each in bad]
    summary = "; ".join(([trouble] if trouble else []) + told[:_MOST_TOLD])
    if len(told) > _MOST_TOLD:
        summary += f"; and {len(told) - _MOST_TOLD} more"
    if not summary:
        first = found[0]
        summary = (
            f"{first.job}: {first.sentence}"
            if len(found) == 1
            else f"all {len(found)} jobs are as they should be"
        )
    elif len(found) > 1 and bad:
        summary = f"{len(bad)} of {len(found)} jobs: {summary}"
    yield f"CNCOP {worst.name}: {_safe(summary)} | {' '.join(_performance(found, limits))}"
    if len(bad) > 1:
        yield from (_safe(f"{each.state.name} {each.job}: {each.sentence}") for each in bad)


def _performance(found: Sequence[Verdict], limits: Limits) -> Iterator[str]:
    """Performance data: how many jobs are in each state, and the ages of last good runs in seconds."""
    for state in (State.OK, State.WARNING, State.CRITICAL):
        yield f"{state.name.lower()}={sum(each.state is state for each in found)};;;0;{len(found)}"
    bounds = ";".join(
        f"{age.total_seconds():.0f}" if age is not None else ""
        for age in (limits.warning_age, limits.critical_age)
    )
    for each in found[:_MOST_AGES]:
        if each.age is not None:
            yield f"'{each.job}'={each.age.total_seconds():.0f}s;{bounds};0"


def _safe(text: str) -> str:
    """`text` on one line, without the character that begins performance data."""
    return printable(" ".join(text.split())).replace("|", "/")


def _unknown(text: str) -> None:
    _say([f"CNCOP UNKNOWN: {_safe(text)}"])


def _say(lines: Iterable[str]) -> None:
    """Print the lines; where nobody reads them, or they cannot be written, the exit status still tells."""
    try:
        for line in lines:
            click.echo(line)
        sys.stdout.flush()
    except OSError:
        drop_output()


def _document(found: Sequence[Verdict], trouble: str) -> dict[str, Any]:
    return {
        "state": _worst(found, trouble).name,
        "trouble": trouble,
        "jobs": [
            {
                "job": each.job,
                "state": each.state.name,
                "sentence": each.sentence,
                "age_seconds": round(each.age.total_seconds()) if each.age is not None else None,
            }
            for each in found
        ],
    }
