"""One installation of cncop: its layout, the machine it is on, and its profile."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from cncopctl.core.errors import InstallError
from cncopctl.core.host import Host
from cncopctl.core.layout import Layout
from cncopctl.edges import machine
from cncopctl.edges.share import share

# Units for a directory may end up on any machine that we support.
OLDEST_SYSTEMD = 252


def observe_host(layout: Layout, systemd_version: int) -> Host:
    """The facts that a profile is compiled against."""
    return Host(
        machine_id=machine.machine_id(),
        zone=machine.time_zone(),
        systemd=systemd_version or OLDEST_SYSTEMD,
        python=sys.executable,
        agents=installed_agents(layout),
        commands=machine.user_commands(layout.commands),
        credentials=stored_credentials(layout),
        now=datetime.now(UTC),
    )


def installed_agents(layout: Layout) -> dict[str, str]:
    """Paths of the agents by name; the administrator's own in agents.d go before ours."""
    return machine.find_agents(layout.configuration / "agents.d", share("agents"))


def stored_credentials(layout: Layout) -> frozenset[str]:
    """Names of the credentials in the store.

    Raises:
        InstallError: it may not be read.
    """
    try:
        return frozenset(name for name in os.listdir(layout.credentials) if not name.startswith("."))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", "try again with sudo") from error
