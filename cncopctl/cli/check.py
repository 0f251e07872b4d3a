"""`cncopctl check`."""

from __future__ import annotations

import json
from typing import Any

import click

from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.core.choice import choose_job
from cncopctl.core.compiled import CompiledJob
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import ProfileError, shown
from cncopctl.core.host import Host
from cncopctl.core.job import Profile
from cncopctl.core.layout import Layout
from cncopctl.core.mail import obstacle
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.edges.machine import systemd_version
from cncopctl.verbs.call_agent import call_agent
from cncopctl.verbs.installation import observe_host
from cncopctl.verbs.load_profile import load_profile, profile_files


@click.command("check")
@click.argument("job", required=False, shell_complete=complete_job)
@json_option
@installation_options
def command(layout: Layout, *, job: str | None, as_json: bool) -> int:
    """Check the profile, and tell everything that is wrong with it.

    With JOB (id or title), ask that job's agent whether source, destination and credentials can be reached;
    the job must have been synced. Nothing is changed either way:
    what is written to see that it can be is removed again. Exit status 10: something is wrong.

    \b
    Examples:
      cncopctl check
      cncopctl check web-01
    """
    return (
        _check_job(layout, job, as_json=as_json)
        if job is not None
        else _check_profile(layout, as_json=as_json)
    )


def _check_job(layout: Layout, word: str, *, as_json: bool) -> int:
    job = _installed(layout, word)
    result = call_agent(layout, job, "check", {}, lambda _: None)
    click.echo(json.dumps(result, indent=2) if as_json else f"{job.id}: {result.get('phrase', 'OK')}")
    return 0


def _installed(layout: Layout, word: str) -> CompiledJob:
    """The job that is meant; one that only the profile has cannot be asked yet."""
    installed = read_compiled_jobs(layout.compiled_jobs)
    try:
        return choose_job(word, installed)
    except UsageError as error:
        profile = load_profile(layout, observe_host(layout, systemd_version()), profile_files(layout))
        if not {word} & {name for job in profile.jobs.values() for name in (job.id, job.title)}:
            raise
        raise UsageError(
            f"the profile has the job {shown(word)}, but it is not installed yet",
            "run: cncopctl sync-profile",
        ) from error


def _check_profile(layout: Layout, *, as_json: bool) -> int:
    files = profile_files(layout)
    host = observe_host(layout, systemd_version())
    try:
        profile = load_profile(layout, host, files)
    except ProfileError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"valid": False, "faults": _documents(error)}, indent=2))
        return error.exit_status
    warnings = [
        f"{job.file}: job {job.id}: schedule: {warning}"
        for job in profile.jobs.values()
        for schedule in job.schedules
        for warning in schedule.translation.warnings
    ]
    warnings += _mail_warnings(profile, host)
    if as_json:
        click.echo(json.dumps({"valid": True, "jobs": len(profile.jobs), "warnings": warnings}, indent=2))
        return 0
    for warning in warnings:
        click.echo(f"warning: {warning}")
    count = len(profile.jobs)
    click.echo(f"{', '.join(file.name for file in files)}: {count} job{'' if count == 1 else 's'}, no fault")
    return 0


def _mail_warnings(profile: Profile, host: Host) -> list[str]:
    problem, hint = obstacle(profile.configuration.mail, host.credentials)
    telling = [job for job in profile.jobs.values() if job.notify]
    what = f"nobody will be told: {problem} ({hint})"
    return [f"{job.file}: job {job.id}: notify: {what}" for job in telling if problem]


def _documents(error: ProfileError) -> list[dict[str, Any]]:
    return [
        {"file": fault.file, "job": fault.job, "key": fault.key, "fault": fault.what, "remedy": fault.remedy}
        for fault in error.faults
    ]
