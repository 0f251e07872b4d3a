"""How often people are told the same of a job: a failure at once, and while it lasts now and then, with its count.

A job that fails every five minutes would else send three hundred mails a day, among which nobody finds the one of
the job that matters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from cncopctl.core.mail import ALWAYS, FAILURE, RECOVERY, occasion
from cncopctl.core.run import Run

# Letters in one period about a job that fails and works in turns, and all in all where it fails in ever new ways.
_TURNS, _MOST = 3, 10
_LONGEST = 200
# What differs between failures that are the same: numbers, paths and what is quoted.
_CHANGING = re.compile(r'"[^"]*"|\S*/\S*|[0-9]+')


@dataclass(frozen=True, slots=True)
class Told:
    """What people have been told of a job since `since`, when the present period began: `letters`, one at `last`.

    `said` is what the last letter said, `seen` how the last run ended: a kind of failure, or "" for OK. `kinds` are
    the failures that were told in this period, `untold` the failed runs since the last letter. Times are those
    at which runs began.
    """

    since: datetime
    last: datetime
    said: str
    seen: str
    kinds: tuple[str, ...] = ()
    letters: int = 1
    untold: int = 0

    def document(self) -> dict[str, Any]:
        """What there is to remember, as JSON has it."""
        return {
            "since": self.since.isoformat(),
            "last": self.last.isoformat(),
            "said": self.said,
            "seen": self.seen,
            "kinds": list(self.kinds),
            "letters": self.letters,
            "untold": self.untold,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """What `document` remembers.

        Raises:
            ValueError, KeyError, TypeError: it is no such document.
        """
        since, last = (datetime.fromisoformat(document[key]) for key in ("since", "last"))
        if since.tzinfo is None or last.tzinfo is None:
            raise TypeError("an instant has no time zone")
        return cls(
            since,
            last,
            said=str(document["said"]),
            seen=str(document["seen"]),
            kinds=tuple(map(str, document["kinds"])),
            letters=int(document["letters"]),
            untold=int(document["untold"]),
        )


def kind_of(run: Run) -> str:
    """What makes two failures the same to a person: how they ended, and why but for numbers and names; "" for OK."""
    if not (run.outcome and run.outcome.is_failure()):
        return ""
    return f"{run.outcome}: {_CHANGING.sub('…', run.phrase[:_LONGEST])}"


def tell(
    told: Told | None, on: Collection[str], run: Run, before: Run | None, period: timedelta
) -> tuple[bool, Told | None]:
    """Whether people are to get a letter about `run`, and what they have been told when they have it.

    Args:
        told: what they have been told of the job; None if nothing is known of that.
        on: the occasions that they ask for: a job of `always` tells of every run.
        run: the run that has ended, not SKIPPED.
        before: the job's run before it, likewise.
        period: for how long a failure that stays the same is told once.
    """
    kind = kind_of(run)
    if ALWAYS in on or not period:
        return bool(occasion(on, run, before)), None
    if told is None or run.started < told.last:  # a clock that was set back
        told = None
        is_due = bool(occasion(on, run, before))
    elif kind:
        is_due = FAILURE in on and _is_news(told, kind, run, period)
    else:
        is_due = RECOVERY in on and told.said != "" and (_is_over(told, run, period) or told.letters < _TURNS)
    if not is_due:
        return False, _seen(told, kind)
    return True, _with_letter(None if told and _is_over(told, run, period) else told, kind, run)


def _is_over(told: Told, run: Run, period: timedelta) -> bool:
    return run.started - told.since >= period


def _is_news(told: Told, kind: str, run: Run, period: timedelta) -> bool:
    if _is_over(told, run, period):
        return True
    return told.seen != kind and told.letters < (_TURNS if kind in told.kinds else _MOST)


def _seen(told: Told | None, kind: str) -> Told | None:
    if told is None:
        return None
    return Told(
        told.since, told.last, told.said, kind, told.kinds, told.letters, told.untold + (1 if kind else 0)
    )


def _with_letter(told: Told | None, kind: str, run: Run) -> Told:
    """What they know when they have the letter about `run`; a period begins with its first."""
    if told is None:
        return Told(run.started, run.started, kind, kind, (kind,) if kind else ())
    kinds = told.kinds if kind in ("", *told.kinds) else (*told.kinds, kind)
    return Told(told.since, run.started, kind, kind, kinds, told.letters + 1)
