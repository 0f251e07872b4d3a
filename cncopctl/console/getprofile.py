"""GETPROFILE and REREGISTER: fetch what the hub has for this device, re-sync, and tell what changed by it."""

from __future__ import annotations

from pathlib import Path

from cncopctl.console.channel import InterruptError
from cncopctl.console.session import Session
from cncopctl.core.console import Request
from cncopctl.core.naming import SYNC_SERVICE
from cncopctl.edges.systemd import Systemd

_TASKS = {
    "GETPROFILE": ("cncop-getprofile.service",),
    "REREGISTER": ("cncop-getprofile.service", "cncop-registration.service"),
}
_TICK = 0.2


def answer(session: Session, request: Request) -> bool:
    """Run the tasks, then the sync, and compare the jobs before and after."""
    before = _compiled(session.layout.compiled_jobs)
    with session.systemd() as systemd:
        tasks = [
            task for task in _TASKS[request.command.name] if systemd.state_of(task).load_state == "loaded"
        ]
        if not tasks and not request.as_json:
            session.say("No hub is configured: the profile is the one on this machine.")
        try:
            failed = [unit for unit in (*tasks, SYNC_SERVICE) if not _run(session, systemd, unit)]
        except (InterruptError, KeyboardInterrupt):
            session.note(request, "not waited for")
            session.say("\nNot waited for any longer; it goes on.")
            return True
    changes = _changes(before, _compiled(session.layout.compiled_jobs))
    session.note(request, "failed" if failed else "done", _summary(changes))
    if request.as_json:
        session.say_json({"hub": bool(tasks), "failed": failed, **changes})
        return True
    for unit in failed:
        session.say(f"error: {unit} failed")
        check = ", and: cncopctl check" if unit == SYNC_SERVICE else ""
        session.say(f"hint: look at: {_journal(session, unit)}{check}")
    session.say(_summary(changes))
    return True


def _run(session: Session, systemd: Systemd, unit: str) -> bool:
    """Start `unit` and wait for its end; whether it ended well."""
    path = systemd.start(unit, wait=False)
    return all(result == "done" for _, result in systemd.follow([path], _TICK, session.channel.check))


def _journal(session: Session, unit: str) -> str:
    return session.systemctl(f"-u {unit}").replace("systemctl", "journalctl")


def _compiled(directory: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in directory.glob("[!.]*.toml")}


def _changes(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, list[str]]:
    return {
        "added": sorted(after.keys() - before.keys()),
        "changed": sorted(job for job in after.keys() & before.keys() if after[job] != before[job]),
        "removed": sorted(before.keys() - after.keys()),
    }


def _summary(changes: dict[str, list[str]]) -> str:
    told = [f"{what}: {', '.join(jobs)}" for what, jobs in changes.items() if jobs]
    return "\n".join(told) or "No job has changed."
