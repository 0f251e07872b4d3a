"""What the agents on rclone do: the same for every protocol, which follows from the job's type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.agentkit import pull
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.main import run
from cncopctl.agentkit.rclone_pull import fetch
from cncopctl.agentkit.rclone_push import check, pull_back, push
from cncopctl.agentkit.request import Action, Direction, Request
from cncopctl.agentkit.sftp_survey import PASSWORD_FILE

if TYPE_CHECKING:
    from cncopctl.agentkit.progress import Progress
    from cncopctl.agentkit.result import Result


def main() -> int:
    """What the executables do: perform a request, or tell ssh the password that it asks for (SSH_ASKPASS)."""
    if password := os.environ.get(PASSWORD_FILE):
        print(Path(password).read_text(errors="surrogateescape").partition("\n")[0])
        return 0
    return run(ACTIONS)


def backup(request: Request, progress: Progress) -> Result:
    """Bring the copy up to date; for PULL, take a snapshot of it."""
    if request.job.direction is Direction.PUSH:
        return push(request, progress)
    return pull.backup(request, progress, fetch)


def restore(request: Request, progress: Progress) -> Result:
    """Write the backup, or some paths of it, into a directory."""
    if request.job.direction is Direction.PUSH:
        return pull_back(request, progress)
    return pull.restore(request, progress)


def verify(request: Request, progress: Progress) -> Result:
    """Prove that the history can be read."""
    _only_pull(request)
    return pull.verify(request, progress)


def prune(request: Request, progress: Progress) -> Result:
    """Remove the snapshots that no rule keeps."""
    _only_pull(request)
    return pull.prune(request, progress)


def accept(request: Request, progress: Progress) -> Result:
    """Take what the guard found fault with as right."""
    _only_pull(request)
    return pull.accept(request, progress)


def _only_pull(request: Request) -> None:
    if request.job.direction is Direction.PUSH:
        raise AgentError(
            f"a PUSH job keeps no repository to {request.action}", "give this action to PULL jobs only"
        )


ACTIONS = {
    Action.BACKUP: backup,
    Action.RESTORE: restore,
    Action.VERIFY: verify,
    Action.PRUNE: prune,
    Action.CHECK: check,
    Action.ACCEPT: accept,
}
