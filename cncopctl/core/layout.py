"""Where things live: for the whole system, for one user, or under one directory (design, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

ENCRYPTED = ".cred"
"""How the files of encrypted credentials end."""


class Scope(StrEnum):
    """Whose systemd manager runs the jobs; a DIRECTORY has none."""

    SYSTEM = "system"
    USER = "user"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one installation; all absolute.

    `packaged_units` is where a distribution's package puts static units: what is there is not installed
    a second time among the generated `units`.
    """

    scope: Scope
    configuration: Path
    commands: Path
    spool: Path
    logs: Path
    state: Path
    cache: Path
    run: Path
    units: Path
    packaged_units: Path
    repositories: Path

    @classmethod
    def system(cls) -> Layout:
        """The places of the Debian package (hier(7), FHS 3.0)."""
        return cls(
            scope=Scope.SYSTEM,
            configuration=Path("/etc/cncop"),
            commands=Path("/etc/cncop/bin"),
            spool=Path("/var/spool/cncop"),
            logs=Path("/var/log/cncop"),
            state=Path("/var/lib/cncop"),
            cache=Path("/var/cache/cncop"),
            run=Path("/run/cncop"),
            units=Path("/etc/systemd/system"),
            packaged_units=Path("/usr/lib/systemd/system"),
            repositories=Path("/var/backups/cncop"),
        )

    @classmethod
    def user(cls, environment: Mapping[str, str], home: Path, uid: int) -> Layout:
        """The places of one user (XDG Base Directory Specification 0.8).

        Relative values of the XDG variables are invalid there, and are ignored as it says.
        """

        def base(variable: str, default: Path) -> Path:
            path = Path(environment.get(variable, ""))
            return path if path.is_absolute() else default

        configuration = base("XDG_CONFIG_HOME", home / ".config")
        state = base("XDG_STATE_HOME", home / ".local/state") / "cncop"
        data = base("XDG_DATA_HOME", home / ".local/share")
        return cls(
            scope=Scope.USER,
            configuration=configuration / "cncop",
            commands=configuration / "cncop/bin",
            spool=state / "spool",
            logs=state / "log",
            state=state,
            cache=base("XDG_CACHE_HOME", home / ".cache") / "cncop",
            run=base("XDG_RUNTIME_DIR", Path(f"/run/user/{uid}")) / "cncop",
            units=configuration / "systemd/user",
            packaged_units=Path("/usr/lib/systemd/user"),
            repositories=data / "cncop/backups",
        )

    @classmethod
    def directory(cls, root: Path) -> Layout:
        """The original application directory's shape, for images, for looking and for tests."""
        return cls(
            scope=Scope.DIRECTORY,
            configuration=root / "Config",
            commands=root / "Bin",
            spool=root / "Spool",
            logs=root / "Logs",
            state=root / "State",
            cache=root / "State/cache",
            run=root / "Run",
            units=root / "Units",
            packaged_units=root / "Units/packaged",
            repositories=root / "Backups",
        )

    @property
    def profile(self) -> Path:
        """The hub's profile, which is replaced as a whole."""
        return self.configuration / "profile.toml"

    @property
    def settings(self) -> Path:
        """cncop3.ini."""
        return self.configuration / "cncop3.ini"

    @property
    def own_jobs(self) -> Path:
        """Directory of the administrator's own profiles, `*.toml`."""
        return self.configuration / "jobs.d"

    @property
    def calendars(self) -> Path:
        """Directory of the files that calendars of the profile name."""
        return self.configuration / "calendars"

    @property
    def credentials(self) -> Path:
        """The root-only store of keys and passwords, one file each."""
        return self.configuration / "credentials"

    @property
    def compiled_jobs(self) -> Path:
        """What was synced is what runs: one file for each job."""
        return self.state / "jobs"

    @property
    def runs(self) -> Path:
        """One directory for each run that has not been closed."""
        return self.state / "runs"

    @property
    def pauses(self) -> Path:
        """One file for each job that is paused."""
        return self.state / "pauses"

    @property
    def halts(self) -> Path:
        """One file for each job that was stopped or removed by hand."""
        return self.state / "halts"

    @property
    def told(self) -> Path:
        """One file for each job that people have been told of by mail."""
        return self.state / "told"

    @property
    def history(self) -> Path:
        """The database of finished runs."""
        return self.state / "history.sqlite"

    @property
    def messages(self) -> Path:
        """Where reports wait for the reporter."""
        return self.spool / "Messages"

    @property
    def archive(self) -> Path:
        """Where reports stay that somebody has taken, or that nobody is there to take: a directory for each day."""
        return self.spool / "Archive"

    @property
    def mail(self) -> Path:
        """Where mail waits for the reporter."""
        return self.spool / "Mail"

    @property
    def expired(self) -> Path:
        """What could not be delivered for days, and is not tried any more."""
        return self.spool / "Expired"

    @property
    def locks(self) -> Path:
        """One lock file for each job; never deleted while anything runs."""
        return self.run / "locks"

    @property
    def aborts(self) -> Path:
        """One file for each job whose run somebody is aborting."""
        return self.run / "aborts"

    @property
    def slots(self) -> Path:
        """One lock file for each job that may run at once."""
        return self.locks / "slots"

    def refusal(self) -> str:
        """Why units cannot name one of the directories; "" where they can name them all."""
        from cncopctl.core.unit_text import refusal  # only those that write units ask

        paths = [str(getattr(self, field.name)) for field in fields(self)]
        reasons = ((path, refusal(path)) for path in paths)
        return next((f"{path}: {reason}" for path, reason in reasons if reason), "")

    def typed(self, hint: str) -> str:
        """`hint` with systemd's commands as they are typed here: units of a user's own are asked for with --user."""
        if self.scope is not Scope.USER:
            return hint
        return hint.replace("journalctl ", "journalctl --user ").replace("systemctl ", "systemctl --user ")

    def flag(self) -> str:
        """The command-line option that selects this layout in our own programs."""
        return f"--root={self.units.parent}" if self.scope is Scope.DIRECTORY else f"--{self.scope}"
