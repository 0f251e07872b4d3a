"""Reading a schedule that is written as a table: cron with bounds, a date, an interval, or fields.

    cron = "30 2 * * *"    date = 2026-06-02T16:20:00    interval = "90 minutes"
    year, month, day, week, day_of_week, hour, minute, second
    start_date, end_date, timezone, dst

Each key may carry the prefix `schedule_`, as in the documents that the fields come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.tablefields import FIELDS, read_table_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cncopctl.core.schedule.cron import Reading
    from cncopctl.core.schedule.seed import Seed

PREFIX = "schedule_"
KINDS = ("cron", "date", "interval")
KEYS = (*KINDS, *FIELDS, "start_date", "end_date", "timezone", "dst")


class Entry(NamedTuple):
    """A value of the table and the key under which it was written."""

    key: str
    value: object


def read_entries(table: Mapping[str, object]) -> dict[str, Entry]:
    """Return the table by its keys without prefix.

    Raises:
        ScheduleError: a key is unknown, given twice, or of another kind of schedule.
    """
    entries: dict[str, Entry] = {}
    for key, value in table.items():
        name = key.removeprefix(PREFIX)
        if name not in KEYS:
            raise ScheduleError(f"{key} is no key of a schedule", nearest_key(name), field=key)
        if name in entries:
            raise ScheduleError(f"{key} is given twice", f"remove {entries[name].key}", field=key)
        entries[name] = Entry(key, value)
    check_kind(entries)
    return entries


def check_kind(entries: dict[str, Entry]) -> None:
    """Refuse a table that is none or several of cron, date, interval and fields."""
    kinds = [entries[kind].key for kind in KINDS if kind in entries]
    kinds += [entry.key for name, entry in entries.items() if name in FIELDS][:1]
    if not kinds:
        raise ScheduleError("the schedule says no time", "write cron, date, interval or fields such as hour")
    if len(kinds) > 1:
        raise ScheduleError(
            f"{kinds[0]} and {kinds[1]} do not go together", "write them as two schedules", field=kinds[1]
        )


def nearest_key(name: str) -> str:
    """Return a hint with the key that is most like `name`."""
    from difflib import get_close_matches

    close = get_close_matches(name, KEYS, n=1)
    return f"write {close[0]}" if close else f"write one of {', '.join(KEYS)}"


def read_fields_of(entries: dict[str, Entry], seed: Seed) -> Reading:
    """Return the rule of a table's fields, with errors that name the key as it was written."""
    texts = {name: as_text(entries[name]) for name in FIELDS if name in entries}
    try:
        return read_table_fields(texts, seed)
    except ScheduleError as error:
        name = error.field.replace("-", "_").replace("day_of_month", "day")
        error.field = entries[name].key if name in entries else error.field
        raise


def as_text(entry: Entry) -> str:
    """Return the text of a field: TOML may give a number or an array."""
    value = entry.value
    parts = value if isinstance(value, list | tuple) else [value]
    if not parts or not all(isinstance(part, int | str) and not isinstance(part, bool) for part in parts):
        raise ScheduleError(
            f"{entry.key}: {value!r} is no field", "write a number or a text", field=entry.key
        )
    return ",".join(str(part) for part in parts)
