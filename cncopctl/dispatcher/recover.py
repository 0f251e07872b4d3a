"""Closing the runs that were cut off: the machine went down, or their close was killed as well."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import CncopError
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.naming import service_name
from cncopctl.core.outcome import Outcome
from cncopctl.core.role import Role
from cncopctl.core.run import Run
from cncopctl.edges.compiled_jobs import read_compiled_job
from cncopctl.edges.halts import halt_file
from cncopctl.edges.lock import JobLock
from cncopctl.edges.run_files import RunFiles, boot_mark, unclosed
from cncopctl.verbs.close_run import close_run

_HINT = "its next run makes up for it; to have it now: cncopctl runjob"


def recover(layout: Layout) -> int:
    """Close every run that is over without having been closed, and run those jobs again that the machine cut off.

    Returns 0 unless one of them could not be closed.
    """
    status = 0
    for run_id, job_id in unclosed(layout.runs).items():
        if not _is_over(layout, run_id, job_id):
            continue
        job = _job(layout, job_id)
        files = RunFiles(layout.runs, run_id)
        is_cut_off = "ended" not in files.read_run() or files.is_kept_for_next_boot()
        was_cut_off = is_cut_off and not files.is_of_boot(boot_mark(layout.run))
        if was_cut_off:
            # Kept until the job has been started again: rather once too often than not at all.
            files.keep_for_next_boot()
        is_closed = close_left(layout, job, run_id)
        if was_cut_off and (reason := _run_again(layout, job)):
            print(f"{job_id}: is not run again: {reason}", file=sys.stderr)
        files.forget_boot()
        if is_closed:
            files.remove()
        status = status if is_closed else 1
    return status


def close_others(layout: Layout, job: CompiledJob, own: str) -> None:
    """Close all runs of the job but `own`, by whoever holds the job's lock: none of them can be alive."""
    for run_id, job_id in unclosed(layout.runs).items():
        if job_id == job.id and run_id != own:
            close_left(layout, job, run_id)


def close_left(layout: Layout, job: CompiledJob, run_id: str) -> bool:
    """Close a run of which nothing is alive: by what it had noted of its end, or else as ABORTED."""
    files = RunFiles(layout.runs, run_id)
    try:
        run = Run.from_document(files.read_run())
    except (ValueError, KeyError, TypeError):
        run = Run(
            id=run_id, job=job.id, title=job.title, started=datetime.fromtimestamp(files.last_sign(), UTC)
        )
    if run.ended is None:
        run = _aborted(layout, run, files)
    return close_run(layout, job, run)


def _aborted(layout: Layout, run: Run, files: RunFiles) -> Run:
    log = Path(run.log)
    seen = max(files.last_sign(), log.stat().st_mtime if run.log and log.exists() else 0)
    ended = max(datetime.fromtimestamp(seen, UTC), run.started)
    is_of_this_boot = files.is_of_boot(boot_mark(layout.run))
    killed, down = "its processes were killed, its close as well", "the machine went down before it was done"
    phrase = killed if is_of_this_boot else down
    return replace(run, ended=ended, outcome=Outcome.ABORTED, phrase=phrase, hint=f"{_HINT} {run.job}")


def _is_over(layout: Layout, run_id: str, job_id: str) -> bool:
    """Whether nothing of the run is alive: neither its lock, nor the start of its service that it is."""
    if not RunFiles(layout.runs, run_id).is_of_boot(boot_mark(layout.run)):
        return True
    with JobLock(layout.locks, job_id) as lock:
        return lock.is_free() and not _is_active(layout, run_id, job_id)


def _is_active(layout: Layout, run_id: str, job_id: str) -> bool:
    properties = ["--property=InvocationID", "--property=ActiveState"]
    done = _systemctl(layout, "show", *properties, service_name(job_id))
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    is_down = values.get("ActiveState") in ("inactive", "failed")
    return done.returncode != 0 or (not is_down and values.get("InvocationID") == run_id)


def _run_again(layout: Layout, job: CompiledJob) -> str:
    """Start the job's service again, where the job asks for catch-up; why not, where something is in the way."""
    if not job.values.get("catch_up") or not job.schedules:
        return "it does not catch up" if job.schedules else "it has no schedule"
    if halt_file(layout.halts, job.id).exists():
        return "it was stopped"
    from cncopctl.core.naming import timer_name
    from cncopctl.dispatcher.hindrance import hindrance

    if found := hindrance(layout, job, timer_name(job.id), datetime.now(UTC)):
        return found.reason
    done = _systemctl(layout, "start", "--no-block", service_name(job.id))
    return done.stderr.strip() if done.returncode else ""


def _systemctl(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    scope = ["--user"] if layout.scope is Scope.USER else []
    return subprocess.run(
        ["systemctl", *scope, *words], capture_output=True, encoding="utf-8", errors="replace", check=False
    )


def _job(layout: Layout, job_id: str) -> CompiledJob:
    """The compiled job; what is needed of it where it has been removed meanwhile."""
    try:
        return read_compiled_job(layout.compiled_jobs, job_id)
    except CncopError:
        return CompiledJob(job_id, job_id, Role.LOCAL, "", 0, 0, 0, (), datetime.now(UTC), {})
