"""cncop3.ini: every setting, what it may be, and what is meant where it is not set.

The table of settings is the one source: the shipped file, the manual page and the checks are made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cncopctl.core.faults import Fault, ProfileError, nearest, shown
from cncopctl.core.unit_text import refusal

FILE = "cncop3.ini"

# Less than a day, so that a nightly job which fails each night tells so each night, a little earlier or later.
REPEAT = 20

_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}")
_GROUP = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_ADDRESS = re.compile(r"[^\s@<>\",;\x00-\x1f\x7f]+@[^\s@<>\",;\x00-\x1f\x7f]+")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for all jobs: the console's TCP port, days that logs and the history go back, jobs at once."""

    scheduler_port: int = 59153
    days_of_logs: int = 90
    days_of_history: int = 400
    max_parallel_jobs: int = 2


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail is sent; without a server none is. `port` 0 is the usual one of `security`.

    A failure that stays the same is told once in `repeat` hours, each time if that is 0.
    """

    server: str = ""
    port: int = 0
    security: str = "starttls"
    user: str = ""
    credential: str = ""
    sender: str = ""
    ca_file: str = ""
    repeat: int = REPEAT


@dataclass(frozen=True, slots=True)
class Repositories:
    """Where PULL jobs that name no destination keep their backups, and the snapshots that stay by default.

    `directory` "" is the layout's own; `keep` is by rule (daily, …), empty where everything stays.
    """

    directory: str = ""
    keep: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Console:
    """Who may change things by the console besides root (`group`), and who may `look`: everyone or group.

    `listen` is whether it listens at all (see `listens`); `idle_timeout` is in seconds.
    """

    group: str = "cncop"
    look: str = "everyone"
    listen: str = "auto"
    idle_timeout: int = 300

    def listens(self, port: int, *, is_user: bool) -> bool:
        """Whether there is a console at `port`.

        For the system as a rule; for a user where it has its own port, since all of a machine share its ports.
        """
        if self.listen == "auto":
            return not is_user or port != Defaults().scheduler_port
        return self.listen == "yes"


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings, with their defaults filled in."""

    defaults: Defaults = field(default_factory=Defaults)
    mail: Mail = field(default_factory=Mail)
    repository: Repositories = field(default_factory=Repositories)
    console: Console = field(default_factory=Console)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of cncop3.ini.

    `read` gives the value of a text and raises ValueError with what is wrong; `example` is a value that
    a user may write, shown in the file where `default` is empty.
    """

    section: str
    key: str
    default: str
    example: str
    meaning: str
    read: Callable[[str], Any]


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        # str.isdigit() takes digits of other scripts, and int() underscores.
        if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"{shown(text)} is not a whole number from {lowest} to {highest}")
        return int(text)

    return read


def _choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.casefold() not in choices:
            raise ValueError(f"{shown(text)} is none of {', '.join(choices)}")
        return text.casefold()

    return read


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and not pattern.fullmatch(text):
            raise ValueError(f"{shown(text)} is not {what}")
        return text

    return read


def _text(text: str) -> str:
    if reason := refusal(text):
        raise ValueError(reason)
    return text


def _path(text: str) -> str:
    if text and (not text.startswith("/") or ".." in text.split("/")):
        raise ValueError(f"{shown(text)} is not an absolute path without ..")
    return _text(text)


_RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")

SECTIONS = MappingProxyType(
    {
        "defaults": "What holds for all jobs.",
        "mail": "How notifications are sent. Without a mail_server none is.",
        "repository": "Where backups are kept, and how many of them, where a job does not say otherwise.",
        "console": "Who may use the admin console (telnet localhost 59153).",
    }
)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "defaults",
        "scheduler_port",
        "59153",
        "59153",
        "TCP port of the admin console on 127.0.0.1 and ::1.",
        _number(1, 65535),
    ),
    Setting(
        "defaults",
        "days_of_logs",
        "90",
        "90",
        "Days that logs of runs are kept. The log of a run that has not ended is never removed.",
        _number(1, 36500),
    ),
    Setting(
        "defaults",
        "days_of_history",
        "400",
        "400",
        "Days that the history of runs goes back, of those on which anything ran. The last run of each job stays, "
        "and so does the last of each outcome.",
        _number(1, 36500),
    ),
    Setting(
        "defaults",
        "max_parallel_jobs",
        "2",
        "2",
        "How many jobs may run at once. The others wait for their turn; waiting does not count towards "
        "their timeouts.",
        _number(1, 1000),
    ),
    Setting(
        "mail",
        "mail_server",
        "",
        "mail.example.org",
        "Name or address of the SMTP server that takes our mail.",
        _matching(_HOST, "the name of a server"),
    ),
    Setting(
        "mail",
        "mail_port",
        "0",
        "587",
        "Its port; 0 is the usual one: 587 with starttls, 465 with tls, 25 with none.",
        _number(0, 65535),
    ),
    Setting(
        "mail",
        "mail_security",
        "starttls",
        "starttls",
        "How the connection is secured: starttls, tls (from the first byte) or none. Certificates are verified.",
        _choice("starttls", "tls", "none"),
    ),
    Setting("mail", "mail_user", "", "backup", "User name, where the server wants a login.", _text),
    Setting(
        "mail",
        "mail_credential",
        "",
        "mail",
        "Name of the credential with the password (cncopctl credential set NAME). It never stands in this file.",
        _matching(_CREDENTIAL, "a name of letters, digits, dots, underscores and hyphens"),
    ),
    Setting(
        "mail",
        "mail_sender",
        "",
        "backup@example.org",
        "Sender of our mail; without one it is cncop at this machine's name.",
        _matching(_ADDRESS, "an address such as backup@example.org"),
    ),
    Setting(
        "mail",
        "mail_ca_file",
        "",
        "/etc/ssl/certs/our-ca.pem",
        "File with the certificates (PEM) that the server's is verified by; without one, the system's.",
        _path,
    ),
    Setting(
        "mail",
        "mail_repeat",
        str(REPEAT),
        str(REPEAT),
        "Hours in which a job's failure that stays the same is told once; the next mail has the count. Another "
        "failure and the first good run are told at once, unless it fails and works in turns. 0: each is told.",
        _number(0, 8760),
    ),
    Setting(
        "repository",
        "directory",
        "",
        "/srv/backup",
        "Where a PULL job without a destination keeps its backups, in a directory named by its id.",
        _path,
    ),
    *(
        Setting(
            "repository",
            f"keep_{rule}",
            "0",
            "7",
            f"Snapshots that stay by the rule {rule}, of jobs that have no keep of their own. "
            "With all rules at 0 every snapshot stays.",
            _number(0, 100_000),
        )
        for rule in _RULES
    ),
    Setting(
        "console",
        "group",
        "cncop",
        "cncop",
        "Members of this group, besides root, may start, stop and change things by the console.",
        _matching(_GROUP, "the name of a group"),
    ),
    Setting(
        "console",
        "look",
        "everyone",
        "everyone",
        "Who may look by the console: everyone on this machine, or group.",
        _choice("everyone", "group"),
    ),
    Setting(
        "console",
        "listen",
        "auto",
        "auto",
        "Whether there is a console: yes, no, or auto, which is yes for the system's jobs, and for a user's own "
        "where scheduler_port is another than the system's 59153.",
        _choice("auto", "yes", "no"),
    ),
    Setting(
        "console",
        "idle_timeout",
        "300",
        "300",
        "Seconds of silence after which the console ends a session.",
        _number(1, 86400),
    ),
)


def build_configuration(sections: Mapping[str, Mapping[str, str]], file: str = FILE) -> Configuration:
    """The configuration that the file's sections give.

    Raises:
        ProfileError: with every fault of the file.
    """
    faults = list(_unknown(sections, file))
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for setting in SETTINGS:
        text = sections.get(setting.section, {}).get(setting.key, "").strip() or setting.default
        try:
            values[setting.section][setting.key] = setting.read(text)
        except ValueError as error:
            remedy = f"write a value such as: {setting.key} = {setting.example}"
            faults.append(Fault(file, str(error), remedy, key=f"[{setting.section}] {setting.key}"))
    if faults:
        raise ProfileError(faults)
    return Configuration(
        defaults=Defaults(**values["defaults"]),
        mail=Mail(**{key.removeprefix("mail_"): value for key, value in values["mail"].items()}),
        repository=_repositories(values["repository"]),
        console=Console(**values["console"]),
    )


def _repositories(values: Mapping[str, Any]) -> Repositories:
    rules = {rule: values[f"keep_{rule}"] for rule in _RULES}
    return Repositories(values["directory"], {rule: count for rule, count in rules.items() if count})


def _unknown(sections: Mapping[str, Mapping[str, str]], file: str) -> Iterator[Fault]:
    for section, keys in sections.items():
        if section not in SECTIONS:
            yield Fault(file, "is no section that cncop knows", _meant(section, SECTIONS), key=f"[{section}]")
            continue
        known = [setting.key for setting in SETTINGS if setting.section == section]
        for key in (key for key in keys if key not in known):
            elsewhere = next((s.section for s in SETTINGS if s.key == key), "")
            remedy = f"it belongs under [{elsewhere}]" if elsewhere else _meant(key, known)
            yield Fault(file, "is no setting that cncop knows", remedy, key=f"[{section}] {key}")


def _meant(word: str, known: Mapping[str, str] | list[str]) -> str:
    near = nearest(word, known)
    return f"did you mean {near}?" if near else f"known are: {', '.join(known)}"


def annotated_file() -> str:
    """cncop3.ini as it is shipped: every setting with its meaning, switched off at its default."""
    lines = [
        "# Settings of cncop. Lines that begin with # are comments; what is not set has the value shown.",
        "# Changes take effect with the next: cncopctl sync-profile",
    ]
    for section, meaning in SECTIONS.items():
        lines += ["", f"# {meaning}", f"[{section}]"]
        for setting in (setting for setting in SETTINGS if setting.section == section):
            lines += ["", *(f"# {line}" for line in _wrapped(setting.meaning))]
            lines += [f"#{setting.key} = {setting.default or setting.example}"]
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    import textwrap  # only for the shipped file

    return textwrap.wrap(text, 98)
