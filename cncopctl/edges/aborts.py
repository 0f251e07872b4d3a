"""Who has aborted a run: one small file for each job, from the word that ends its run until that is closed."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

_MOST = 100


def note_abort(directory: Path, job_id: str, who: str) -> None:
    """Note who has aborted the run of the job that is under way; where that cannot be written, nobody is named."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / job_id).write_text(who, encoding="utf-8")


def take_abort(directory: Path, job_id: str) -> str:
    """Who has aborted the job's run, which has ended: it is asked once; "" if nobody has."""
    try:
        who = (directory / job_id).read_text(encoding="utf-8", errors="backslashreplace")[:_MOST]
        (directory / job_id).unlink()
    except OSError:
        return ""
    return who


def person(environment: Mapping[str, str]) -> str:
    """The name of the user who has started this program, by sudo or not; the number of one without a name."""
    if os.getuid() == 0 and (name := environment.get("SUDO_USER")):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
