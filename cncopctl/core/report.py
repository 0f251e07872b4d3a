"""Reports: what a run tells the hub, each as one JSON document (Config/report.schema.json).

One report has one id, by which the hub takes it once. All that others wrote is cut to a bound and is text that
every reader of JSON takes: a report that nobody can read would be tried for ever.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cncopctl.core.outcome import count
from cncopctl.core.run import Run

VERSION = 1

# The order in which reports are handed over, whatever their age: what is most urgent to know goes first.
KINDS = ("JE", "JS", "JF", "VIRUS")

# A file that is larger was not written as a report.
MOST_BYTES = 1024 * 1024

_NAME = re.compile(r"([A-Z]+)-([0-9]{8}T[0-9]{6}Z)-([0-9a-f]{32})\.json")

# The original's bound on what is told of a command's stderr, in bytes.
EXCEPTION_BYTES = 2048

# Bounds of texts in characters, and of all warnings of a run together, in characters and by number.
_TEXT, _WARNINGS, _MOST_WARNINGS = 2000, 16_000, 100
_ACTION = 250  # each of the texts of at most fifty actions

# What statistics tell of an action.
_NUMBERS = ("name", "action", "outcome", "attempts", "seconds", "files", "bytes")


def finished_report(run: Run) -> dict[str, Any]:
    """The job-finished report of a run that has ended."""
    return _report("JF", run) | {"run": _bounded(run.document())}


def statistics_report(run: Run, result: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics report of a run that has ended: its numbers, for whoever adds them up.

    Args:
        run: the run.
        result: what its agent left, {} where it left nothing; of several actions only the last one's is known.
    """
    ended = run.ended or run.started
    statistics = {
        "outcome": str(run.outcome),
        "started": run.started.isoformat(),
        "ended": ended.isoformat(),
        # A clock that was set back meanwhile makes no run shorter than nothing.
        "seconds": max(0.0, round((ended - run.started).total_seconds(), 3)),
        "attempts": run.attempts,
        "files": run.files,
        "bytes": run.bytes,
        "warnings": len(run.warnings),
    }
    told = {key: count(result.get(key)) for key in ("files_changed", "bytes_transferred") if not run.actions}
    known: dict[str, Any] = {key: value for key, value in told.items() if value is not None}
    if run.actions:
        known["actions"] = [{key: _short(action[key]) for key in _NUMBERS} for action in run.actions]
    return _report("JS", run) | {"run": {"id": run.id, "job": run.job}, "statistics": statistics | known}


def exception_report(run: Run, command: str, status: int, stderr: bytes) -> dict[str, Any]:
    """The exception report of a run whose run-before command failed.

    Args:
        run: the run that it preceded, ended or not.
        command: the command's name under Bin/.
        status: its exit status, negative for a signal.
        stderr: what it wrote there, from its beginning; the first 2,048 bytes of it are told.
    """
    exception = {
        "command": legible(command),
        "status": status,
        "stderr": first_bytes(stderr),
        "is_cut": len(stderr) > EXCEPTION_BYTES,
    }
    return _report("JE", run) | {"run": _bounded(run.document()), "exception": exception}


def _report(kind: str, run: Run) -> dict[str, Any]:
    return {"report": VERSION, "kind": kind, "id": f"{kind}-{run.id}"}


def report_name(kind: str, run_id: str, at: datetime) -> str:
    """Name of the report's file: `PREFIX-<time>-<run id>.json`, the time in UTC so that names sort by age."""
    return f"{kind}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{run_id}.json"


def place_in_order(name: str) -> tuple[int, str]:
    """Where a file of that name comes among those that wait: by kind, then by age, lowest first.

    Raises:
        ValueError: it is no report's name.
    """
    found = _NAME.fullmatch(name)
    if found is None or found[1] not in KINDS:
        raise ValueError("it has no report's name")
    return KINDS.index(found[1]), found[2]


def read_report(name: str, data: bytes) -> dict[str, Any]:
    """The report that a file of that name and content is.

    Only what is needed to hand it over is looked at: whoever takes it judges the rest.

    Raises:
        ValueError: it is none; the message says why.
    """
    kind = KINDS[place_in_order(name)[0]]
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    run_id = name.rpartition("-")[2].removesuffix(".json")
    if not isinstance(report, dict) or (report.get("kind"), report.get("id")) != (kind, f"{kind}-{run_id}"):
        raise ValueError("its name and its content differ")
    return report


def first_bytes(data: bytes, limit: int = EXCEPTION_BYTES) -> str:
    """The first `limit` bytes as text, cut at a character's boundary; bytes that are no UTF-8 are written out.

    Written out (`\\xff`) they are longer: the text, too, is cut to `limit` bytes.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    text = _written_out(decoder.decode(data[:limit], final=len(data) <= limit))
    return text.encode()[:limit].decode("utf-8", "ignore")


def legible(text: str, limit: int = _TEXT) -> str:
    """`text` of at most `limit` characters, as every reader of JSON takes it."""
    shown = _written_out(text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _short(value: Any) -> Any:
    return legible(value, _ACTION) if isinstance(value, str) else value


def _written_out(text: str) -> str:
    """`text` with escapes for halves of surrogate pairs (RFC 8259, section 8.2) and NUL (PostgreSQL's jsonb)."""
    return re.sub(r"[\x00\ud800-\udfff]", lambda found: found[0].encode("unicode_escape").decode(), text)


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a run with texts of bounded length, all its warnings within one bound."""
    values = {key: legible(value) if isinstance(value, str) else value for key, value in document.items()}
    room = _WARNINGS
    warnings: list[str] = []
    for warning in map(legible, document["warnings"]):
        room -= len(warning)
        if room < 0 or len(warnings) == _MOST_WARNINGS:
            warnings.append(f"… and {len(document['warnings']) - len(warnings)} more warnings")
            break
        warnings.append(warning)
    actions = [
        {key: _short(value) for key, value in action.items()} for action in document.get("actions", ())
    ]
    return values | {"warnings": warnings} | ({"actions": actions} if actions else {})
