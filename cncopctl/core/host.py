"""What a profile is compiled against: the facts of this machine, gathered once by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Host:
    """Facts of the machine that jobs run on.

    `zone` is the machine's time zone, `agents` maps the names of the installed agents to their paths,
    `python` is the command that starts our own programs, `systemd` the version units are written for
    (252 to 258 are supported), `commands` maps the files under Bin/ to why they may not be run, "" where they may,
    `credentials` has the names of the stored ones, `encrypted` of those that systemd has to decrypt; `encrypts`
    says whether those will be, too, that are stored from now on; `console` is the path of the program behind the
    admin console ("" is the package's), `console_hindrance` why this machine cannot have one, "" where it can;
    `dispatcher` is the path of the program behind each step of a run, "" where only Python's own search finds it.
    """

    machine_id: str
    zone: str
    systemd: int
    python: str
    agents: Mapping[str, str]
    commands: Mapping[str, str]
    credentials: frozenset[str]
    now: datetime
    console: str = ""
    dispatcher: str = ""
    console_hindrance: str = ""
    encrypted: frozenset[str] = frozenset()
    encrypts: bool = False

    def is_encrypted(self, credential: str) -> bool:
        """Whether systemd has to decrypt it, or will have to once it is stored."""
        return credential in self.encrypted or (credential not in self.credentials and self.encrypts)
