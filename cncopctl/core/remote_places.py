"""What a schema cannot say about the places of jobs on SFTP, FTP, FTPS and CIFS servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cncopctl.core.engines.endpoint import EndpointError, has_password
from cncopctl.core.engines.rclone_filters import PatternError, expression
from cncopctl.core.engines.remote import FORMS, Protocol, parse_remote
from cncopctl.core.faults import shown


def remote_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The key at fault, what is wrong, and what to write, of a job whose type is one of ours."""
    job_type = table["type"]
    if job_type not in FORMS:
        yield from _password_faults(table)
        return
    pushes = table.get("direction", "PULL") == "PUSH"
    here, there = ("source", "destination") if pushes else ("destination", "source")
    if pushes and is_remote(job_type, table[here]):
        yield (
            "source",
            f"{shown(table[here])} is not on this machine, and a PUSH job sends what is",
            'write a path of this machine, as in source = "/srv/www"',
        )
    if there in table:
        yield from _remote_faults(job_type, there, table)
    for pattern in table.get("exclude", []):
        try:
            expression(pattern)
        except PatternError as error:
            yield "exclude", str(error), 'write a pattern as rsync reads it, as in exclude = ["*.tmp"]'


def _password_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Who can read profiles and compiled jobs is not to read passwords; types of ours look for themselves."""
    for key in ("source", "destination"):
        if has_password(table.get(key, "")):
            hint = 'store it with: cncopctl credential set NAME; and name it in the job: credential = "NAME"'
            yield key, "it has a password in it", hint


def _remote_faults(job_type: str, key: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    try:
        remote = parse_remote(table[key], job_type)
    except EndpointError as error:
        yield key, error.message, error.hint
        return
    if remote.protocol is Protocol.SFTP and "credential" not in table:
        yield (
            "credential",
            "is missing, and an SFTP server lets nobody in without",
            'name a stored private key or password, as in credential = "web-01"',
        )


def is_remote(job_type: str, text: str) -> bool:
    """Whether a place of a job is on a server: `//server/share` looks like a path, and is none."""
    return not text.startswith("/") or (job_type == "CIFS" and text.startswith("//"))


def as_url(job_type: str, text: str) -> str:
    """A place in the form that nobody takes for a path of this machine."""
    return f"smb:{text}" if job_type == "CIFS" and text.startswith("//") else text
