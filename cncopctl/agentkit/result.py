"""What an agent leaves: the result file, complete or absent."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cncopctl.agentkit.request import CONTRACT

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Result:
    """What was done; None where the action has nothing to say of it. Sizes are bytes."""

    phrase: str
    snapshot: str | None = None
    files: int | None = None
    bytes: int | None = None
    files_changed: int | None = None
    bytes_transferred: int | None = None
    warnings: list[str] = field(default_factory=list)
    hint: str = ""
    snapshots: list[dict[str, Any]] | None = None
    retention: dict[str, Any] | None = None
    drill: dict[str, Any] | None = None
    overwritten: int | None = None

    def document(self) -> dict[str, Any]:
        """The result as the contract writes it: what nothing is said of is left out, save the snapshot."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, "")}
        return {"contract": CONTRACT, "snapshot": None} | said


def write_result(result: Result, path: Path) -> None:
    """Write `result` to `path`, so that whoever reads it sees all of it or nothing."""
    text = json.dumps(result.document(), ensure_ascii=False, indent=1) + "\n"
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(_legible(text), encoding="utf-8")
    partial.replace(path)


def _legible(text: str) -> str:
    """JSON in which bytes of file names that are not UTF-8 are written out, so that anyone can pass it on."""
    return re.sub(r"[\udc80-\udcff]", lambda byte: rf"\\x{ord(byte[0]) - 0xDC00:02x}", text)
