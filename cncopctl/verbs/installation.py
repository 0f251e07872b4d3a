"""One installation of cncop: its layout, the machine it is on, and its profile."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from cncopctl.core.host import Host
from cncopctl.core.layout import Layout
from cncopctl.edges import machine
from cncopctl.edges.share import share
from cncopctl.verbs import credential_store

# Units for a directory may end up on any machine that we support.
OLDEST_SYSTEMD = 252


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
    )


def installed_agents(layout: Layout) -> dict[str, str]:
    """Paths of the agents by name; the administrator's own in agents.d go before ours."""
    return machine.find_agents(layout.configuration / "agents.d", share("agents"))
