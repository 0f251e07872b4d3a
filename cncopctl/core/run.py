"""A run: one execution of a job, from its gate to its close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from cncopctl.core.outcome import Outcome, count
from cncopctl.core.spans import show_size


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a run; `ended` and `outcome` are None while it lasts.

    The run id is systemd's invocation id, which the journal has on every line of the run, and which all
    processes of one start of the service share (systemd.exec(5), $INVOCATION_ID). `actions` tells how each of
    several actions has ended; a run of one action has none.
    """

    id: str
    job: str
    title: str
    started: datetime
    ended: datetime | None = None
    outcome: Outcome | None = None
    phrase: str = ""
    hint: str = ""
    attempts: int = 0
    snapshot: str = ""
    files: int = 0
    bytes: int = 0
    log: str = ""
    warnings: tuple[str, ...] = field(default=())
    actions: tuple[Mapping[str, Any], ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The run as JSON has it: instants in ISO 8601, what is not known left out."""
        values = asdict(self)
        values["started"] = self.started.isoformat()
        values["ended"] = self.ended.isoformat() if self.ended else None
        values["warnings"] = list(self.warnings)
        values["actions"] = [dict(action) for action in self.actions] or None
        return {key: value for key, value in values.items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The run that `document` made of it.

        Raises:
            ValueError, KeyError, TypeError: it is not such a document.
        """
        values = dict(document)
        values["started"] = datetime.fromisoformat(values["started"])
        if "ended" in values:
            values["ended"] = datetime.fromisoformat(values["ended"])
        if "outcome" in values:
            values["outcome"] = Outcome(values["outcome"])
        values["warnings"] = tuple(values.get("warnings", ()))
        values["actions"] = tuple(values.get("actions", ()))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come, as its agent last told; None is not known."""

    phase: str = ""
    phrase: str = ""
    bytes_done: int | None = None
    bytes_total: int | None = None
    files_done: int | None = None
    files_total: int | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Progress:
        """The progress that a line of an agent tells; what is of the wrong kind counts as not told."""
        return cls(
            phase=str(document.get("phase") or "")[:200],
            phrase=str(document.get("phrase") or "")[:200],
            bytes_done=count(document.get("bytes_done")),
            bytes_total=count(document.get("bytes_total")),
            files_done=count(document.get("files_done")),
            files_total=count(document.get("files_total")),
        )

    def fraction(self) -> float | None:
        """How much is done, from 0 to 1; by bytes where they are known, else by files."""
        for done, total in ((self.bytes_done, self.bytes_total), (self.files_done, self.files_total)):
            if done is not None and total:
                return min(done / total, 1.0)
        return None

    def sentence(self) -> str:
        """How far it has come, on one line: `copying, 42%, 1.2 GiB`."""
        fraction = self.fraction()
        parts = [self.phrase or self.phase]
        parts += [f"{fraction:.0%}"] if fraction is not None else []
        parts += [show_size(self.bytes_done)] if self.bytes_done is not None else []
        return ", ".join(part for part in parts if part)
