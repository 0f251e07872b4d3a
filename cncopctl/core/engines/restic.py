"""What restic reports, and its failures. Known to restic 0.14 and 0.18."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from cncopctl.core.engines.diagnosis import Diagnosis, Symptom, first_fitting, first_lines

INCOMPLETE = 3
"""`restic backup` could not read everything, and saved a snapshot all the same."""


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a backup or a restore is; totals are None while they are not known."""

    bytes_done: int
    bytes_total: int | None
    files_done: int
    files_total: int | None


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a finished backup counted; `changed` are new and changed files, `added` bytes."""

    snapshot_id: str
    files: int
    bytes: int
    changed: int
    added: int


def parse_line(line: bytes) -> dict[str, Any]:
    """One line of `--json`; empty where it is prose, which old versions mix in."""
    if not line.startswith(b"{"):
        return {}
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def advance(message: dict[str, Any]) -> Advance | None:
    """What a status message says, None for any other message.

    `restore` counts `files_restored` where `backup` counts `files_done`.
    """
    if message.get("message_type") != "status":
        return None
    return Advance(
        message.get("bytes_done") or message.get("bytes_restored") or 0,
        message.get("total_bytes"),
        message.get("files_done") or message.get("files_restored") or 0,
        message.get("total_files"),
    )


def backup_summary(message: dict[str, Any]) -> BackupSummary | None:
    """What the summary of a backup says, None for any other message."""
    if message.get("message_type") != "summary" or "snapshot_id" not in message:
        return None
    return BackupSummary(
        message["snapshot_id"],
        message.get("total_files_processed", 0),
        message.get("total_bytes_processed", 0),
        message.get("files_new", 0) + message.get("files_changed", 0),
        message.get("data_added", 0),
    )


def forgotten(line: bytes) -> list[int]:
    """How many snapshots each group of a `forget --json` lost; empty for any other line."""
    if not line.startswith(b"["):
        return []
    try:
        groups = json.loads(line)
    except ValueError:
        return []
    return [len(group.get("remove") or ()) for group in groups if isinstance(group, dict)]


def version(text: str) -> tuple[int, int]:
    """Major and minor version from `restic version`; (0, 0) where it cannot be read."""
    found = re.match(r"restic (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def include_pattern(path: str) -> str:
    """A pattern of `restore --include` that matches `path`, from the root of the backup, and nothing else."""
    return "/" + re.sub(r"([\\*?\[\]])", r"\\\1", path.strip("/"))


def as_listed(path: str) -> str:
    """`path` as `restic ls --json` writes it: Go's JSON has U+FFFD for each byte that is not UTF-8."""
    return re.sub(r"[\udc80-\udcff]", "\ufffd", "/" + path.strip("/"))


_WRONG_PASSWORD = (
    "the password is not the one that the repository was created with",
    "put the old one back: cncopctl credential set repository-password",
)
_NO_REPOSITORY = ("there is no repository at {where}", "is its disk mounted?")
_LOCKED = ("the repository at {where} is in use by another restic", "")

TABLE: tuple[Symptom, ...] = (
    Symptom(r"wrong password or no key found", *_WRONG_PASSWORD),
    Symptom(
        r"repository is already locked|unable to create lock in backend: repository",
        *_LOCKED,
        transient=True,
    ),
    Symptom(
        r"no space left on device|disk quota exceeded",
        "the disk of the repository is full",
        "make room, or keep fewer snapshots",
    ),
    Symptom(
        r"Is there a repository at the following location|unable to open config file|"
        r"repository does not exist",
        *_NO_REPOSITORY,
    ),
    Symptom(
        r"read-only file system",
        "the file system of the repository is read-only",
        "mount it for writing; after an I/O error the kernel makes it read-only",
    ),
    Symptom(
        r"ciphertext verification failed|hash mismatch|does not match|Fatal: repository contains errors|"
        r"invalid data returned|pack .* (?:does not exist|contains .* errors)",
        "the repository at {where} is damaged",
        "keep it as it is, see what is lost with: restic check --read-data, and test the disk",
    ),
    Symptom(
        r"snapshot is empty",
        "the source is empty, so no snapshot was taken",
        "is the disk mounted that it should be on? earlier snapshots are as they were",
    ),
    Symptom(
        r"input/output error",
        "the disk of the repository reports an I/O error",
        "look at the kernel's log: journalctl -k",
    ),
    Symptom(
        r"permission denied",
        "the repository at {where} cannot be read or written by this user",
        "give it to the user who runs the job",
    ),
)

# Statuses 10 to 12 came with restic 0.17 and 0.17.1; older versions end 1 for all of them.
_STATUSES: dict[int, tuple[tuple[str, str], bool]] = {
    10: (_NO_REPOSITORY, False),
    11: (_LOCKED, True),
    12: (_WRONG_PASSWORD, False),
}


def diagnose(status: int, errors: str, repository: str) -> Diagnosis:
    """Why restic ended with `status`, having written `errors`."""
    known = {"where": repository}
    if status in _STATUSES:
        (phrase, hint), transient = _STATUSES[status]
        return Diagnosis(phrase.replace("{where}", repository), hint, transient)
    found = first_fitting(TABLE, status, errors, known)
    if found is not None:
        return found
    words = first_lines(_prose(errors))
    return Diagnosis(f"restic ended with status {status}" + (f": {words}" if words else ""))


def _prose(errors: str) -> str:
    """Error lines as prose: with --json restic writes its errors as JSON too."""
    return "\n".join(_error_text(line) for line in errors.splitlines())


def _error_text(line: str) -> str:
    message = parse_line(line.encode(errors="surrogateescape"))
    if not message:
        return line
    error = message.get("error")
    words = error.get("message") or error.get("Err") if isinstance(error, dict) else error
    return f"{message.get('item') or ''}: {words or message.get('message') or line}".removeprefix(": ")
