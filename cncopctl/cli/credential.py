"""`cncopctl credential`."""

from __future__ import annotations

import json
import re
import sys

import click

from cncopctl.cli.options import installation_options, json_option
from cncopctl.core.errors import InstallError, UsageError
from cncopctl.core.faults import nearest, shown
from cncopctl.core.layout import Layout
from cncopctl.core.units import REPOSITORY_PASSWORD
from cncopctl.edges.files import write_atomically
from cncopctl.verbs.installation import stored_credentials

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

# systemd passes no more to a service (systemd.exec(5), LoadCredential=).
_MOST_BYTES = 1024 * 1024


@click.group("credential")
def command() -> None:
    """Store, list and remove keys and passwords.

    They lie in a directory that only root (or you) can read, and reach a job's agent as systemd credentials:
    never in a unit, an environment or an argument. repository-password opens every backup of this
    installation: keep a copy of it somewhere else.
    """


@command.command("set")
@click.argument("name")
@click.option("--force", is_flag=True, help="Replace repository-password: older backups need the old one.")
@installation_options
def set_(layout: Layout, *, name: str, force: bool) -> int:
    """Store a credential, read from stdin or asked for.

    \b
    Examples:
      cncopctl credential set web-01 < ~/.ssh/backup_key
      cncopctl credential set db
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{shown(name)} is no name", "use letters, digits, dots, underscores and hyphens")
    if name == REPOSITORY_PASSWORD and name in stored_credentials(layout) and not force:
        raise UsageError(
            f"{name} is set, and the repositories made with it open with no other",
            "if you know what you do: --force",
        )
    value = _read_value(name)
    try:
        layout.credentials.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(layout.credentials / name, value, 0o600)
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", "try again with sudo") from error
    click.echo(f"{name} is stored ({len(value)} bytes)")
    return 0


def _read_value(name: str) -> bytes:
    if sys.stdin.isatty():
        return str(click.prompt(name, hide_input=True, confirmation_prompt=True)).encode() + b"\n"
    value = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if not value or len(value) > _MOST_BYTES:
        raise UsageError("stdin is empty" if not value else "that is more than 1 MiB", "nothing was stored")
    return value


@command.command("list")
@json_option
@installation_options
def list_(layout: Layout, *, as_json: bool) -> int:
    """Show the names of what is stored, never the values."""
    names = sorted(stored_credentials(layout))
    click.echo(json.dumps(names) if as_json else "\n".join(names) or "nothing is stored")
    return 0


@command.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Remove even repository-password, without which no backup opens.")
@installation_options
def remove(layout: Layout, *, name: str, force: bool) -> int:
    """Remove a credential."""
    names = stored_credentials(layout)
    if name not in names:
        meant = nearest(name, names)
        raise UsageError(
            f"no credential {shown(name)} is stored",
            f"did you mean {meant}?" if meant else "see: cncopctl credential list",
        )
    if name == REPOSITORY_PASSWORD and not force:
        raise UsageError(f"without {name} no backup of this installation opens", "keep it")
    try:
        (layout.credentials / name).unlink()
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", "try again with sudo") from error
    click.echo(f"{name} is removed")
    return 0
