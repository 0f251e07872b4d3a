"""What the agents on rclone do: the same for every protocol, which follows from the job's type.

Each action imports what it needs when it needs it: a backup has begun restic by then, which takes longer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cncopctl.agentkit import pull
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.main import run
from cncopctl.agentkit.request import PASSWORD_FILE, Action, Direction, Request

if TYPE_CHECKING:
    from cncopctl.agentkit.place import Place
    from cncopctl.agentkit.progress import Progress
    from cncopctl.agentkit.result import Result

_Done = TypeVar("_Done")


def main() -> int:
    """What the executables do: perform a request, or tell ssh the password that it asks for (SSH_ASKPASS)."""
    if password := os.environ.get(PASSWORD_FILE):
        print(Path(password).read_text(errors="surrogateescape").partition("\n")[0])
        return 0
    return run(ACTIONS)


def backup(request: Request, progress: Progress) -> Result:
    """Bring the copy up to date; for PULL, take a snapshot of it."""
    if request.job.direction is Direction.PUSH:
        from cncopctl.agentkit.rclone_push import push

        return _with_fewer_connections(request, lambda again: push(again, progress))
    return pull.backup(request, progress, _fetch)


def _fetch(request: Request, place: Place, progress: Progress) -> pull.Fetched:
    from cncopctl.agentkit.rclone_pull import fetch

    return _with_fewer_connections(request, lambda again: fetch(again, place, progress))


def _with_fewer_connections(request: Request, work: Callable[[Request], _Done]) -> _Done:
    """What `work` brings; where the server allows too few connections, as another attempt does it: with one."""
    from cncopctl.agentkit.rclone import NoConnectionError

    try:
        return work(request)
    except NoConnectionError:
        return work(replace(request, attempt=request.attempt + 1))


def restore(request: Request, progress: Progress) -> Result:
    """Write the backup, or some paths of it, into a directory."""
    if request.job.direction is Direction.PUSH:
        from cncopctl.agentkit.rclone_push import pull_back

        return _with_fewer_connections(request, lambda again: pull_back(again, progress))
    from cncopctl.agentkit import restore as history

    return history.restore(request, progress)


def verify(request: Request, progress: Progress) -> Result:
    """Prove that the history can be read."""
    _only_pull(request)
    from cncopctl.agentkit import verify as drill

    return drill.verify(request, progress)


def prune(request: Request, progress: Progress) -> Result:
    """Remove the snapshots that no rule keeps."""
    _only_pull(request)
    return pull.prune(request, progress)


def accept(request: Request, progress: Progress) -> Result:
    """Take what the guard found fault with as right."""
    _only_pull(request)
    return pull.accept(request, progress)


def check(request: Request, progress: Progress) -> Result:
    """See whether both ends can be reached."""
    from cncopctl.agentkit import rclone_push

    return rclone_push.check(request, progress)


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
