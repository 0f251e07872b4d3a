"""What goes wrong in a way that a user can mend.

    CncopError                  exit 1   never raised itself
    ├── UsageError              exit 2   the command line names something that is not there
    │   └── NoJobError                   a job, and none at all is installed
    ├── ProfileError            exit 10  profile or configuration; carries every fault found
    ├── LockedError             exit 11  another program of ours is at it
    ├── InstallError            exit 12  units could not be written, verified or read
    ├── SystemdError            exit 13  no systemd manager answers, or it refused
    └── NetworkError            exit 14  a server cannot be reached

The core raises and never prints; entry points print `message`, then `hint`, and exit with `exit_status`
(design: exit statuses are part of the command line's contract).
"""

from __future__ import annotations

from typing import ClassVar


class CncopError(Exception):
    """A foreseeable failure: what is wrong, and what to do about it."""

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CncopError):
    """The command line names something that is not there, or contradicts itself."""

    exit_status = 2


class NoJobError(UsageError):
    """A job was named where none is installed at all: perhaps it is another installation that was meant."""


class LockedError(CncopError):
    """Another cncop program holds what this one needs."""

    exit_status = 11


class InstallError(CncopError):
    """Units or state could not be read, verified or written."""

    exit_status = 12


class SystemdError(CncopError):
    """No systemd manager answers, or it refused."""

    exit_status = 13


class NetworkError(CncopError):
    """A server cannot be reached."""

    exit_status = 14
