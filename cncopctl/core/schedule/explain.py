"""A schedule as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cncopctl.core.schedule.model import Schedule


def sentence(schedule: Schedule) -> str:
    """Return the schedule as one sentence in plain English."""
    return schedule.text
