"""Reading profile files: TOML to documents, whatever the bytes are."""

from __future__ import annotations

import os
import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from cncopctl.core.faults import Fault, printable
from cncopctl.core.unit_text import refusal

# 10,000 jobs take about 4 MB; parsing takes a second for each 8 MB or so, and no human wrote more.
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A profile file as it was found: its name for messages, its bytes, and why they cannot be used."""

    name: str
    content: bytes = b""
    fault: Fault | None = None


def find_profile_files(profile: Path, own_jobs: Path) -> list[ProfileFile]:
    """The hub's profile, then the administrator's own by name; those that exist.

    Hidden files and those that do not end in `.toml` are left alone, as editors leave backups behind.
    """
    # A link that leads nowhere is found, too: it must not look like a profile without jobs.
    found = [profile] if os.path.lexists(profile) else []
    try:
        names = sorted(os.listdir(own_jobs))
    except FileNotFoundError:
        names = []
    except OSError as error:
        return [*_files(found, profile.parent), _unreadable(own_jobs, own_jobs.name, error)]
    found += [own_jobs / name for name in names if name.endswith(".toml") and not name.startswith(".")]
    return _files(found, profile.parent)


def find_calendar_files(directory: Path) -> list[ProfileFile]:
    """The files that calendars may name, by name; hidden ones are left alone."""
    try:
        names = sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        return [_unreadable(directory, directory.name, error)]
    return _files([directory / name for name in names], directory)


def calendar_text(file: ProfileFile) -> str | Fault:
    """What `file` says, or why it cannot be read."""
    if file.fault:
        return file.fault
    try:
        return file.content.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        return Fault(file.name, "is not UTF-8", "save the file as UTF-8")


def _files(paths: Iterable[Path], base: Path) -> list[ProfileFile]:
    return [_read(path, str(path.relative_to(base))) for path in paths]


def _read(path: Path, name: str) -> ProfileFile:
    if reason := refusal(name):
        return _unusable(name, f"has a name whose {reason}", "give the file another name")
    try:
        if path.exists() and not path.is_file():
            return _unusable(name, "is not a file", f"look at: ls -ld {path}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        return _unreadable(path, name, error)
    if len(content) > MOST_BYTES:
        return _unusable(
            name, f"is larger than {MOST_BYTES >> 20} MiB", "split it over several files in jobs.d"
        )
    return ProfileFile(name, content)


def _unreadable(path: Path, name: str, error: OSError) -> ProfileFile:
    return _unusable(name, f"cannot be read: {error.strerror}", f"look at: ls -l {path}")


def _unusable(name: str, what: str, remedy: str) -> ProfileFile:
    return ProfileFile(name, fault=Fault(printable(name), what, printable(remedy)))


def parse_profile_file(file: ProfileFile) -> tuple[Mapping[str, Any], tuple[Fault, ...]]:
    """The values of `file`, or why there are none. Dates and times become ISO 8601 text."""
    if file.fault:
        return {}, (file.fault,)
    try:
        return _plain(tomllib.loads(file.content.removeprefix(BOM_UTF8).decode("utf-8"))), ()
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        what = f"line {line} is not UTF-8 (byte 0x{file.content[error.start]:02x})"
        return {}, (Fault(file.name, what, "save the file as UTF-8"),)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else f"is not TOML: {error}"
        return {}, (
            Fault(file.name, what, 'text stands in quotes: title = "Web server"; see https://toml.io'),
        )


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case datetime() | date() | time():
            return value.isoformat()
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError("a whole number has more than the 64 bits that TOML knows")
        case _:
            return value
