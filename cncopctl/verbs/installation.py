"""One installation of cncop: its layout, the machine it is on, and its profile."""

from __future__ import annotations

import pwd
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.host import Host
from cncopctl.core.layout import Layout, Scope
from cncopctl.edges import machine
from cncopctl.edges.share import share
from cncopctl.verbs import credential_store

# Units for a directory may end up on any machine that we support.
OLDEST_SYSTEMD = 252

ACCOUNT = "cncop"
_DISPATCHER = Path(__file__).resolve().parents[1] / "dispatcher/__main__.py"
_CONSOLE = Path(__file__).resolve().parents[1] / "console/__main__.py"
# What ProtectHome= and PrivateTmp= take from the console's sight.
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - named, not used


def observe_host(layout: Layout, systemd_version: int) -> Host:
    """The facts that a profile is compiled against."""
    credentials = credential_store.stored(layout)
    return Host(
        machine_id=machine.machine_id(),
        zone=machine.time_zone(),
        systemd=systemd_version or OLDEST_SYSTEMD,
        python=sys.executable,
        agents=installed_agents(layout),
        commands=machine.user_commands(layout.commands),
        credentials=frozenset(credentials),
        now=datetime.now(UTC),
        encrypted=frozenset(name for name, encrypted in credentials.items() if encrypted),
        encrypts=credential_store.may_encrypt(layout),
        dispatcher=str(_DISPATCHER),
        console=str(_CONSOLE),
        console_hindrance=_console_hindrance() if layout.scope is Scope.SYSTEM else "",
    )


def _console_hindrance() -> str:
    """Why the system's console could not be started, "" if it could: it runs as a user of its own."""
    if account_gid() is None:
        return (
            f"the account {ACCOUNT}, as which it runs, does not exist; make it, and give it its rights, with: "
            f"systemd-sysusers {share('units', 'cncop.sysusers.conf')} && install -m 644 "
            f"{share('units', 'cncop.polkit.rules')} /etc/polkit-1/rules.d/50-cncop.rules"
        )
    for path in (Path(sys.executable), _CONSOLE):
        if any(path.is_relative_to(hidden) for hidden in _HIDDEN):
            return f"cncop is installed in {path.parent}, which its sandbox hides"
        if not all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents):
            return f"cncop is installed in {path.parent}, which the account {ACCOUNT} cannot read"
    return ""


def account_gid() -> int | None:
    """The group of the user as which runs what needs no rights of root's; None where there is no such user."""
    try:
        return pwd.getpwnam(ACCOUNT).pw_gid
    except KeyError:
        return None


def installed_agents(layout: Layout) -> dict[str, str]:
    """Paths of the agents by name; the administrator's own in agents.d go before ours."""
    return machine.find_agents(layout.configuration / "agents.d", share("agents"))
