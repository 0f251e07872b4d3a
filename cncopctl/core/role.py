"""What a device is for. By itself, since every step of a run needs it, and nothing else of a profile."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """REMOTE is a Healthy Server, which keeps other machines' backups; anything else is LOCAL."""

    LOCAL = "LOCAL"
    REMOTE = "REMOTE"
