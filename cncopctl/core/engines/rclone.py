"""rclone's configuration, arguments and reports. Known to rclone 1.60."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cncopctl.core.engines.remote import Protocol, Remote, Tls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OK = 0
NOT_FOUND = (3, 4)
"""A directory, a file is not there (rclone(1), Exit Code)."""

THERE, HERE = "there", "here"
"""The names of the server and of this machine in the configuration."""

RAW_NAMES = "Slash,Del,Ctl,Dot"
"""An encoding equal to the one that rclone uses inside, so that names go through as they are."""

_ANSWER_TIMEOUT, _CONNECT_TIMEOUT = "30s", "30s"
"""How long a server may be silent after a question, and at first."""

_CLOSING = 60
"""Seconds that an FTP server has to say that a file has come to its end, which rclone waits for besides."""

FTP_CONNECTIONS, _TRANSFERS = 8, 4
"""Connections that FTP servers are asked for: of one client, pure-ftpd allows eight; and files at once."""

_UNKNOWN_TIME = 10**18
"""A precision of years says that times are not supported (fs.ModTimeNotSupported)."""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the way to a remote: an obscured password, or the path of a private key; "" for neither.

    `known_hosts` is the path of the file with the host keys that are accepted.
    """

    password: str = ""
    key_file: str = ""
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a server has to be talked to, as far as it is not known before.

    `list_hidden`: its plain listings leave out names that begin with a dot. `connections` is how many it may be
    asked for at once, 0 for as many as rclone likes; there may be only one where data connections have to reuse
    the TLS session of their own control connection, since rclone shares sessions among all of them. `times`
    says whether it knows times of files. `in_parts`: large files may be read in several parts at once, which
    FTP servers answer with 426 when a part ends.
    """

    list_hidden: bool = False
    connections: int = 0
    times: bool = True
    in_parts: bool = True


def configuration(remote: Remote, access: Access, ways: Ways, *, encode_names: bool, silence: int) -> str:
    """The configuration file that makes `there:` the server and `here:` this machine.

    `encode_names` has rclone write the characters that a protocol cannot carry as others that look like
    them, and read them back; without it names are taken as they come.
    """
    there = {
        "type": str(remote.protocol),
        "host": remote.host,
        "port": str(remote.port or remote.default_port),
    }
    there |= {"user": remote.user} if remote.user else {}
    there |= {"pass": access.password} if access.password else {}
    match remote.protocol:
        case Protocol.SFTP:
            there |= _sftp(access)
        case Protocol.FTP:
            there |= _ftp(remote, ways) | {"close_timeout": f"{min(silence, _CLOSING)}s"}
        case Protocol.SMB:
            there |= _smb(remote, encode_names=encode_names)
    here = {"type": "local"} if encode_names else {"type": "local", "encoding": RAW_NAMES}
    return _section(THERE, there) + _section(HERE, here)


def _section(name: str, values: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def _sftp(access: Access) -> dict[str, str]:
    """No shell commands on the server; and no links are followed, since one may lead in circles."""
    keys = {"key_file": access.key_file} if access.key_file else {}
    return keys | {
        "known_hosts_file": access.known_hosts,
        "shell_type": "none",
        "disable_hashcheck": "true",
        "skip_links": "true",
    }


def _ftp(remote: Remote, ways: Ways) -> dict[str, str]:
    """`writing_mdtm` has rclone believe in times that it reads with MDTM, which it does not otherwise.

    TLS 1.2, since Go's 1.3 and vsftpd do not agree on reusing a session, which servers ask for.
    """
    tls = {Tls.NONE: {}, Tls.EXPLICIT: {"explicit_tls": "true"}, Tls.IMPLICIT: {"tls": "true"}}[remote.tls]
    return tls | {
        "disable_tls13": "true",
        "encoding": RAW_NAMES,
        "writing_mdtm": "true",
        "force_list_hidden": str(ways.list_hidden).lower(),
        "concurrency": str(ways.connections),
    }


def _smb(remote: Remote, *, encode_names: bool) -> dict[str, str]:
    domain = {"domain": remote.domain} if remote.domain else {}
    encoding = {} if encode_names else {"encoding": RAW_NAMES}
    return domain | encoding | {"hide_special_share": "false", "case_insensitive": "false"}


def common_options(ways: Ways, *, is_question: bool, silence: int) -> list[str]:
    """Options of every call that reaches the server. A transfer goes on where it broke off, some times.

    `silence` is how many seconds a server may send nothing while it transfers: its disk may be busy.
    """
    tries, timeout = (1, _ANSWER_TIMEOUT) if is_question else (10, f"{silence}s")
    if ways.connections > 1:  # there may be fewer: all that rclone does waits for each of its tries
        tries = min(tries, 3)
    options = ["--use-json-log", "--ask-password=false", "--retries=1", f"--low-level-retries={tries}"]
    options += [f"--timeout={timeout}", f"--contimeout={_CONNECT_TIMEOUT}"]
    if ways.connections == 1:
        # A time has to be asked for before the connection is taken by a transfer; any age limit does that. Here it
        # is an age of less than minus 290 years, and not more than some: files without a time have 1601 or 1970.
        options += ["--checkers=1", "--transfers=1", "--min-age=-290y"]
    elif ways.connections:
        # rclone waits for itself for ever unless there is one more than it has checkers and transfers.
        options += [f"--checkers={ways.connections - _TRANSFERS - 1}", f"--transfers={_TRANSFERS}"]
    return options


def sync_options(ways: Ways, *, bandwidth: int, dry_run: bool) -> list[str]:
    """Options of a transfer that makes its target equal to its source, or copies to it."""
    options = ["--create-empty-src-dirs", "--no-unicode-normalization"]
    options += ["--stats=500ms", "--stats-log-level=NOTICE", "--stats-file-name-length=0"]
    # Where the server tells no times, sizes alone would hide changes: everything is read anew.
    options += [] if ways.times else ["--ignore-times"]
    options += [] if ways.in_parts and ways.times else ["--multi-thread-streams=0"]
    options += [f"--bwlimit={bandwidth}B"] if bandwidth else []
    options += ["--dry-run"] if dry_run else []
    return options


@dataclass(frozen=True, slots=True)
class Stats:
    """What rclone counts of a transfer; sizes are bytes, totals grow while it looks for files."""

    bytes: int = 0
    total_bytes: int = 0
    checks: int = 0
    transfers: int = 0
    total_transfers: int = 0
    deletes: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of `--use-json-log`: how serious it is, what it is about, and what it says."""

    level: str
    name: str
    message: str
    skipped: str = ""
    stats: Stats | None = None

    @property
    def is_error(self) -> bool:
        """Whether something failed."""
        return self.level in ("error", "critical", "fatal", "panic")

    @property
    def prose(self) -> str:
        """The line for a log that people read."""
        return f"{self.name}: {self.message}" if self.name else self.message


def parse_log_line(line: bytes) -> LogLine:
    """One line of rclone's log; what is no JSON, as its last words are, is an error without a name."""
    try:
        document = json.loads(line) if line.startswith(b"{") else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return LogLine("error", "", line.decode(errors="replace").strip())
    stats = document.get("stats")
    return LogLine(
        str(document.get("level", "")),
        str(document.get("object", "")),
        str(document.get("msg", "")).strip(),
        str(document.get("skipped", "")),
        _stats(stats) if isinstance(stats, dict) else None,
    )


def _stats(document: Mapping[str, Any]) -> Stats:
    def number(name: str) -> int:
        value = document.get(name)
        return int(value) if isinstance(value, int | float) else 0

    return Stats(
        bytes=number("bytes"),
        total_bytes=number("totalBytes"),
        checks=number("checks"),
        transfers=number("transfers"),
        total_transfers=number("totalTransfers"),
        deletes=number("deletes"),
        errors=number("errors"),
    )


def knows_times(features: str) -> tuple[bool, bool]:
    """Whether a server knows times of files, and whether its listings have them exactly.

    From `rclone backend features`.
    """
    document = json.loads(features)
    slow = bool(document.get("Features", {}).get("SlowModTime"))
    return document.get("Precision", 0) < _UNKNOWN_TIME, not slow


def is_directory(stat: str) -> bool:
    """What `lsjson --stat` says of a path."""
    return bool(json.loads(stat).get("IsDir"))


def counted(size: str) -> tuple[int, int]:
    """Files and bytes from `rclone size --json`."""
    document = json.loads(size)
    return int(document["count"]), int(document["bytes"])


def free(about: str) -> float:
    """Bytes that are free, from `rclone about --json`; no end of them where that is not told."""
    room = json.loads(about).get("free")
    return float(room) if isinstance(room, int | float) else float("inf")


def filter_text(rules: Iterable[str]) -> bytes:
    """A file for `--filter-from`; one rule a line, and none of ours has a line break or is a comment."""
    return "".join(f"{rule}\n" for rule in rules).encode(errors="surrogateescape")
