"""`cncopctl sync-profile`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

import click

from cncopctl.cli.options import installation_options, json_option, manager_of
from cncopctl.core.layout import Layout, Scope
from cncopctl.core.naming import job_of
from cncopctl.core.plan import NEW_JOB, Action, Plan, Step
from cncopctl.verbs.sync_profile import Synced, sync_profile

# More lines than this are no news but noise; --json has them all.
_MOST_LINES = 40
_ADDED = {"new": "added", NEW_JOB: "added"}


@click.command("sync-profile")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done; exit status 3 if anything.")
@click.option("--diff", is_flag=True, help="Show what would change in the units; implies --dry-run.")
@click.option("--prune/--no-prune", default=True, help="Remove units of jobs that the profile no longer has.")
@json_option
@installation_options
def command(layout: Layout, *, dry_run: bool, diff: bool, prune: bool, as_json: bool) -> int:
    """Make systemd's timers match the profile.

    Reads profile.toml and jobs.d/*.toml, and changes only what differs: a second sync does nothing, a timer
    that stays is not restarted, a job that runs is not stopped. If anything in the profile is wrong, nothing
    is changed.

    \b
    Examples:
      cncopctl sync-profile
      cncopctl sync-profile --diff      what would change, as a diff
      systemctl list-timers 'cncop-*'   what came of it
    """
    dry_run = dry_run or diff
    with manager_of(layout) as systemd:
        synced = sync_profile(layout, systemd, prune=prune, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(_document(synced, dry_run=dry_run), indent=2))
    elif diff:
        for line in _diff(synced):
            click.echo(line)
    else:
        _report(synced, layout, dry_run=dry_run)
    return 3 if dry_run and synced.plan else 0


def _document(synced: Synced, *, dry_run: bool) -> dict[str, object]:
    return {
        "jobs": synced.jobs,
        "changed": bool(synced.plan) and not dry_run,
        "steps": [
            {"action": str(step.action), "name": step.name, "job": _job(step), "reason": step.reason}
            for step in synced.plan.steps
        ],
        "notes": list(synced.plan.notes),
    }


def _job(step: Step) -> str:
    if step.action in (Action.COMPILE, Action.FORGET):
        return step.name
    return job_of(step.name.rpartition("/")[2])


def _diff(synced: Synced) -> Iterator[str]:
    for step in synced.plan.steps:
        if step.action in (Action.WRITE, Action.DELETE):
            unit = synced.installed.units.get(step.name)
            before, after = unit.text if unit else "", step.text
            yield from difflib.unified_diff(
                before.splitlines(),
                after.splitlines(),
                f"a/{step.name}" if before else "/dev/null",
                f"b/{step.name}" if after else "/dev/null",
                lineterm="",
            )
        elif step.action is not Action.COMPILE:
            yield f"# {f'{step.action} {step.name}'.rstrip()}: {step.reason}"


def _report(synced: Synced, layout: Layout, *, dry_run: bool) -> None:
    lines = list(_lines(synced.plan))
    for line in lines[:_MOST_LINES]:
        click.echo(line)
    if len(lines) > _MOST_LINES:
        click.echo(f"… and {len(lines) - _MOST_LINES} more (--json lists all)")
    for note in synced.plan.notes:
        click.echo(f"note: {note}")
    click.echo(_summary(synced, layout, dry_run=dry_run))


def _lines(plan: Plan) -> Iterator[str]:
    """One line for each job, with the step that says most about it."""
    telling: dict[str, tuple[str, str]] = {}
    for step in plan.steps:
        if (kind := _kind(step)) and (job := _job(step) or step.name.rpartition("/")[2]):
            telling.setdefault(job, (kind, step.reason))
    width = min(max(map(len, telling), default=0), 64)
    for job, (kind, reason) in telling.items():
        yield f"{kind:<8} {job:<{width}}  {reason}".rstrip() if reason != kind else f"{kind:<8} {job}"


def _kind(step: Step) -> str:
    match step.action:
        case Action.COMPILE:
            return _ADDED.get(step.reason, "changed")
        case Action.WRITE | Action.LINK:
            return "repaired" if step.reason.endswith("by hand") else _ADDED.get(step.reason, "changed")
        case Action.DELETE | Action.UNLINK | Action.FORGET:
            return "removed"
        case Action.START:
            return "started" if step.reason.endswith("was not active") else ""
        case _:
            return ""


def _summary(synced: Synced, layout: Layout, *, dry_run: bool) -> str:
    jobs = f"{synced.jobs} job{'' if synced.jobs == 1 else 's'}"
    if not synced.plan:
        return f"{jobs}, nothing to do: {layout.units} matches the profile"
    count = len(list(_lines(synced.plan)))
    if dry_run:
        return (
            f"{jobs}; a sync would change {count} of them"
            if count
            else f"{jobs}; a sync would reload systemd"
        )
    if layout.scope is Scope.DIRECTORY:
        return f"{jobs} in {layout.units}"
    user = " --user" if layout.scope is Scope.USER else ""
    return f"{jobs}; when they run: systemctl{user} list-timers 'cncop-*'"
