"""Values that many tests need: a host, and profiles from a few lines of TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from cncopctl.core.faults import Fault, ProfileError
from cncopctl.core.host import Host
from cncopctl.core.job import Job, Profile
from cncopctl.core.profile import Document, build_profile
from cncopctl.edges.profile_files import ProfileFile, parse_profile_file
from cncopctl.edges.schema import ProfileSchema
from cncopctl.edges.share import share

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPOSITORIES = PurePosixPath("/var/lib/cncop/backups")
SCHEMA = ProfileSchema(share("Config", "profile.schema.json"))

HOST = Host(
    machine_id="0123456789abcdef0123456789abcdef",
    zone="Europe/Berlin",
    systemd=252,
    python="/usr/bin/python3",
    agents={"backupagentrsync": "/usr/lib/cncop/agents/backupagentrsync"},
    commands={"dump": "", "loose": "others can write /etc/cncop/bin/loose"},
    credentials=frozenset({"web-01"}),
    now=NOW,
)

JOB = {"id": '"web-01"', "type": '"RSYNC"', "schedule": '"30 2 * * *"', "source": '"/srv"'}


def job_toml(**changes: str | None) -> str:
    """A profile of one job that is valid but for `changes`, in TOML; None leaves a key out."""
    lines = [f"{key} = {value}" for key, value in (JOB | changes).items() if value is not None]
    return "\n".join(["schema = 1", "[[job]]", *lines, ""])


def job_table(**changes: str | None) -> str:
    """The same, as one more job of a file."""
    return job_toml(**changes).removeprefix("schema = 1\n")


def profile_from(files: Mapping[str, str | bytes], **facts: Any) -> Profile:
    """The profile that files of these names and contents make, on a host with these facts."""
    documents = []
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        values, faults = parse_profile_file(ProfileFile(name, data))
        documents.append(Document(name, values, faults or SCHEMA.faults(name, values)))
    return build_profile(documents, replace(HOST, **facts), REPOSITORIES)


def job_from(**changes: str | None) -> Job:
    """The one job of a valid profile."""
    (job,) = profile_from({"profile.toml": job_toml(**changes)}).jobs.values()
    return job


def faults_of(files: Mapping[str, str | bytes], **facts: Any) -> tuple[Fault, ...]:
    """Everything that is wrong with them; nothing where they are valid."""
    try:
        profile_from(files, **facts)
    except ProfileError as error:
        return error.faults
    return ()
