"""The one failure of this package: a schedule that cannot be read, never elapses or cannot be said."""

from __future__ import annotations

from cncopctl.core.errors import CncopError


class ScheduleError(CncopError):
    """A schedule is refused: what is wrong, what to write instead, and where it stands.

    `field` is the name of the faulty field ("hour", "day-of-week", "schedule_interval"; empty when it
    is the schedule as a whole), `position` the index of the faulty character in the text as it was
    written (None when there is no text to point into).
    """

    exit_status = 10

    def __init__(self, message: str, hint: str = "", *, field: str = "", position: int | None = None) -> None:
        super().__init__(message, hint)
        self.field = field
        self.position = position
