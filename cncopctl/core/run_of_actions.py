"""What the ends of several actions make of the run that they are steps of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cncopctl.core.compiled import CompiledAction
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run

Ended = tuple[CompiledAction, Run]


def run_of_actions(begun: Run, ended: Sequence[Ended], not_run: Sequence[CompiledAction]) -> Run:
    """The run as its actions have left it.

    Any failed action makes it a failure; its numbers are those of the first backup.

    Args:
        begun: the run as it began.
        ended: the actions that ran, in order, each with the run as it would be if that had been all.
        not_run: those that a failed mandatory action has kept from running.
    """
    failed = [(action, run) for action, run in ended if run.outcome is not Outcome.OK]
    backups = [run for action, run in ended if action.action == "backup"] or [run for _, run in ended]
    told = [f"{action.name}: {run.phrase}" for action, run in failed or ended]
    if not_run:
        told.append(f"not run: {', '.join(action.name for action in not_run)}")
    return replace(
        begun,
        outcome=_outcome([run.outcome for _, run in failed]),
        phrase="; ".join(told)[:2000],
        hint=next((run.hint for _, run in failed if run.hint), ""),
        attempts=max(run.attempts for _, run in ended),
        snapshot=next((run.snapshot for run in backups if run.snapshot), ""),
        files=backups[0].files,
        bytes=backups[0].bytes,
        warnings=tuple(f"{action.name}: {warning}" for action, run in ended for warning in run.warnings),
        actions=tuple(_told(action, run) for action, run in ended),
    )


def _outcome(failures: Sequence[Outcome | None]) -> Outcome:
    if not failures:
        return Outcome.OK
    if Outcome.ABORTED in failures:
        return Outcome.ABORTED
    return Outcome.RERUN if all(failure is Outcome.RERUN for failure in failures) else Outcome.ERROR


def _told(action: CompiledAction, run: Run) -> dict[str, Any]:
    return {
        "name": action.name,
        "action": action.action,
        "outcome": str(run.outcome),
        "phrase": run.phrase,
        "attempts": run.attempts,
        # A clock that was set back meanwhile makes no action shorter than nothing.
        "seconds": max(0.0, round((run.ended - run.started).total_seconds(), 3)) if run.ended else 0.0,
        "files": run.files,
        "bytes": run.bytes,
        "snapshot": run.snapshot,
    }
