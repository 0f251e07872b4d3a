"""What restic reports, and its failures. Known to restic 0.14 and 0.18."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cncopctl.core.engines.diagnosis import Diagnosis, Symptom, first_fitting, first_lines
from cncopctl.core.engines.snapshots import Snapshot, parse_snapshot, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class Retained:
    """What the retention made of a repository: who stays by which rules, and who went; each oldest first."""

    kept: tuple[tuple[Snapshot, tuple[str, ...]], ...] = ()
    removed: tuple[Snapshot, ...] = ()

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        kept = [
            {"id": snapshot.id, "time": snapshot.time.isoformat(), "reasons": list(reasons)}
            for snapshot, reasons in self.kept
        ]
        removed = [{"id": snapshot.id, "time": snapshot.time.isoformat()} for snapshot in self.removed]
        return {"kept": kept, "removed": removed}


def parse_retained(line: bytes) -> Retained | None:
    """What `forget --json` says; None for any other line, since prose of its prune follows.

    Its reasons are in the order of what it keeps, without ids in old versions.
    """
    if not line.startswith(b"["):
        return None
    try:
        groups = [group for group in json.loads(line) if isinstance(group, dict)]
    except ValueError:
        return None
    kept = [
        (parse_snapshot(entry), tuple(str(word) for word in reason.get("matches") or ()))
        for group in groups
        for entry, reason in zip(group.get("keep") or (), group.get("reasons") or (), strict=False)
    ]
    removed = [parse_snapshot(entry) for group in groups for entry in group.get("remove") or ()]
    return Retained(
        tuple(sorted(kept, key=lambda pair: pair[0].time)),
        tuple(sorted(removed, key=lambda snapshot: snapshot.time)),
    )


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock in a repository, and the process that took it."""

    hostname: str
    pid: int


def parse_lock(text: str) -> Lock | None:
    """What `cat lock` says, None where it says nothing that can be understood."""
    try:
        document = json.loads(text)
        return Lock(str(document["hostname"]), int(document["pid"]))
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Node:
    """A file, directory or link in a snapshot; `path` is from the root of the backup, without a slash before it."""

    path: str
    kind: str
    permissions: str
    uid: int
    gid: int
    size: int
    modified: datetime

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "path": self.path,
            "type": self.kind,
            "permissions": self.permissions,
            "uid": self.uid,
            "gid": self.gid,
            "size": self.size,
            "modified": self.modified.isoformat(),
        }


def parse_node(message: Mapping[str, Any]) -> Node | None:
    """The node of a line of `ls --json` or a match of `find --json`; None where it is none."""
    if "path" not in message or "type" not in message:
        return None
    return Node(
        path=str(message["path"]).strip("/"),
        kind=str(message["type"]),
        permissions=str(message.get("permissions") or ""),
        uid=int(message.get("uid") or 0),
        gid=int(message.get("gid") or 0),
        size=int(message.get("size") or 0),
        modified=parse_time(str(message["mtime"])),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """How a path differs between two snapshots.

    `kind` is restic's letter: `+` and `-` for added and removed, `M` content, `U` metadata, `T` type.
    """

    path: str
    kind: str


def parse_change(message: Mapping[str, Any]) -> Change | None:
    """The change of a line of `diff --json`; None where it is none."""
    if message.get("message_type") != "change":
        return None
    return Change(str(message["path"]).lstrip("/"), str(message["modifier"]))


_MEMBER = r"(?:\\.|[^]\\-])"
_PATTERN = re.compile(rf"(?:\\.|[^[\\]|\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\])*", re.DOTALL)


def is_pattern(text: str) -> bool:
    """Whether restic takes `text`, a part of a path, for a pattern (Go's path/filepath, Match)."""
    return bool(_PATTERN.fullmatch(text))


_UNREAD_TREE = r"Unable to load tree \S+\n \.\.\. which belongs to snapshot (\S+)\n"


def split_answer(text: str) -> tuple[list[str], str]:
    """What `find --json` says, without its prose; before it the ids of snapshots that it could not look through."""
    return list(dict.fromkeys(re.findall(_UNREAD_TREE, text))), re.sub(_UNREAD_TREE, "", text)


def unread_snapshots(errors: str) -> list[str]:
    """Ids of snapshots that restic passed over, since their files cannot be read: it ends with 0 all the same."""
    found = re.findall(r'^(?:Ignoring "?|could not load snapshot )([0-9a-f]{8,64})', errors, re.MULTILINE)
    return list(dict.fromkeys(found))


def parse_matches(text: str) -> list[tuple[str, Node]]:
    """What `find --json` found: ids of snapshots with what matches in each."""
    found = []
    for entry in json.loads(text or "[]") or []:
        nodes = [parse_node(match) for match in entry.get("matches") or ()]
        found += [(str(entry["snapshot"]), node) for node in nodes if node]
    return found


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
_DAMAGED = (
    "the repository at {where} is damaged",
    "keep it as it is, see what is lost with: restic check --read-data, and test the disk; "
    "the latest state is in mirror/ beside it",
)
_LOCKED = ("the repository at {where} is in use by another restic", "")

TABLE: tuple[Symptom, ...] = (
    Symptom(r"wrong password or no key found", *_WRONG_PASSWORD),
    Symptom(
        r"already locked.* by PID (?P<pid>\d+) on (?P<host>\S+)",
        "the repository at {where} is in use by another restic",
        "it is process {pid} on {host}; if that is long gone: restic unlock --remove-all",
        transient=True,
    ),
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
        r"Is there a repository at the following location|unable to open config file|/config: no such file|"
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
        r"invalid data returned|pack .* (?:does not exist|contains .* errors)|file is too short|"
        r"Load(?:Raw)?\(<(?:data|index|snapshot)/.*(?: no such file|ReadFull.*EOF)|unable to load tree|"
        r"not found in (?:repository|index)|is not known; the repository could be damaged",
        *_DAMAGED,
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
    found = first_fitting(TABLE, status, errors, known)
    if status in _STATUSES and (found is None or found.transient != _STATUSES[status][1]):
        (phrase, hint), transient = _STATUSES[status]
        return Diagnosis(phrase.replace("{where}", repository), hint, transient)
    if found is not None:
        return found
    words = first_lines(_prose(errors))
    return Diagnosis(f"restic ended with status {status}" + (f": {words}" if words else ""))


# What fails while files are written is where they are written, not the repository.
_OF_TARGET: tuple[Symptom, ...] = (
    Symptom(
        r"no space left on device|disk quota exceeded",
        "the disk of {to} is full",
        "make room there, or restore to another disk; what is there already is overwritten by --force",
    ),
    Symptom(r"read-only file system", "the file system of {to} is read-only", "restore to another directory"),
)
_ITEMS = 5


def diagnose_restore(status: int, errors: str, repository: str, to: str) -> Diagnosis:
    """Why a restore into the directory `to` ended with `status`, with the first files that did not come back."""
    found = first_fitting(_OF_TARGET, status, errors, {"to": to}) or diagnose(status, errors, repository)
    lost = list(dict.fromkeys(filter(None, map(_item, errors.splitlines()))))
    if not lost:
        return found
    more = f" and {len(lost) - _ITEMS:,} more" if len(lost) > _ITEMS else ""
    return replace(found, phrase=f"{found.phrase}; not restored: {', '.join(lost[:_ITEMS])}{more}")


def _item(line: str) -> str:
    """The path that a line of errors is about: in prose as of restic 0.14, or in JSON as of later ones."""
    if said := re.match(r"ignoring error for (/.+?): ", line):
        return said[1].strip("/")
    return str(parse_line(line.encode(errors="surrogateescape")).get("item") or "").strip("/")


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
