"""`cncopctl why`."""

from __future__ import annotations

import json

import click

from cncopctl.cli.options import complete_job, installation_options, json_option, manager_of
from cncopctl.cli.terminal import show_minute
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.verbs.why import why


@click.command("why")
@click.argument("job", shell_complete=complete_job)
@json_option
@installation_options
def command(layout: Layout, *, job: str, as_json: bool) -> int:
    """Say why a job does what it does, or why it does not run: one answer, then the facts behind it.

    Looked at are the run that is under way, its lock and its slot; whether somebody has stopped or paused the job, or
    disabled it in the profile; its units, timers, target and conditions; blackouts; what was skipped or missed, as
    while the machine was off; nights on which the clocks change; and how its last run ended.

    \b
    Examples:
      cncopctl why web-01
      cncopctl why "Web server, nightly" --json | jq -r .reason
    """
    with manager_of(layout) as systemd:
        job_id, found = why(layout, systemd, job, show_minute)
    if as_json:
        document = {
            "job": job_id,
            "reason": found.reason,
            "answer": found.sentence,
            "hint": found.hint,
            "facts": [{"label": label, "text": text} for label, text in found.facts],
        }
        click.echo(json.dumps(document, indent=2))
        return 0
    click.echo(printable(f"{job_id}: {found.sentence}"))
    if found.hint:
        click.echo(printable(f"hint: {found.hint}"))
    width = max((len(label) for label, _ in found.facts), default=0)
    for label, text in found.facts:
        click.echo(printable(f"  {label:<{width}}  {text}"))
    return 0
