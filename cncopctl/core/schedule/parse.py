"""From what stands in a profile to a schedule."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cncopctl.core.schedule import interval as intervals
from cncopctl.core.schedule import macros
from cncopctl.core.schedule.cron import read_cron
from cncopctl.core.schedule.dates import read_moment
from cncopctl.core.schedule.days import elapses
from cncopctl.core.schedule.dialect import Dialect
from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.model import CalendarRule, Continuous, Dst, Interval, Reboot, Schedule
from cncopctl.core.schedule.seed import NO_SEED, Seed
from cncopctl.core.schedule.zones import checked_zone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cncopctl.core.schedule.table import Entry

LONGEST = 4096
ZONE_PREFIX = re.compile(r"[ \t]*(?:CRON_TZ|TZ)=([^ \t]*)[ \t]*", re.IGNORECASE)


class Context(NamedTuple):
    """What a schedule takes from its job and device."""

    zone: str | None
    seed: Seed
    dialect: Dialect
    dst: Dst
    anchor: datetime


def parse(
    spec: str | Mapping[str, object],
    *,
    zone: str | None = None,
    seed: Seed | None = None,
    dialect: Dialect = Dialect.CRON,
    dst: Dst = Dst.CRON,
    anchor: datetime | None = None,
) -> Schedule:
    """Return the schedule that a profile's text or table means.

    `zone` is the job's time zone, or the device's; a zone in the schedule itself goes before it, and with
    None the lines carry no zone and follow the machine's own clock, which is then taken to be UTC. `seed`
    decides what `H` and `~` choose. `anchor` is the recorded first sync, from which an interval without
    `start_date` is counted; without it intervals are counted from 1970 (weeks from a Thursday).

    Raises:
        ScheduleError: the schedule is not understood, or can never elapse; with `field` and `position`.
    """
    context = Context(
        None if zone is None else checked_zone(zone), seed or NO_SEED, dialect, dst, anchor or intervals.EPOCH
    )
    if isinstance(spec, str):
        refuse_endless(spec)
        return read_text(spec, context)
    for key, value in spec.items():
        refuse_endless(value, key)
    return read_table(spec, context)


def refuse_endless(value: object, key: str = "") -> None:
    """Refuse what is too long for a schedule: Python converts no number of more than 4,300 digits."""
    if len(value if isinstance(value, str) else str(value)) > LONGEST:
        raise ScheduleError(
            f"the schedule is longer than {LONGEST} characters", "write ranges and steps", field=key
        )


def read_text(text: str, context: Context) -> Schedule:
    """Return the schedule of a cron string or macro, with its zone in front if it names one."""
    if "=" not in text:
        return read_body(text, text, 0, context)
    match = ZONE_PREFIX.match(text)
    if match is None:
        return read_body(text, text, 0, context)
    try:
        context = context._replace(zone=checked_zone(match[1]))
    except ScheduleError as error:
        error.position = match.start(1)
        raise
    return read_body(text, text[match.end() :], match.end(), context)


def read_body(text: str, body: str, offset: int, context: Context) -> Schedule:
    """Return the schedule of what follows the zone, which stands at `offset` of `text`."""
    try:
        rule, warnings = read_rule(body, context)
    except ScheduleError as error:
        if error.position is not None:
            error.position += offset
        raise
    return Schedule(text, rule, context.zone, context.dst, None, None, warnings)


def read_rule(body: str, context: Context) -> tuple[CalendarRule | Interval | Reboot, tuple[str, ...]]:
    """Return the rule of a cron string or a macro, and its warnings."""
    word = body.strip(" \t")
    if word.startswith("@"):
        if word.lower() == macros.REBOOT:
            return Reboot(), ()
        if match := macros.EVERY_WORDS.fullmatch(word):
            return Interval(intervals.read_interval(match[1], "@every"), context.anchor), ()
        rule, warnings = read_cron(macros.expand(word))
    else:
        rule, warnings = read_cron(body, context.seed, context.dialect)
    refuse_never(rule)
    return rule, warnings


def refuse_never(rule: CalendarRule) -> None:
    """Refuse a rule that no day of the calendar satisfies: systemd would say "never" and do nothing."""
    if not elapses(rule):
        raise ScheduleError(
            "the schedule never elapses: no month has such a day",
            "choose a day that one of the months has, or L for the last",
            field="day-of-month",
        )


def read_table(table: Mapping[str, object], context: Context) -> Schedule:
    """Return the schedule of a table."""
    from cncopctl.core.schedule.table import read_entries

    entries = read_entries(table)
    if entry := entries.get("timezone"):
        context = context._replace(zone=checked_zone(str(entry.value)))
    if entry := entries.get("dst"):
        context = context._replace(dst=read_dst(entry))
    schedule = read_kind(entries, context)
    return bounded(schedule, entries, context)


def read_dst(entry: Entry) -> Dst:
    """Return what a table's `dst` says."""
    try:
        return Dst(str(entry.value))
    except ValueError as error:
        raise ScheduleError(
            f"dst {entry.value!r} is not known", f"write {' or '.join(Dst)}", field=entry.key
        ) from error


def read_kind(entries: dict[str, Entry], context: Context) -> Schedule:
    """Return the schedule of a table without its bounds."""
    from cncopctl.core.schedule.table import read_fields_of

    if entry := entries.get("cron"):
        return with_field(entry, context)
    if entry := entries.get("date"):
        moment = read_moment(entry.value, context.zone, entry.key)
        return Schedule(str(entry.value), moment, context.zone, context.dst)
    if entry := entries.get("interval"):
        return Schedule(str(entry.value), read_every(entry, entries, context), context.zone, context.dst)
    rule, warnings = read_fields_of(entries, context.seed)
    refuse_never(rule)
    text = ", ".join(f"{name} = {entry.value}" for name, entry in entries.items())
    return Schedule(text, rule, context.zone, context.dst, warnings=warnings)


def with_field(entry: Entry, context: Context) -> Schedule:
    """Return the schedule of a table's cron string."""
    if not isinstance(entry.value, str):
        raise ScheduleError(f"{entry.key}: {entry.value!r} is no text", 'write "30 2 * * *"', field=entry.key)
    return read_text(entry.value, context)


def read_every(entry: Entry, entries: dict[str, Entry], context: Context) -> Interval | Continuous:
    """Return the interval of a table, counted from its start date if it has one."""
    text = str(entry.value)
    if text.strip().lower() == intervals.CONTINUOUS:
        return Continuous()
    anchor = context.anchor
    if start := entries.get("start_date"):
        anchor = read_moment(start.value, context.zone, start.key).instant
    return Interval(intervals.read_interval(text, entry.key), anchor)


def bounded(schedule: Schedule, entries: dict[str, Entry], context: Context) -> Schedule:
    """Return the schedule within its start and end dates."""
    if "start_date" not in entries and "end_date" not in entries:
        return schedule
    start, end = (
        read_moment(entry.value, schedule.zone, entry.key).instant if (entry := entries.get(name)) else None
        for name in ("start_date", "end_date")
    )
    if start and end and end < start:
        raise ScheduleError(
            "the schedule ends before it starts", "swap the dates", field=entries["end_date"].key
        )
    return Schedule(schedule.text, schedule.rule, schedule.zone, context.dst, start, end, schedule.warnings)
