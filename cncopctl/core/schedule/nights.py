"""The nights on which a schedule does not run as on others, because the clocks change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cncopctl.core.schedule.boxes import Times
from cncopctl.core.schedule.changes import Clock, changes_between
from cncopctl.core.schedule.days import days_of
from cncopctl.core.schedule.model import ALL_HOURS, CalendarRule, Schedule

if TYPE_CHECKING:
    from datetime import datetime

    from cncopctl.core.schedule.changes import Change


@dataclass(frozen=True, slots=True)
class Night:
    """A change of the clocks that touches a schedule: the UTC instant, and what happens in a sentence."""

    at: datetime
    sentence: str


def nights(schedule: Schedule, start: datetime, end: datetime) -> list[Night]:
    """Return the changes of the clocks from `start` to `end` (aware) that touch the schedule, in order."""
    rule = schedule.rule
    if not isinstance(rule, CalendarRule):
        return []
    clock = Clock(days_of(rule), Times(rule.hour, rule.minute, rule.second))
    found = []
    for change in changes_between(schedule.zone, start, end):
        low, high = sorted((change.wall_before(), change.wall_after()))
        if clock.first_within(low, high) is not None:
            found.append(Night(change.at, told(schedule, rule, change)))
    return found


def told(schedule: Schedule, rule: CalendarRule, change: Change) -> str:
    """Return what a change does to a schedule that has times within it."""
    low, high = sorted((change.wall_before(), change.wall_after()))
    what = "skip" if change.is_gap() else "repeat"
    night = f"{low:%Y-%m-%d}: the clocks {what} {low:%H:%M} to {high:%H:%M}"
    return f"{night}; {effect(schedule, rule, change)}"


def effect(schedule: Schedule, rule: CalendarRule, change: Change) -> str:
    """Return how the schedule takes it."""
    if change.is_gap():
        if not schedule.dst.catches_up():
            return "what falls into it does not run"
        if not rule.starred:
            return f"what falls into it runs once, at {change.wall_after():%H:%M}"
        return "nothing is due in it" if rule.hour == ALL_HOURS else "what falls into it does not run"
    if rule.starred and schedule.dst.catches_up():
        return "the schedule runs through both passes"
    return "what falls into it runs the first time only"
