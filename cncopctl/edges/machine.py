"""Facts of this machine."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

_ZONEINFO = "/usr/share/zoneinfo/"
_JOURNAL_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_UTC = ("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")


def machine_id(root: Path = Path("/")) -> str:
    """The machine's id (machine-id(5)); "" where none has been set yet."""
    try:
        return (root / "etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def time_zone(root: Path = Path("/")) -> str:
    """The machine's time zone by its tzdata name; UTC where /etc/localtime does not tell (localtime(5))."""
    try:
        target = os.path.realpath(root / "etc/localtime")
    except OSError:
        return "UTC"
    name = target.partition(_ZONEINFO)[2].removeprefix("posix/")
    return "UTC" if name in _UTC else name or "UTC"


def systemd_version() -> int:
    """Major version of the systemd programs installed here; 0 where there are none."""
    try:
        done = subprocess.run(["systemctl", "--version"], capture_output=True, encoding="utf-8", check=False)
    except OSError:
        return 0
    found = re.search(r"^systemd (\d+)", done.stdout)
    return int(found[1]) if found else 0


def is_clock_synchronised() -> bool | None:
    """Whether something keeps the clock right, as systemd-timedated tells; None where it does not answer."""
    said = _output("timedatectl", "show", "--property=NTPSynchronized", "--value").strip()
    return {"yes": True, "no": False}.get(said)


def installed_programs(names: Iterable[str]) -> frozenset[str]:
    """Those of the programs that services would find (systemd.exec(5), the default $PATH)."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return frozenset(name for name in names if shutil.which(name, path=path))


def boots_since(since: datetime) -> int:
    """How often the machine has been booted since then, as far as its journal remembers."""
    # In JSON only as of systemd 254; the first time on a line is that of the first message.
    lines = _output("journalctl", "--list-boots", "--utc", "--no-pager", "--quiet").splitlines()
    begun = (found[0] for line in lines if (found := _JOURNAL_TIME.search(line)))
    return sum(datetime.fromisoformat(time).replace(tzinfo=UTC) >= since for time in begun)


def booted_at() -> datetime:
    """When the machine was booted (proc(5), /proc/stat)."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    seconds = next(line.split()[1] for line in lines if line.startswith("btime "))
    return datetime.fromtimestamp(int(seconds), UTC)


def _output(*command: str) -> str:
    """What a program prints; "" where it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def find_agents(*directories: Path) -> dict[str, str]:
    """The executables in the agents' directories by name; an earlier directory goes before a later one."""
    found: dict[str, str] = {}
    for directory in directories:
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            if path.is_file() and os.access(path, os.X_OK):
                found.setdefault(path.name, str(path.resolve()))
    return found


def user_commands(directory: Path) -> dict[str, str]:
    """The files under Bin/ by their name in it, each with why it may not be run, "" where it may.

    They run with more rights than the job itself, so nobody but root, or the user whose jobs these are,
    may be able to write them, nor what leads to them.
    """
    return {
        str(path.relative_to(directory)): command_refusal(directory, str(path.relative_to(directory)))
        for path in sorted(directory.rglob("*"))
        if not path.is_dir()
    }


def command_refusal(directory: Path, name: str) -> str:
    """Why the user command `name` of `directory` may not be run, with symbolic links resolved; "" if it may."""
    base, path = Path(os.path.realpath(directory)), Path(os.path.realpath(directory / name))
    if not path.is_relative_to(base):
        return f"it leads out of {directory}"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is not a file"
        for step in (path, *(parent for parent in path.parents if parent.is_relative_to(base))):
            status = step.stat()
            if status.st_uid not in (0, os.geteuid()):
                return f"{step} belongs to another user (uid {status.st_uid})"
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return f"others can write {step}"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return "" if os.access(path, os.X_OK) else "it is not executable"
