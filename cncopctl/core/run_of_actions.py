"""What the ends of several actions make of the run that they are steps of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from cncopctl.core.compiled import CompiledAction
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run


class Ended(NamedTuple):
    """An action that ran: the run as it would be if that had been all, and how long it took, in seconds."""

    action: CompiledAction
    run: Run
    seconds: float


def run_of_actions(begun: Run, ended: Sequence[Ended], not_run: Sequence[CompiledAction]) -> Run:
    """The run as its actions have left it.

    Any failed action makes it a failure; its numbers are those of the first backup.

    Args:
        begun: the run as it began.
        ended: the actions that ran, in order.
        not_run: those that a failed mandatory action has kept from running.
    """
    failed = [each for each in ended if each.run.outcome is not Outcome.OK]
    backups = [each.run for each in ended if each.action.action == "backup"] or [each.run for each in ended]
    phrases = [f"{each.action.name}: {each.run.phrase}" for each in failed or ended]
    if not_run:
        phrases.append(f"not run: {', '.join(action.name for action in not_run)}")
    return replace(
        begun,
        outcome=_outcome([each.run.outcome for each in failed]),
        phrase="; ".join(phrases)[:2000],
        hint=next((each.run.hint for each in failed if each.run.hint), ""),
        attempts=max(each.run.attempts for each in ended),
        snapshot=next((run.snapshot for run in backups if run.snapshot), ""),
        files=backups[0].files,
        bytes=backups[0].bytes,
        warnings=tuple(f"{each.action.name}: {text}" for each in ended for text in each.run.warnings),
        actions=tuple(map(told, ended)),
    )


def _outcome(failures: Sequence[Outcome | None]) -> Outcome:
    if not failures:
        return Outcome.OK
    if Outcome.ABORTED in failures:
        return Outcome.ABORTED
    return Outcome.RERUN if all(failure is Outcome.RERUN for failure in failures) else Outcome.ERROR


def told(ended: Ended) -> dict[str, Any]:
    """What the run tells of one of its actions (Config/report.schema.json)."""
    action, run, seconds = ended
    return {
        "name": action.name,
        "action": action.action,
        "outcome": str(run.outcome),
        "phrase": run.phrase,
        "attempts": run.attempts,
        "seconds": round(seconds, 3),
        "files": run.files,
        "bytes": run.bytes,
        "snapshot": run.snapshot,
    }
