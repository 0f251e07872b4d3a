"""Proving translations: our own evaluation of each schedule against systemd's of its lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from cncopctl.core.schedule import Schedule, Translation
from cncopctl.core.schedule.proof import Difference, bases, differences
from cncopctl.edges.analyze import elapses

# Elapses of each line that are compared from each base time.
ELAPSES = 12


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of one translation: from how many base times it was looked at, and where it departs."""

    base_times: int
    differences: tuple[Difference, ...]

    def holds(self) -> bool:
        """Whether systemd elapses when the schedule means it, and only then."""
        return not self.differences


def prove(cases: Sequence[tuple[Schedule, Translation]], now: datetime) -> list[Proof]:
    """Compare each translation with its schedule, from base times around everything that is unusual.

    systemd is asked once for each zone and base time, whatever the number of cases.

    Raises:
        SystemdError: systemd-analyze cannot be started, or refuses a line.
    """
    wanted: dict[tuple[str | None, datetime], dict[str, None]] = {}
    looked_at = []
    for schedule, translation in cases:
        times = list(bases(schedule, translation, now)) if translation.oncalendar else []
        looked_at.append(len(times))
        for base in times:
            wanted.setdefault((schedule.zone, base), {}).update(dict.fromkeys(translation.oncalendar))
    known: dict[tuple[str | None, datetime, str], list[datetime]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda asked: elapses(list(wanted[asked]), asked[1], ELAPSES, asked[0]), wanted)
        for (zone, base), answered in zip(wanted, answers, strict=True):
            known |= {
                (zone, base, line): found for line, found in zip(wanted[zone, base], answered, strict=True)
            }
    return [
        Proof(count, _differences(schedule, translation, now, known))
        for (schedule, translation), count in zip(cases, looked_at, strict=True)
    ]


def _differences(
    schedule: Schedule,
    translation: Translation,
    now: datetime,
    known: dict[tuple[str | None, datetime, str], list[datetime]],
) -> tuple[Difference, ...]:
    if not translation.oncalendar:
        return ()

    def answered(lines: Sequence[str], base: datetime, count: int) -> list[list[datetime]]:
        return [known[schedule.zone, base, line][:count] for line in lines]

    return tuple(differences(schedule, translation, now, answered, ELAPSES))
