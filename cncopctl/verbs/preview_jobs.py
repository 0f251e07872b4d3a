"""A dry run: which jobs would run, and what their agents say that they would do. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cncopctl.core.compiled import CompiledAction, CompiledJob
from cncopctl.core.errors import CncopError
from cncopctl.core.layout import Layout
from cncopctl.core.naming import service_name
from cncopctl.edges.pauses import read_pause
from cncopctl.edges.systemd import Systemd
from cncopctl.verbs.call_agent import call_agent

# What agents can be asked about; to say what a verification would find, it would have to be made.
_ASKED = ("backup", "restore", "prune")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run of the job would do: `steps` has what each action's agent says, or why it would fail.

    `hindrance` is why the job would be SKIPPED, "" where it would run.
    """

    job: CompiledJob
    hindrance: str
    steps: tuple[tuple[str, str, bool], ...] = ()

    def is_good(self) -> bool:
        """Whether it would run, and nobody expects it to fail."""
        return not self.hindrance and all(good for _name, _phrase, good in self.steps)

    def lines(self, number: int) -> Iterator[str]:
        """The preview for people; `number` is the job's place in the order."""
        job = self.job
        yield f"{number}. {job.id} ({job.title}): {job.values['type']} {job.values['direction']}"
        if self.hindrance:
            yield f"   would be SKIPPED: {self.hindrance}"
        for name, phrase, is_good in self.steps:
            yield f"   {name}: {'' if is_good else 'would fail: '}{phrase}"

    def document(self) -> dict[str, Any]:
        """The preview as JSON has it."""
        return {
            "id": self.job.id,
            "title": self.job.title,
            "would_run": not self.hindrance,
            "reason": self.hindrance,
            "actions": [{"name": name, "phrase": text, "good": good} for name, text, good in self.steps],
        }


def preview(layout: Layout, systemd: Systemd | None, job: CompiledJob, *, force: bool) -> Preview:
    """What would become of `job` if it were run now.

    Raises:
        InstallError: a pause cannot be read.
        SystemdError: the manager does not answer.
    """
    if hindrance := _hindrance(layout, systemd, job, force=force):
        return Preview(job, hindrance)
    return Preview(job, "", tuple(_asked(layout, job, action) for action in job.actions))


def _hindrance(layout: Layout, systemd: Systemd | None, job: CompiledJob, *, force: bool) -> str:
    if not force and (pause := read_pause(layout.pauses, job.id, datetime.now(UTC))):
        return pause.sentence()
    unit = service_name(job.id)
    loaded = systemd.units([unit]).get(unit) if systemd else None
    return "it is running already" if loaded and loaded.active_state not in ("inactive", "failed") else ""


def _asked(layout: Layout, job: CompiledJob, action: CompiledAction) -> tuple[str, str, bool]:
    """What the action's agent says; an agent that knows no dry run says so, or says nothing."""
    if action.action not in _ASKED:
        return action.name, f"would {action.action}", True
    about = replace(job, agent=action.agent, values=action.values)
    details = {**action.details, "dry_run": True}
    try:
        result = call_agent(layout, about, action.action, details, lambda _progress: None)
    except CncopError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return action.name, f"{error.message.removeprefix(f'{job.id}: ')}{hint}", False
    return action.name, str(result.get("phrase") or f"would {action.action}")[:2000], True
