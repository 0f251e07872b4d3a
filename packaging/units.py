"""Write the units of the package into a directory: units.py DIRECTORY.

They are those that a sync would install beside the jobs' own where no package has; with these in place it leaves
them out (cncopctl.verbs.render).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.host import Host
from cncopctl.core.layout import Layout
from cncopctl.core.naming import SYNC_SERVICE
from cncopctl.core.seal import unsealed
from cncopctl.edges.share import share
from cncopctl.edges.templates import UnitTemplates
from cncopctl.verbs.installation import OLDEST_SYSTEMD
from cncopctl.verbs.render import static_units

KINDS = (".target", ".socket", ".service", ".path", ".timer")

# Until there is a profile, or was one, there is nothing to sync, and nothing wrong.
HAS_PROFILE = """ConditionPathExists=|/etc/cncop/profile.toml
ConditionPathExistsGlob=|/etc/cncop/jobs.d/*.toml
ConditionPathExists=|/var/lib/cncop/last-sync.json
"""


def packaged_units() -> dict[str, str]:
    """Names and texts of the units, the same on every machine."""
    layout = replace(Layout.system(), packaged_units=Path("/nonexistent"))
    host = Host(
        machine_id="",
        zone="UTC",
        systemd=OLDEST_SYSTEMD,
        python="/usr/bin/python3",
        agents={},
        commands={},
        credentials=frozenset(),
        now=datetime.now(UTC),
    )
    rendered = static_units(host, layout, UnitTemplates(share("units", "templates")))
    units = {path.name: path.read_text("utf-8") for path in share("units").iterdir() if path.suffix in KINDS}
    units |= {name: _packaged(name, unsealed(text)) for name, text in rendered.items()}
    return units


def _packaged(name: str, text: str) -> str:
    text = text.replace("Made by cncopctl sync-profile.", "Part of the package cncop.")
    return text.replace("\n[Service]", f"{HAS_PROFILE}\n[Service]") if name == SYNC_SERVICE else text


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in packaged_units().items():
        (directory / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
