"""What the last complete sync left behind, so that one with nothing to do is quick.

The fingerprint covers all that units are made from. While it stays the same, units need be neither loaded,
validated nor rendered: it is enough that what is installed still has the digests noted here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cncopctl import __version__
from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.host import Host
from cncopctl.core.layout import Layout
from cncopctl.core.life_cycle import Halt
from cncopctl.core.plan import Installed, Wanted
from cncopctl.edges.files import write_atomically
from cncopctl.edges.profile_files import ProfileFile, find_calendar_files
from cncopctl.edges.share import share

_NAME = "last-sync.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class LastSync:
    """The last complete sync: what it was made from, and digests of what it left."""

    fingerprint: str
    units: Mapping[str, str]
    links: Mapping[str, str]
    compiled: Mapping[str, str]
    machine_id: str = ""
    has_packaged_console: bool = False

    def as_wanted(self, installed: Installed) -> Wanted | None:
        """What the last sync wanted, in the words of what is installed; None where anything differs."""
        units = {name: unit.text for name, unit in installed.units.items() if name in self.units}
        compiled = {name: text for name, text in installed.compiled.items() if name in self.compiled}
        same = _digests(units) == self.units and _digests(compiled) == self.compiled
        packaged = self.has_packaged_console
        return Wanted(units, self.links, compiled, has_packaged_console=packaged) if same else None


def fingerprint(layout: Layout, host: Host, files: Sequence[ProfileFile], halts: Mapping[str, Halt]) -> str:
    """A digest over everything that units are made from."""
    facts = {
        "program": [__version__, host.python, _own_files()],
        "layout": repr(layout),
        "machine": [host.machine_id, host.zone, host.systemd, sorted(host.agents.items())],
        "console": [host.console, host.console_hindrance],
        # The repository's password is made by a sync itself.
        "checks": [sorted(host.commands.items()), sorted(host.credentials - {REPOSITORY_PASSWORD})],
        "encrypted": [
            host.encrypts,
            host.is_encrypted(REPOSITORY_PASSWORD),
            sorted(host.encrypted - {REPOSITORY_PASSWORD}),
        ],
        # Schedules that OnCalendar can only say for a while are said anew each week.
        "week": host.now.isocalendar()[:2],
        "calendars": [
            [file.name, sha256(file.content).hexdigest(), repr(file.fault)]
            for file in find_calendar_files(layout.calendars)
        ],
        "settings": _digest_of(layout.settings),
        "halts": sorted((job, halt.status) for job, halt in halts.items()),
        "files": [[file.name, sha256(file.content).hexdigest(), repr(file.fault)] for file in files],
    }
    return sha256(json.dumps(facts).encode()).hexdigest()


def _digest_of(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return repr(error)


def _own_files() -> list[tuple[str, int, int]]:
    """Size and age of the templates and of our own modules: a new version renders anew."""
    roots = (
        share("units"),
        share("Config"),
        share("cncopctl") if share("cncopctl").is_dir() else share().parent,
    )
    return sorted(
        (str(path), status.st_size, status.st_mtime_ns)
        for root in roots
        for path in root.rglob("*.*")
        if path.suffix in (".py", ".j2", ".target", ".socket", ".service", ".json")
        and (status := path.stat())
    )


def read(layout: Layout) -> LastSync | None:
    """The last sync's traces; None where there are none that this version can read."""
    try:
        document: dict[str, Any] = json.loads((layout.state / _NAME).read_bytes())
        if document.pop("version") != _VERSION:
            return None
        return LastSync(**document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def written_at(layout: Layout) -> datetime | None:
    """When a sync last had anything to note, which happens each week at least."""
    try:
        return datetime.fromtimestamp((layout.state / _NAME).stat().st_mtime, UTC)
    except OSError:
        return None


def write(layout: Layout, made_from: str, wanted: Wanted, machine_id: str) -> None:
    """Note a complete sync."""
    document = {
        "version": _VERSION,
        "fingerprint": made_from,
        "units": _digests(wanted.units),
        "links": dict(wanted.links),
        "compiled": _digests(wanted.compiled),
        "machine_id": machine_id,
        "has_packaged_console": wanted.has_packaged_console,
    }
    write_atomically(layout.state / _NAME, json.dumps(document))


def forget(layout: Layout) -> None:
    """Note that nothing is synced any more."""
    (layout.state / _NAME).unlink(missing_ok=True)


def _digests(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256(text.encode("utf-8", "surrogateescape")).hexdigest() for name, text in texts.items()}
