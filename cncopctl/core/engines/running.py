"""Running an engine, as far as its callers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ran to its end; `errors` is the last part of what it wrote to stderr."""

    status: int
    errors: str


class Runner(Protocol):
    """Runs a program to its end, giving each line of its stdout to `on_line`."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        on_line: Callable[[bytes], None],
        cwd: Path | None,
        env: Mapping[str, str],
    ) -> Ended: ...
