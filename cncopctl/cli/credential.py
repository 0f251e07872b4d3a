"""`cncopctl credential`."""

from __future__ import annotations

import json
import re
import sys

import click

from cncopctl.cli.options import installation_options, json_option, manager_of
from cncopctl.cli.terminal import print_table
from cncopctl.cli.words import Words
from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.errors import UsageError
from cncopctl.core.faults import nearest, shown
from cncopctl.core.layout import ENCRYPTED, Layout
from cncopctl.edges.systemd_creds import KEYS
from cncopctl.verbs import credential_store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

# systemd passes no more to a service (systemd.exec(5), LoadCredential=).
_MOST_BYTES = 1024 * 1024


@click.group("credential", cls=Words)
def command() -> None:
    """Store, list, show and remove keys and passwords.

    They lie in a directory that only root (or you) can read, and reach a job's agent as systemd credentials: never
    in a unit, an environment or an argument. Those of the system are encrypted by systemd-creds: a copy of /etc
    is worth nothing without this machine's own key in /var/lib/systemd/credential.secret.

    repository-password opens every backup of this installation, and is worth nothing on another machine
    while it is encrypted: keep a copy of it somewhere else, as `credential show` tells it.
    """


@command.command("set")
@click.argument("name")
@click.option("--force", is_flag=True, help="Replace repository-password: older backups need the old one.")
@click.option("--plain", is_flag=True, help="Do not encrypt it.")
@click.option(
    "--with-key",
    "key",
    type=click.Choice(KEYS),
    default="host",
    help="Whose key encrypts it, see systemd-creds(1) [host].",
)
@installation_options
def set_(layout: Layout, *, name: str, force: bool, plain: bool, key: str) -> int:
    """Store a credential, read from stdin or asked for.

    One that is stored already stays encrypted or plain as it is.

    \b
    Examples:
      cncopctl credential set web-01 < ~/.ssh/backup_key
      cncopctl credential set db
    """
    if not _NAME.fullmatch(name) or name.endswith(ENCRYPTED):
        raise UsageError(
            f"{shown(name)} is no name",
            f"use letters, digits, dots, underscores and hyphens, without {ENCRYPTED} at the end",
        )
    known = credential_store.stored(layout)
    if name == REPOSITORY_PASSWORD and name in known and not force:
        raise UsageError(
            f"{name} is set, and the repositories made with it open with no other",
            "if you know what you do: --force",
        )
    encrypted = known.get(name, credential_store.may_encrypt(layout) and not plain)
    if plain and encrypted:
        raise UsageError(
            f"{name} is stored encrypted, and units load it so",
            "to have it plain: cncopctl credential remove it, set it again, then sync-profile",
        )
    value = _read_value(name)
    credential_store.store(layout, name, value, encrypted=encrypted, key=key)
    kind = "encrypted, " if encrypted else ""
    click.echo(f"{name} is stored ({kind}{len(value)} bytes)")
    if name == REPOSITORY_PASSWORD:
        click.echo("keep a copy of it somewhere else: without it no backup opens")
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
    known = credential_store.stored(layout)
    if as_json:
        click.echo(json.dumps([{"name": name, "encrypted": known[name]} for name in sorted(known)], indent=2))
    elif known:
        rows = [(name, "encrypted" if known[name] else "plain") for name in sorted(known)]
        print_table(("CREDENTIAL", "STORED"), rows)
    else:
        click.echo("nothing is stored")
    return 0


@command.command("show")
@click.argument("name")
@click.option("--stdout", "anywhere", is_flag=True, help="Write it also where stdout is no terminal.")
@installation_options
def show(layout: Layout, *, name: str, anywhere: bool) -> int:
    """Write the value of a credential, for a copy that is kept somewhere else.

    \b
    Examples:
      cncopctl credential show repository-password
      cncopctl credential show --stdout repository-password | gpg --encrypt -r me > password.gpg
    """
    _require(layout, name)
    if not anywhere and not sys.stdout.isatty():
        raise UsageError(
            "stdout is no terminal, and a secret may end up in a log", "if that is meant: --stdout"
        )
    value = credential_store.read(layout, name)
    sys.stdout.buffer.write(value)
    if sys.stdout.isatty() and not value.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    return 0


@command.command("encrypt")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--with-key",
    "key",
    type=click.Choice(KEYS),
    default="host",
    help="Whose key encrypts it, see systemd-creds(1) [host].",
)
@installation_options
def encrypt(layout: Layout, *, names: tuple[str, ...], key: str) -> int:
    """Encrypt credentials that are stored plain, all of them without NAMEs, and sync, so that units follow.

    The plain file is removed once no unit names it any more.
    """
    if not credential_store.may_encrypt(layout):
        raise UsageError("only the system's credentials are encrypted, by root, with systemd-creds")
    for name in names:
        _require(layout, name)
    known = credential_store.stored(layout)
    chosen = [
        name for name in names or known if credential_store.path_of(layout, name, encrypted=False).exists()
    ]
    for name in chosen:
        if not known[name]:
            value = credential_store.read(layout, name)
            credential_store.store(layout, name, value, encrypted=True, key=key)
    if chosen:
        _sync(layout)
    for name in chosen:
        credential_store.remove(layout, name, only_plain=True)
        click.echo(f"{name} is encrypted")
    if not chosen:
        click.echo("nothing is stored plain")
    return 0


def _sync(layout: Layout) -> None:
    """Have units load what is encrypted now; nothing to do where nothing was ever synced."""
    if not any(layout.compiled_jobs.glob("*.toml")):
        return
    from cncopctl.verbs.sync_profile import sync_profile

    with manager_of(layout) as systemd:
        sync_profile(layout, systemd, prune=False, dry_run=False)


@command.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Remove even repository-password, without which no backup opens.")
@installation_options
def remove(layout: Layout, *, name: str, force: bool) -> int:
    """Remove a credential."""
    _require(layout, name)
    if name == REPOSITORY_PASSWORD and not force:
        raise UsageError(f"without {name} no backup of this installation opens", "keep it")
    credential_store.remove(layout, name)
    click.echo(f"{name} is removed")
    if users := _users(layout, name):
        click.echo(f"these jobs fail until it is set again: {', '.join(users)}")
    return 0


def _users(layout: Layout, name: str) -> list[str]:
    """Ids of the installed jobs that name a credential."""
    from cncopctl.edges.compiled_jobs import read_compiled_jobs

    jobs = read_compiled_jobs(layout.compiled_jobs)
    return [
        job.id
        for job in jobs
        if any(values.get("credential") == name for values in (job.values, *(a.values for a in job.actions)))
    ]


def _require(layout: Layout, name: str) -> None:
    names = credential_store.stored(layout)
    if name not in names:
        meant = nearest(name, names)
        raise UsageError(
            f"no credential {shown(name)} is stored",
            f"did you mean {meant}?" if meant else "see: cncopctl credential list",
        )
