"""Covering the tables of a day rule with as few boxes as possible."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cncopctl.core.schedule.boxes import (
    COMMON_YEARS,
    FEBRUARY,
    LEAP_YEARS,
    LONG_MONTHS,
    SHORT_MONTHS,
    Days,
    tidy,
)
from cncopctl.core.schedule.fields import values_of
from cncopctl.core.schedule.lines import segments, write
from cncopctl.core.schedule.model import ALL_DAYS, ALL_WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cncopctl.core.schedule.model import DayRule

MON, FRI = 1, 1 << 4
MON_TO_FRI = 0b11111
# Per month length: its months and its years. A line has one set of either, so February's two lengths can
# share a line with others only when both are meant.
LENGTHS = {31: LONG_MONTHS, 30: SHORT_MONTHS, 29: FEBRUARY, 28: FEBRUARY}
GROUPS: tuple[tuple[int, ...], ...] = (
    (31, 30, 29, 28),
    (31, 30),
    (31, 29, 28),
    (30, 29, 28),
    (31,),
    (30,),
    (29, 28),
    (29,),
    (28,),
)
# systemd takes at most "28th last", three days fewer for each further element of the list.
FARTHEST = 28

Table = list[int]  # index: day, value: weekdays


class Candidate(NamedTuple):
    """A box that lies within the rule: a set of days in the months of some lengths."""

    weekdays: int
    days: int
    group: tuple[int, ...]
    from_end: bool
    cells: dict[int, int]


def cost(box: Candidate) -> tuple[bool, int, bool]:
    """Return how a person would rank a box among those that do as much: the less the better."""
    years_needed = len(box.group) == 1 and box.group[0] < 30
    return (years_needed, len(write(box.days, ALL_DAYS, 2)), box.from_end)


def cover(rule: DayRule, months: int, years: int, backward: bool) -> tuple[Days, ...]:
    """Return the boxes whose union is the rule, in the order of their days."""
    tables = {length: table(rule, length) for length in lengths_in(months, years)}
    open_cells = {length: cells_of_table(rows) for length, rows in tables.items()}
    candidates = list(candidates_of(tables, backward))
    chosen: list[Candidate] = []
    while any(open_cells.values()):
        gains = [gain(box, open_cells) for box in candidates]
        most = max(gains)
        best = min((box for box, cells in zip(candidates, gains, strict=True) if cells == most), key=cost)
        chosen.append(best)
        for length in best.group:
            open_cells[length] &= ~best.cells[length]
    boxes = (tidy(as_days(box, months, years)) for box in sorted(trimmed(chosen), key=place))
    return tuple(box for box in boxes if box)


def lengths_in(months: int, years: int) -> list[int]:
    """Return the month lengths that occur in these months and years."""
    found = [length for length, of_length in LENGTHS.items() if months & of_length]
    if not years & LEAP_YEARS:
        found = [length for length in found if length != 29]
    return found if years & COMMON_YEARS else [length for length in found if length != 28]


def table(rule: DayRule, length: int) -> Table:
    """Return, for each day of a month of this length, the weekdays on which it is meant."""
    rows = [0]
    for day in range(1, length + 1):
        number = by_number(rule, day, length)
        weekday = by_weekday(rule, day, length)
        rows.append(number | weekday if rule.either else number & weekday)
    return rows


def by_number(rule: DayRule, day: int, length: int) -> int:
    """Return the weekdays on which the day-of-month field means this day."""
    if (rule.days >> day | rule.from_end >> length - day) & 1:
        return ALL_WEEKDAYS
    found = 0
    nearest = rule.nearest & (1 << length + 1) - 1
    if nearest >> day & 1:
        found |= MON_TO_FRI
    if nearest >> day + 1 & 1 or (rule.last_weekday and day in (length - 1, length - 2)):
        found |= FRI
    if nearest >> day - 1 & 1:
        found |= MON
    if day == 3 and nearest >> 1 & 1:
        found |= MON  # the 1st is a Saturday: the Friday before is in another month
    if day == length - 2 and nearest >> length & 1:
        found |= FRI  # the last is a Sunday
    if rule.last_weekday and day == length:
        found |= MON_TO_FRI
    return found


def by_weekday(rule: DayRule, day: int, length: int) -> int:
    """Return the weekdays on which the day-of-week field means this day."""
    found = rule.weekdays | rule.nth >> (day - 1) // 7 * 7 & ALL_WEEKDAYS
    return found | rule.last if day > length - 7 else found


@lru_cache(maxsize=8192)
def cells(weekdays: int, days: int) -> int:
    """Return the cells of a box in one table: bit 7 * day + weekday."""
    return sum(weekdays << 7 * day for day in values_of(days))


def cells_of_table(rows: Table) -> int:
    """Return the cells that are set in a table."""
    return sum(weekdays << 7 * day for day, weekdays in enumerate(rows))


def candidates_of(tables: dict[int, Table], backward: bool) -> Iterator[Candidate]:
    """Yield the largest boxes that lie within the rule, for every set of weekdays that matters."""
    groups = [group for group in GROUPS if all(length in tables for length in group)]
    if len(tables) < 4:  # a February of one length needs no years of its own
        groups += [tuple(tables)] if tuple(tables) not in groups else []
    for weekdays in weekday_sets(tables):
        days = {length: days_with(weekdays, rows) for length, rows in tables.items()}
        for group in groups:
            yield from forward(weekdays, group, days)
            if backward:
                yield from from_end(weekdays, group, days)


def days_with(weekdays: int, rows: Table) -> int:
    """Return the days on which all of some weekdays are meant."""
    days = 0
    for day, row in enumerate(rows):
        if row & weekdays == weekdays:
            days |= 1 << day
    return days & ~1


def forward(weekdays: int, group: tuple[int, ...], days: dict[int, int]) -> Iterator[Candidate]:
    """Yield the largest box of some weekdays that months of all these lengths have; days beyond are free."""
    common = ALL_DAYS
    for length in group:
        common &= days[length] | -(1 << length + 1)
    if common:
        inside = {length: cells(weekdays, common & (1 << length + 1) - 1) for length in group}
        yield Candidate(weekdays, common, group, False, inside)


def from_end(weekdays: int, group: tuple[int, ...], days: dict[int, int]) -> Iterator[Candidate]:
    """Yield the largest boxes that months of all these lengths have, counted from their end."""
    common = (1 << FARTHEST + 1) - 2
    for length in group:
        common &= turned(days[length], length)
    for part in sayable(common):
        inside = {length: cells(weekdays, turned(part, length)) for length in group}
        yield Candidate(weekdays, part, group, True, inside)


def sayable(last: int) -> list[int]:
    """Return the parts of a set of days from the end that systemd takes as one list."""
    if not last or last == (1 << FARTHEST + 1) - 2:
        return []
    elements = segments(last)
    if last.bit_length() - 1 <= FARTHEST - 3 * (len(elements) - 1):
        return [last]
    return [sum(1 << value for value in range(low, high + 1, step)) for low, high, step in elements]


@lru_cache(maxsize=8192)
def turned(days: int, length: int) -> int:
    """Return days of a month counted from its other end."""
    return sum(1 << length + 1 - day for day in values_of(days))


def weekday_sets(tables: dict[int, Table]) -> set[int]:
    """Return the sets of weekdays that rows have, and those that rows have in common."""
    found = {row for rows in tables.values() for row in rows if row}
    for _ in range(2):
        found |= {one & other for one in found for other in found if one & other}
    return found


def gain(box: Candidate, open_cells: dict[int, int]) -> int:
    """Return how many cells the box would cover that are still open."""
    return sum((box.cells[length] & open_cells[length]).bit_count() for length in box.group)


def covered_by(boxes: list[Candidate]) -> dict[int, int]:
    """Return the cells that some boxes cover together."""
    together: dict[int, int] = {}
    for box in boxes:
        for length in box.group:
            together[length] = together.get(length, 0) | box.cells[length]
    return together


def trimmed(chosen: list[Candidate]) -> list[Candidate]:
    """Return the boxes without those, and without the days, that the others cover anyway."""
    kept = list(chosen)
    for box in chosen:
        others = covered_by([other for other in kept if other is not box])
        place_of = kept.index(box)
        left = needed_days(box, others)
        kept[place_of : place_of + 1] = [limited(box, left)] if left else []
    return kept


def limited(box: Candidate, days: int) -> Candidate:
    """Return the box with some of its days only."""
    if days == box.days:
        return box
    within = cells(ALL_WEEKDAYS, days)
    return box._replace(days=days, cells={length: mask & within for length, mask in box.cells.items()})


def needed_days(box: Candidate, others: dict[int, int]) -> int:
    """Return the days that the box must keep; all of them where fewer would read worse."""
    missing = {length: box.cells[length] & ~others.get(length, 0) for length in box.group}
    if not any(missing.values()) or box.from_end or box.days == ALL_DAYS:
        return box.days if any(missing.values()) else 0
    left = sum(
        1 << day
        for day in values_of(box.days)
        if any(missing[length] >> 7 * day & ALL_WEEKDAYS for length in box.group)
    )
    within = box.days & (1 << left.bit_length()) - (left & -left)
    return min((box.days, within, left), key=lambda days: len(write(days, ALL_DAYS, 2)))


def place(box: Candidate) -> tuple[int, ...]:
    """Return where a line stands among others: whole weekdays last, otherwise by its first day."""
    first = (box.days & -box.days).bit_length()
    return (box.days == ALL_DAYS, box.from_end, first, -len(box.group), -box.group[0])


def as_days(box: Candidate, months: int, years: int) -> Days:
    """Return a candidate as a box of the calendar."""
    of_group = 0
    for length in box.group:
        of_group |= LENGTHS[length]
    if box.group == (29,):
        years &= LEAP_YEARS
    elif box.group == (28,):
        years &= COMMON_YEARS
    return Days(box.weekdays, box.days, months & of_group, years, box.from_end)
