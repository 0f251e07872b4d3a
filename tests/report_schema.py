"""The schema of reports, to which every report that a test meets is held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

_PATH = Path(__file__).parents[1] / "Config/report.schema.json"
_SCHEMA = json.loads(_PATH.read_text(encoding="utf-8"))
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)
MOST_BYTES = 1024 * 1024


def valid_report(name: str, text: str) -> dict[str, Any]:
    """The report that a file of that name has; an assertion fails where it is none."""
    report = json.loads(text)
    faults = [
        error.message for branch in _VALIDATOR.iter_errors(report) for error in branch.context or [branch]
    ]
    assert not faults, f"{name}: {faults}\n{text}"
    assert text.isascii()
    assert len(text) <= MOST_BYTES
    kind, _, run = str(report["id"]).partition("-")
    assert name.startswith(f"{kind}-"), name
    assert name.endswith(f"-{run}.json"), name
    return dict(report)


def check_schema() -> None:
    """The schema itself is one."""
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)
