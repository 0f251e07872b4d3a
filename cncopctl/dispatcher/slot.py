"""The slot of a run: taken once its gate is open, kept by systemd until the run is over, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import datetime

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.layout import Layout
from cncopctl.core.run import Run
from cncopctl.dispatcher.this_run import run_id
from cncopctl.edges.notify import extend_timeout, hand_over, notify_status, was_handed
from cncopctl.edges.run_files import RunFiles, boot_mark
from cncopctl.edges.slots import Slots

_NAME = "cncop-slot"

# Waiting is not to count towards the job's time limit, which systemd begins anew for the step that follows.
_AS_LONG_AS_IT_TAKES = 365 * 86400


def wait_for_slot(layout: Layout, job: CompiledJob, now: datetime) -> bool:
    """Take a slot and have systemd keep it; whether that took time."""
    slot, waited = _take(layout, job, now)
    if not hand_over(slot, _NAME):
        os.close(slot)  # nobody keeps it for the run, which then takes one itself
    if waited:
        notify_status("")
    return waited


def hold_slot(layout: Layout, job: CompiledJob, now: datetime) -> None:
    """Hold a slot as long as this process lives, unless systemd holds one for it already."""
    if not was_handed(_NAME):
        _take(layout, job, now)


def _take(layout: Layout, job: CompiledJob, now: datetime) -> tuple[int, bool]:
    def tell(sentence: str) -> None:
        extend_timeout(_AS_LONG_AS_IT_TAKES)
        files = RunFiles(layout.runs, run_id())
        with contextlib.suppress(OSError):  # a disk that is full now need not be when the run's turn comes
            files.write_run(Run(id=run_id(), job=job.id, title=job.title, started=now).document())
            files.note_boot(boot_mark(layout.run))
            files.write_progress({"phase": "waiting", "phrase": sentence})
        notify_status(sentence)
        print(f"{job.id}: {sentence}", file=sys.stderr)

    note = {"job": job.id, "run": run_id(), "since": now.isoformat(timespec="seconds")}
    return Slots(layout.slots, job.max_parallel_jobs).take(note, tell)
