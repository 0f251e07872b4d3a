"""The directory of generated units, and the directory of compiled jobs: reading what is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cncopctl.core.naming import CONSOLE_PORT, CONSOLE_SOCKET, TARGET, is_ours
from cncopctl.core.plan import Installed, InstalledUnit
from cncopctl.core.seal import Seal, seal_of


def read_installed(units: Path, compiled: Path, sources: Iterable[Path] = ()) -> Installed:
    """What is installed of ours, made from `sources`.

    Raises:
        OSError: a directory or file cannot be read.
    """
    found, drop_ins, changed = _units(units)
    links, links_changed = _links(units)
    edited = [source.stat().st_ctime for source in sources]
    newest = max([*changed, *links_changed, *edited], default=None)
    console = [path.stat().st_ctime for path in _console_files(units)]
    return Installed(
        units=found,
        links=links,
        compiled=_compiled(compiled),
        drop_ins=tuple(sorted(drop_ins)),
        changed_at=None if newest is None else datetime.fromtimestamp(newest, UTC),
        console_changed_at=datetime.fromtimestamp(max(console), UTC) if console else None,
    )


def _console_files(units: Path) -> list[Path]:
    """What says at which port the console listens, as far as it is there."""
    paths = [units / CONSOLE_SOCKET, (units / CONSOLE_PORT).parent]
    return [path for path in [*paths, *paths[1].glob("*.conf")] if path.exists() and not path.is_symlink()]


def _units(directory: Path) -> tuple[dict[str, InstalledUnit], list[str], list[float]]:
    found: dict[str, InstalledUnit] = {}
    drop_ins: list[str] = []
    changed: list[float] = []
    for entry in sorted(_entries(directory), key=lambda entry: entry.name):
        if is_ours(entry.name):
            found[entry.name] = _read(entry)
            changed.append(entry.stat(follow_symlinks=False).st_ctime)
        elif entry.name.endswith(".d") and is_ours(entry.name.removesuffix(".d")):
            inside = [inner for inner in _entries(Path(entry.path)) if inner.name.endswith(".conf")]
            ours = {f"{entry.name}/{inner.name}": inner for inner in inside}
            found |= {name: _read(inner) for name, inner in ours.items() if is_ours(name)}
            drop_ins += [inner.path for name, inner in ours.items() if not is_ours(name)]
            changed += [inner.stat(follow_symlinks=False).st_ctime for inner in (entry, *inside)]
    return found, drop_ins, changed


def _read(entry: os.DirEntry[str]) -> InstalledUnit:
    if entry.is_symlink():
        masked = os.path.realpath(entry.path) == os.devnull
        return InstalledUnit("", Seal.FOREIGN, is_masked=masked)
    text = Path(entry.path).read_bytes().decode("utf-8", "surrogateescape")
    return InstalledUnit(text, seal_of(text))


def _links(units: Path) -> tuple[dict[str, str], list[float]]:
    """The links that enable our units, by their path below `units`."""
    links: dict[str, str] = {}
    changed: list[float] = []
    for directory in (f"{TARGET}.wants", "multi-user.target.wants", "default.target.wants"):
        entries = [entry for entry in _entries(units / directory) if is_ours(entry.name)]
        for entry in entries:
            links[f"{directory}/{entry.name}"] = _target(entry, units)
            changed.append(entry.stat(follow_symlinks=False).st_ctime)
    return links, changed


def _target(entry: os.DirEntry[str], units: Path) -> str:
    """What the link points to, in our own way of writing it where that is the same file."""
    target = os.readlink(entry.path) if entry.is_symlink() else ""
    return f"../{entry.name}" if target == str(units / entry.name) else target


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except FileNotFoundError:
        return


def _compiled(directory: Path) -> dict[str, str]:
    return {
        entry.name.removesuffix(".toml"): Path(entry.path).read_text("utf-8", "surrogateescape")
        for entry in _entries(directory)
        if entry.name.endswith(".toml") and not entry.name.startswith(".")
    }
