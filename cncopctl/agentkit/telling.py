"""Telling how far restic is, from its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cncopctl.agentkit.progress import Progress
from cncopctl.core.engines import restic as reports


def teller(
    progress: Progress, phase: str, phrase: str, files: int | None, total: int | None
) -> Callable[[dict[str, Any]], None]:
    """A reader of restic's messages that tells them as progress; totals that are known go before restic's."""
    progress.tell(phase, phrase, bytes_total=total, files_total=files)

    def read(message: dict[str, Any]) -> None:
        if progress.is_due() and (now := reports.advance(message)):
            progress.tell(
                phase,
                phrase,
                bytes_done=now.bytes_done,
                bytes_total=total or now.bytes_total,
                files_done=now.files_done,
                files_total=files or now.files_total,
            )

    return read
