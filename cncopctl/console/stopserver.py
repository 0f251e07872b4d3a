"""STOPSERVER: stop everything of cncop, and tell what was stopped and how to start it again."""

from __future__ import annotations

import time
from collections.abc import Iterable

from cncopctl.console.session import Session
from cncopctl.core.console import Request
from cncopctl.core.naming import TARGET, job_of
from cncopctl.edges.systemd import LoadedUnit, Systemd

# Seconds: systemd kills this session if it takes much longer (TimeoutStopSec= of cncop-console@.service).
_PATIENCE = 10.0
_TICK = 0.2


def answer(session: Session, request: Request) -> bool:
    """Stop the target, and with it all timers, running jobs and sessions; this one ends as the last."""
    with session.systemd() as systemd:
        up = [unit for unit in systemd.units([TARGET, "cncop-*"]).values() if unit.is_up()]
        timers = [unit.name for unit in up if unit.name.endswith(".timer")]
        services = [unit.name for unit in up if unit.name.endswith(".service")]
        jobs = sorted(job_of(name) for name in services if job_of(name))
        session.outlive_stop()
        path = systemd.stop(TARGET, wait=False)
        ending = _wait(systemd, path, {name for name in services if job_of(name)})
    start = session.systemctl(f"start {TARGET}")
    session.note(request, "stopped", f"{_count(timers, 'timer')}, {_count(jobs, 'running job')}")
    if request.as_json:
        session.say_json(
            {"timers": len(timers), "jobs": jobs, "ending": sorted(map(job_of, ending)), "start": start}
        )
        return False
    named = f" ({', '.join(jobs)})" if jobs else ""
    session.say(f"Stopped: {_count(timers, 'timer')}, {_count(jobs, 'running job')}{named}, this console.")
    for name in sorted(ending):
        session.say(f"{job_of(name)} is still ending; look at: {session.systemctl(f'status {name}')}")
    session.say(f"Nothing runs until somebody starts it again: {start}")
    return False


def _wait(systemd: Systemd, path: bytes, services: set[str]) -> set[str]:
    """Those of `services` that have not ended in time. The target itself is down at once."""
    deadline = time.monotonic() + _PATIENCE
    for _ in systemd.follow([path], _TICK, lambda: None):
        pass
    left = services
    while left := _at_work(systemd.units(left).values()) if left else set():
        if time.monotonic() >= deadline:
            break
        systemd.process(_TICK)
    return left


def _at_work(units: Iterable[LoadedUnit]) -> set[str]:
    return {unit.name for unit in units if unit.active_state not in ("inactive", "failed")}


def _count(things: list[str], name: str) -> str:
    return f"{len(things) or 'no'} {name}{'' if len(things) == 1 else 's'}"
