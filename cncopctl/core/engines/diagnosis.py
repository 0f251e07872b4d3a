"""A failure of an engine in the user's words: what is wrong, what to do, whether trying again helps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an engine failed; `transient` where the same run would probably succeed a little later."""

    phrase: str
    hint: str = ""
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Symptom:
    """One row of an engine's table of failures.

    It fits a failure when `pattern` is found in what the engine wrote to stderr and, where `statuses` are
    given, the engine's exit status is one of them. `phrase` and `hint` may name groups of the pattern
    (`{path}`) and what the caller knows besides (`{where}`).
    """

    pattern: str
    phrase: str
    hint: str = ""
    transient: bool = False
    statuses: tuple[int, ...] = ()

    def diagnose(self, status: int, errors: str, known: dict[str, str]) -> Diagnosis | None:
        """The diagnosis, or None where this symptom does not fit."""
        if self.statuses and status not in self.statuses:
            return None
        found = re.search(self.pattern, errors, re.IGNORECASE | re.MULTILINE)
        if found is None:
            return None
        words = known | {name: text or "" for name, text in found.groupdict().items()}
        return Diagnosis(_fill(self.phrase, words), _fill(self.hint, words), self.transient)


def _fill(sentence: str, words: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda place: words.get(place[1], place[0]), sentence)


def first_fitting(
    table: Iterable[Symptom], status: int, errors: str, known: dict[str, str]
) -> Diagnosis | None:
    """The diagnosis of the first symptom of `table` that fits, or None."""
    diagnoses = (symptom.diagnose(status, errors, known) for symptom in table)
    return next((diagnosis for diagnosis in diagnoses if diagnosis is not None), None)


def first_lines(errors: str, count: int = 2) -> str:
    """The first lines of an engine's own words, for a failure that no table knows."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return "; ".join(lines[:count])
