"""Dates: one instant in ISO 8601, as a one-off schedule or as a bound of another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.model import FIRST_YEAR, LAST_YEAR, Moment
from cncopctl.core.schedule.zones import zone

if TYPE_CHECKING:
    from datetime import tzinfo

SECOND = timedelta(seconds=1)


def read_moment(value: object, zone_name: str | None, field: str) -> Moment:
    """Return the instant that an ISO 8601 date means; without an offset it stands in the schedule's zone.

    A local time that the clocks skip is the end of the gap; of one that they repeat, the first.

    Raises:
        ScheduleError: it is no such date, or not within 1970 to 2199.
    """
    moment = as_datetime(value, field)
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        hint = f"write a year from {FIRST_YEAR + 1} to {LAST_YEAR - 1}"
        raise ScheduleError(
            f"{moment.year} is beyond what systemd's calendar knows", hint, field=field, position=0
        )
    if moment.tzinfo is not None:
        return Moment(moment.astimezone(UTC))
    return Moment(instant_of(moment, zone_name), moment)


def as_datetime(value: object, field: str) -> datetime:
    """Return the datetime that a TOML value or a text means."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local until it gets its zone
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError as error:
        raise ScheduleError(
            f"{value!r} is no date", "write it as 2026-06-02T16:20:00", field=field, position=0
        ) from error


def instant_of(local: datetime, zone_name: str | None) -> datetime:
    """Return the UTC instant at which the clocks of a zone first show `local`, or jump over it."""
    if zone_name is None or zone_name == "UTC":
        return local.replace(tzinfo=UTC)
    rules = zone(zone_name)
    early = local.replace(tzinfo=rules, fold=0).astimezone(UTC)
    late = local.replace(tzinfo=rules, fold=1).astimezone(UTC)
    # In a gap PEP 495 lets fold=0 count by the offset before it, which gives the later instant.
    return early if early <= late else change_between(late, early, rules)


def change_between(low: datetime, high: datetime, rules: tzinfo) -> datetime:
    """Return the first instant after `low` at which the offset of `high` is in force."""
    after = high.astimezone(rules).utcoffset()
    while high - low > SECOND:
        middle = low + ((high - low) // 2 // SECOND) * SECOND
        if middle.astimezone(rules).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high
