"""Mail that waits to be sent: one JSON file each, which survives power cuts as reports do."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Ours are a few thousand bytes: what is larger was not queued by us.
_MOST_BYTES = 1024 * 1024


class MailQueue:
    """The directory of mail that waits."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> list[str]:
        """Names of the mails that wait, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self._directory) if _is_mail(name))
        return []

    def read(self, name: str) -> dict[str, Any]:
        """The queued document.

        Raises:
            OSError, ValueError: it cannot be read, or is none.
        """
        descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
        if not isinstance(document, dict):
            raise ValueError("is no JSON object")
        return document

    def failures(self) -> list[str]:
        """Why mails that wait were not sent, oldest first; those that nobody has tried to send yet are left out."""
        found = []
        for name in self.names():
            with contextlib.suppress(OSError, ValueError, RecursionError):
                found.append(str(self.read(name).get("failure") or ""))
        return [failure for failure in found if failure]

    def remove(self, name: str) -> None:
        """The mail has been sent."""
        (self._directory / name).unlink(missing_ok=True)

    def give_up(self, name: str, expired: Path) -> None:
        """Move the mail to where nobody tries it any more, unless somebody has taken it away.

        Raises:
            OSError: it cannot be moved.
        """
        expired.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (self._directory / name).rename(expired / name)
            os.utime(expired / name, follow_symlinks=False)  # its age there counts from now

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else sends from the queue meanwhile: a mail sent twice is one too many."""
        try:
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)


def forget_expired(expired: Path, older_than: float) -> list[OSError]:
    """Remove what was given up before that time, in seconds since the epoch; what could not be removed."""
    failed = []
    for entry in os.scandir(expired) if expired.is_dir() else ():
        try:
            is_old = entry.stat(follow_symlinks=False).st_mtime < older_than
            if is_old and not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            failed.append(error)
    return failed


def _is_mail(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")
