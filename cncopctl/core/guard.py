"""The guard: whether what a run found is so unlike the job's last backups that nothing old may be pruned.

A job is judged by its own history: the least and the most that its last backups held. Whoever has weekly dumps
beside nightly ones has a wide range, and is not warned of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cncopctl.core.spans import show_size

_REMEMBERED = 10

# Below these a source that grows is no danger: a directory of three files that becomes one of twenty.
_SMALL_FILES, _SMALL_BYTES = 100, 10 * 1024 * 1024


class Then(StrEnum):
    """How a run ends whose source is unlike the job's history."""

    WARN = "warn"
    ERROR = "error"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Guard:
    """How far a source may move, and how a run ends whose source has moved further.

    `shrink` is per cent below the least, `grow` above the most of the last backups, `after` how many there have to
    be. A source that is suddenly `empty` is a matter of its own: mostly its disk is not mounted.
    """

    then: Then = Then.WARN
    empty: Then = Then.ERROR
    shrink: int = 50
    grow: int = 300
    after: int = 3

    @classmethod
    def from_written(cls, written: str | Mapping[str, Any]) -> Guard:
        """The guard as a job has it: one word for everything, or a table.

        Raises:
            ValueError, TypeError: it is neither.
        """
        if isinstance(written, str):
            return cls(Then(written), Then(written))
        words = {key: Then(written[key]) for key in ("then", "empty") if key in written}
        return cls(**{**written, **words})

    def document(self) -> dict[str, Any]:
        """Plain values, for the compiled job."""
        return asdict(self) | {"then": str(self.then), "empty": str(self.empty)}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is wrong with a source, and how the run ends."""

    phrase: str
    then: Then


@dataclass(frozen=True, slots=True)
class Count:
    """What one backup held; `is_suspect` where the guard found fault with it."""

    files: int
    bytes: int
    run: str = ""
    snapshot: str = ""
    is_suspect: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What the job's last backups held, oldest first."""

    counts: tuple[Count, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Past:
        """What `document` made of it.

        Raises:
            KeyError, TypeError, ValueError: it is not such a document.
        """
        counts = tuple(Count(**entry) for entry in document["backups"])
        for count in counts:
            numbers, words = (count.files, count.bytes), (count.run, count.snapshot)
            if not (all(type(number) is int and number >= 0 for number in numbers)):
                raise ValueError(f"no numbers of files and bytes: {numbers}")
            if not all(isinstance(word, str) for word in words) or not isinstance(count.is_suspect, bool):
                raise ValueError("no run, or no snapshot")
        return cls(counts)

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"backups": [asdict(count) for count in self.counts]}

    def sound(self) -> Sequence[Count]:
        """Those that nothing was wrong with."""
        return [count for count in self.counts if not count.is_suspect]

    def with_(self, count: Count) -> Past:
        """The past with one more backup; suspects never push sound ones out."""
        kept: list[Count] = []
        left = {True: _REMEMBERED, False: _REMEMBERED}
        for entry in reversed((*self.counts, count)):
            if left[entry.is_suspect]:
                left[entry.is_suspect] -= 1
                kept.append(entry)
        return Past(tuple(reversed(kept)))

    def accepted(self) -> Past:
        """The past in which what the guard saw last is right, and what was before counts no more."""
        if not self.counts or not self.counts[-1].is_suspect:
            return self
        last = self.counts[-1]
        return Past((Count(last.files, last.bytes, last.run, last.snapshot),))


def suspicion(guard: Guard, past: Past, files: int, size: int) -> Suspicion | None:
    """What is wrong with a source of so many files and bytes, told with what was usual; None for nothing."""
    found = _suspicion(guard, past.sound(), files, size)
    return found if found and found.then is not Then.OFF else None


def _suspicion(guard: Guard, usual: Sequence[Count], files: int, size: int) -> Suspicion | None:
    if not files and any(count.files for count in usual):
        return Suspicion(f"the source is empty; {_before(usual)}", guard.empty)
    if not size and usual and all(count.bytes for count in usual):
        return Suspicion(f"every file of the source is empty; {_before(usual)}", guard.empty)
    if len(usual) < guard.after:
        return None
    ways = " and ".join(_ways(guard, usual, files, size))
    return Suspicion(f"{_shown(files, size)}: {ways}; {_before(usual)}", guard.then) if ways else None


def _ways(guard: Guard, usual: Sequence[Count], files: int, size: int) -> Iterator[str]:
    low, high = 1 - guard.shrink / 100, 1 + guard.grow / 100
    counts = [(files, [count.files for count in usual], "files", _SMALL_FILES)]
    counts += [(size, [count.bytes for count in usual], "bytes", _SMALL_BYTES)]
    for now, before, noun, small in counts:
        if now < min(before) * low:
            yield f"far fewer {noun} than ever"
        elif now > max(before) * high and now > small:
            yield f"far more {noun} than ever"


def _before(usual: Sequence[Count]) -> str:
    files = _range([f"{count.files:,}" for count in sorted(usual, key=lambda count: count.files)])
    sizes = _range([show_size(count.bytes) for count in sorted(usual, key=lambda count: count.bytes)])
    backups = "the last backup" if len(usual) == 1 else f"the last {len(usual)} backups"
    return f"{backups} had {files} file{'' if files == '1' else 's'}, {sizes}"


def _range(texts: Sequence[str]) -> str:
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def _shown(files: int, size: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}, {show_size(size)}"
