"""What a schema cannot say about the table of one job: places, sizes, agents and commands that must exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from cncopctl.core.faults import shown
from cncopctl.core.host import Host
from cncopctl.core.job import JobType
from cncopctl.core.remote_places import is_remote, remote_faults
from cncopctl.core.spans import parse_size, parse_span
from cncopctl.core.unit_text import refusal

# What the units' TimeoutStartSec= and the dispatcher's arithmetic are meant for.
_LONGEST_SPAN = timedelta(days=366)
# MemoryMax= takes 64 bits (systemd.resource-control(5)), and so do the engines.
_LARGEST_SIZE = 2**63 - 1
# NAME_MAX and PATH_MAX without its closing zero (limits.h); systemd refuses what is longer.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095

_COMMANDS = ("run_before", "run_after_success", "run_after_failure")
_TEXTS = ("title", "description", "source", "destination", "credential")

# The key at fault, what is wrong with it, and what to write instead.
Found = Iterator[tuple[str, str, str]]


def run_faults(table: Mapping[str, Any], host: Host) -> Found:
    """What is wrong with what a job says about its runs: texts, spans, limits, user commands."""
    yield from _text_faults(table)
    yield from _span_faults(table)
    yield from _size_faults(table)
    yield from _command_faults(table, host)
    yield from _effect_faults(table)


def place_faults(table: Mapping[str, Any], host: Host) -> Found:
    """What is wrong with what a job says about its source and destination."""
    missing = list(_missing(table))
    yield from missing
    if not missing:
        yield from _text_faults(table)
        yield from _span_faults(table)
        yield from _place_faults(table)
        yield from _path_faults(table)
        yield from remote_faults(table)
        yield from _agent_faults(table, host)
        yield from _credential_faults(table, host)


def _missing(table: Mapping[str, Any]) -> Found:
    remedies = {
        "type": "write one of CCS, CIFS, FTP, FTPS, MSSQL, RSYNC, SFTP, WIMG",
        "source": 'write a path or URL on one line, as in source = "/srv/www" or source = "backup@web-01:/srv/www"',
    }
    for key in (key for key in remedies if key not in table):
        yield key, "is missing", remedies[key]


def _text_faults(table: Mapping[str, Any]) -> Found:
    excluded = [("exclude", pattern) for pattern in table.get("exclude", [])]
    for key, value in [(key, table[key]) for key in _TEXTS if key in table] + excluded:
        if reason := refusal(value):
            yield key, reason, "leave that character out"


def _span_faults(table: Mapping[str, Any]) -> Found:
    for key in ("timeout", "command_timeout", "retry_interval", "random_delay", "max_age"):
        text = table.get(key, "1s")
        span = _span(text)
        if span > _LONGEST_SPAN:
            yield key, f"{shown(text)} is longer than a year", f'write a shorter span, as in {key} = "6h"'
        if not span and key in ("timeout", "command_timeout"):
            what = "run" if key == "timeout" else "command"
            yield (
                key,
                f"a {what} without any time cannot do anything",
                f'write how long a {what} may take, as in {key} = "6h"',
            )


def _span(text: str) -> timedelta:
    try:
        return parse_span(text)
    except OverflowError:
        return timedelta.max


def _size_faults(table: Mapping[str, Any]) -> Found:
    for key in ("memory", "bandwidth"):
        text = table.get("limits", {}).get(key, "1")
        if parse_size(text) > _LARGEST_SIZE:
            what = f"{shown(text)} is more than any machine has"
            yield f"limits.{key}", what, f'write a smaller size, as in {key} = "2G"'


def _place_faults(table: Mapping[str, Any]) -> Found:
    if table.get("direction", "PULL") == "PUSH":
        if "destination" not in table:
            yield (
                "destination",
                "is missing, and a PUSH job needs one",
                'write where the copy goes, as in destination = "backup@store:/srv/www"',
            )
        return
    destination = table.get("destination", "/unset")
    if is_remote(table["type"], destination):
        yield (
            "destination",
            f"{shown(destination)} is not an absolute path",
            'write the whole path of a directory of this machine, as in destination = "/srv/backup/web-01"',
        )


def _path_faults(table: Mapping[str, Any]) -> Found:
    """Paths of this machine stand in units, where systemd takes only those that are normalized."""
    for key in ("source", "destination"):
        path = table.get(key, "unset")
        if is_remote(table["type"], path):
            continue
        parts = PurePosixPath(path).parts
        if ".." in parts:
            yield key, f'{shown(path)} has ".." in it', "write the path that it leads to"
        longest = max(len(part.encode()) for part in parts)
        if longest > _LONGEST_NAME or len(path.encode()) > _LONGEST_PATH:
            what = f"{shown(path)} is longer than Linux allows"
            yield key, what, "255 bytes for each name and 4095 for the whole path are the most"


def _agent_faults(table: Mapping[str, Any], host: Host) -> Found:
    if JobType(table["type"]).agent() not in host.agents:
        installed = [kind for kind in JobType if kind.agent() in host.agents]
        yield (
            "type",
            f"no agent for {table['type']} is installed ({JobType(table['type']).agent()})",
            f"installed are the agents for: {', '.join(installed) or 'no type at all'}",
        )


def _command_faults(table: Mapping[str, Any], host: Host) -> Found:
    for key in _COMMANDS:
        if key in table and (reason := host.commands.get(table[key], "there is no such file")):
            yield (
                key,
                f"{shown(table[key])}: {reason}",
                "user commands are executable files in the bin directory beside the profile, "
                "which only root (or, for a user's jobs, that user) can write",
            )


def _credential_faults(table: Mapping[str, Any], host: Host) -> Found:
    name = table.get("credential")
    if name and name not in host.credentials:
        yield "credential", f"{shown(name)} is not stored", f"store it with: cncopctl credential set {name}"


def _effect_faults(table: Mapping[str, Any]) -> Found:
    if "in_blackout" in table and "blackout" not in table:
        yield (
            "in_blackout",
            "has no effect, as the job has no blackout",
            'name the calendar too, as in blackout = "holidays"',
        )
    if "command_timeout" in table and not any(key in table for key in _COMMANDS):
        yield "command_timeout", "has no effect, as the job has no commands", "leave it out"
    if "action_defaults" in table and "actions" not in table:
        yield "action_defaults", "has no effect, as the job has no actions", "write a list of actions, too"
