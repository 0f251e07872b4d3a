"""`cncopctl doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from cncopctl.cli.options import installation_options, json_option, manager_of
from cncopctl.core.doctor import Finding, Weight
from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.verbs.doctor import examine

_MOST_NAMES = 3


@click.command("doctor")
@json_option
@installation_options
def command(layout: Layout, *, as_json: bool) -> int:
    """Look for what is wrong, or will be: one line for each finding, and what to do about it.

    Looks at the profile and the units, timers and re-sync, nights on which the clocks change (400 days ahead),
    schedules that have run out, the machine's id and clock, engines, disks, and runs that were never closed.
    The exit status is 3 if there is any problem; what is only noted leaves it at 0.

    \b
    Examples:
      cncopctl doctor
      cncopctl doctor --json | jq '.[] | select(.weight == "problem")'
    """
    with manager_of(layout) as systemd:
        found = examine(layout, systemd)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for line in _lines(found):
            click.echo(printable(line))
        if not found:
            click.echo("nothing is wrong")
    return 3 if any(finding.weight is Weight.PROBLEM for finding in found) else 0


def _lines(found: list[Finding]) -> Iterator[str]:
    """A line for each; what is the same for several jobs or units is one."""
    about: dict[tuple[str, str, Weight], list[str]] = {}
    for finding in found:
        about.setdefault((finding.what, finding.hint, finding.weight), []).append(finding.about)
    for (what, hint, weight), names in about.items():
        mark = "note: " if weight is Weight.NOTE else ""
        rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        yield f"{mark}{', '.join(names[:_MOST_NAMES])}{rest}: {what}; {hint}"
