"""rsync's arguments and what it reports. Options are those of rsync 3.2.7 and later."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cncopctl.core.engines.endpoint import Endpoint, Transport
from cncopctl.core.engines.ssh import CONNECT_TIMEOUT, ssh_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OK = 0
VANISHED = 24
"""Files vanished while they were read: what is left is complete (rsync(1), EXIT VALUES)."""

_CAP_MKNOD = 27  # capability.h
_PSEUDO_FILE_SYSTEMS = ("/proc/*", "/sys/*", "/dev/*", "/run/*")


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the way to a remote endpoint: paths of files, "" where there is none."""

    credential: str = ""
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Carries:
    """What can be written beyond names, contents, modes and times.

    `xattrs`, `acls` and `fine_times` (to the nanosecond) depend on the file system, `devices` on whether
    rsync may make device nodes.
    """

    xattrs: bool = True
    acls: bool = True
    devices: bool = True
    fine_times: bool = False


@dataclass(frozen=True, slots=True)
class Stats:
    """What `rsync --stats` counts; sizes are bytes."""

    files: int = 0
    bytes: int = 0
    files_transferred: int = 0
    bytes_literal: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Advance:
    """One `--info=progress2` line; totals are None while rsync still looks for files."""

    bytes_done: int
    bytes_total: int | None
    files_done: int
    files_total: int | None


def may_make_devices(process_status: str) -> bool:
    """Whether a process with this /proc/PID/status may make device nodes (CAP_MKNOD).

    systemd takes that from units with PrivateDevices=, and rsync as root would try all the same, and fail.
    """
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", process_status, re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> _CAP_MKNOD & 1)


def transfer_options(carries: Carries, bandwidth: int | None, dry_run: bool, silence: int = 600) -> list[str]:
    """Options of every transfer: keep all that a file has, and report figures that can be parsed.

    -a recurses and keeps links, modes, times and, for root, owners, devices and special files; -H hard
    links; numeric ids, since names belong to the machine they come from. --no-h gives plain figures,
    whatever the locale. `silence` is how many seconds may go by without a byte; rsync sends keep-alives
    while one side is busy.
    """
    options = ["-aHS", "--numeric-ids", "--no-h", "--stats", "--info=progress2", f"--timeout={silence}"]
    options += ["-A"] if carries.acls else []
    options += ["-X"] if carries.xattrs else []
    options += [] if carries.devices else ["--no-devices"]
    # Else rsync takes a file of the same size that was changed within the same second for unchanged. On a
    # file system that rounds times it would copy everything every time (rsync(1), --modify-window).
    options += ["--modify-window=-1"] if carries.fine_times else []
    options += [f"--bwlimit={max(1, bandwidth // 1024)}"] if bandwidth else []
    options += ["--dry-run"] if dry_run else []
    return options


def connection_options(endpoint: Endpoint, access: Access) -> list[str]:
    """Options that open the way to `endpoint`: none for a path of this machine."""
    match endpoint.transport:
        case Transport.LOCAL:
            return []
        case Transport.SSH:
            return ["-s", "-e", _remote_shell(endpoint, access)]
        case Transport.DAEMON:
            password = [f"--password-file={access.credential}"] if access.credential else []
            return ["-s", "--no-motd", f"--contimeout={CONNECT_TIMEOUT}", *password]


def _remote_shell(endpoint: Endpoint, access: Access) -> str:
    """The ssh command as one argument."""
    words = ssh_words(port=endpoint.port, key_file=access.credential, known_hosts=access.known_hosts)
    return " ".join(_shell_word(word) for word in words)


def _shell_word(word: str) -> str:
    """A word for -e: rsync knows single quotes, in which a doubled quote stands for one (rsync(1), -e)."""
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "''") + "'"


def exclude_filters(patterns: Iterable[str]) -> list[str]:
    """Filter rules of the job's excludes; `--filter` reads one rule, so that no pattern can be another."""
    return [f"--filter=- {pattern}" for pattern in patterns if pattern]


def pseudo_file_systems(endpoint: Endpoint) -> list[str]:
    """What no backup of a whole machine wants: file systems that the kernel makes up as they are read."""
    if endpoint.path == "/" and endpoint.transport is not Transport.DAEMON:
        return exclude_filters(_PSEUDO_FILE_SYSTEMS)
    return []


def only(name: str) -> list[str]:
    """Filter rules that leave a directory with one entry."""
    return [f"--filter=+ /{literal_pattern(name)}", "--filter=- /*"]


def literal_pattern(path: str) -> str:
    """A filter pattern that matches `path` alone.

    rsync takes a backslash as an escape only in a pattern that has a wildcard (rsync(1), PATTERN MATCHING).
    """
    return re.sub(r"([*?\[\\])", r"\\\1", path) if re.search(r"[*?\[]", path) else path


_PROGRESS = re.compile(
    rb"\s*(?P<bytes>\d+)\s+(?P<percent>\d+)%\s.*\(xfr#\d+, (?P<kind>to|ir)-chk=(?P<left>\d+)/(?P<all>\d+)\)"
)


def parse_progress(line: bytes) -> Advance | None:
    """What one progress line says, or None where it is none.

    "ir-chk" stands for incremental recursion: the totals still grow, and so do percentages.
    """
    found = _PROGRESS.match(line)
    if found is None:
        return None
    done, percent = int(found["bytes"]), int(found["percent"])
    seen, left = int(found["all"]), int(found["left"])
    if found["kind"] == b"ir":
        return Advance(done, None, seen - left, None)
    return Advance(done, done * 100 // percent if percent else None, seen - left, seen)


_STATS: Mapping[str, str] = {
    "files": r"^Number of files: [\d,.]+(?: \(.*?reg: (?P<n>[\d,.]+))?",
    "bytes": r"^Total file size: (?P<n>[\d,.]+)",
    "files_transferred": r"^Number of regular files transferred: (?P<n>[\d,.]+)",
    "bytes_literal": r"^Literal data: (?P<n>[\d,.]+)",
    "deleted": r"^Number of deleted files: (?P<n>[\d,.]+)",
}


def parse_stats(text: str) -> Stats:
    """The figures of `--stats`; 0 for each that is not there."""
    stats = Stats()
    for name, pattern in _STATS.items():
        if (found := re.search(pattern, text, re.MULTILINE)) and found["n"]:
            stats = replace(stats, **{name: int(re.sub(r"\D", "", found["n"]))})
    return stats


def listed(errors: str, pattern: str, most: int = 5) -> list[str]:
    """The first names that `pattern` (with a group `path`) finds in what rsync wrote to stderr."""
    names = [found["path"] for found in re.finditer(pattern, errors, re.MULTILINE)]
    return names[:most] + ([f"and {len(names) - most} more"] if len(names) > most else [])


VANISHED_FILES = r'^file has vanished: "(?P<path>.*)"'
