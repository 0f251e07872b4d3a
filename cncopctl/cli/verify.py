"""`cncopctl verify`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import click

from cncopctl.cli.agent_progress import agent_progress
from cncopctl.cli.options import complete_job, installation_options, json_option
from cncopctl.core.choice import choose_backup
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.spans import parse_span
from cncopctl.edges.compiled_jobs import read_compiled_jobs
from cncopctl.verbs.call_agent import AgentFailedError, call_agent

_SPAN = re.compile(r"\d{1,9}(s|m|min|h|d|w)?( *\d{1,9}(s|m|min|h|d|w))*")


class _Span(click.ParamType):
    """A time span, as in a profile."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not _SPAN.fullmatch(value):
            self.fail(f"{value!r} is no time span\nhint: write one such as 2d or 36h", param, ctx)
        return int(parse_span(value).total_seconds())


@click.command("verify")
@click.argument("job", shell_complete=complete_job)
@click.option(
    "--sample", metavar="N", type=click.IntRange(0, 1000), help="So many files are compared [the job's]."
)
@click.option("--max-age", type=_Span(), help="The newest snapshot may be so old [the job's].")
@click.option(
    "--min-files", metavar="N", type=click.IntRange(0), help="It must have so many files [the job's]."
)
@json_option
@installation_options
def command(layout: Layout, *, job: str, as_json: bool, **asked: int | None) -> int:
    """Prove that the backup of JOB (id or title) can be restored: a drill.

    The repository is checked, and the next part of its data read back; some files of the newest snapshot are
    restored to a scratch directory and compared with what was hashed when they were backed up; and the snapshot is
    young and large enough. Exit status 3: it is not so. With a schedule of its own a drill is an action of the
    profile: actions = [{ action = "verify", of = "web-01" }].

    \b
    Examples:
      cncopctl verify web-01
      cncopctl verify web-01 --sample 50 --max-age 2d --min-files 1000
    """
    chosen = choose_backup(job, read_compiled_jobs(layout.compiled_jobs))
    given = {name: value for name, value in asked.items() if value is not None}
    chosen = replace(chosen, values={**chosen.values, **given})
    try:
        with agent_progress(chosen.id, "opening the repository", as_json=as_json) as on_progress:
            result = call_agent(layout, chosen, "verify", {}, on_progress)
    except AgentFailedError as error:
        if not as_json or not error.result:
            raise
        click.echo(json.dumps(error.result, indent=2))
        return error.exit_status
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        for warning in result.get("warnings") or ():
            click.echo(f"warning: {printable(str(warning))}")
        click.echo(f"{chosen.id}: {printable(str(result.get('phrase', 'OK')))}")
    return 0
