"""The systemd manager over D-Bus: the only module that imports pystemd.

One connection serves everything, since systemd sends signals about jobs only to a client that has called
Subscribe(), and only as long as that client's connection lives (org.freedesktop.systemd1(5)).

Calls are made on the bus itself, not through pystemd's objects, which open a connection for each property
and introspect each unit (pystemd 0.11 to 0.15).
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pystemd.dbusexc import DBusBaseError
from pystemd.dbuslib import DBus

from cncopctl.core.errors import SystemdError

_NAME = b"org.freedesktop.systemd1"
_PATH = b"/org/freedesktop/systemd1"
_MANAGER = b"org.freedesktop.systemd1.Manager"
_UNIT = b"org.freedesktop.systemd1.Unit"
_TIMER = b"org.freedesktop.systemd1.Timer"
_SERVICE = b"org.freedesktop.systemd1.Service"
_NEVER = 2**63  # systemd writes "infinity" as the largest number of microseconds
_STRING, _ARRAY, _END = ord("s"), ord("a"), -1
# How sd-bus words EPERM and EACCES, and polkit that it would have to ask (sd-bus-errors(3)).
_NOT_ALLOWED = ("authentication required", "Access denied", "Permission denied", "Operation not permitted")

# How long to wait for news of a unit before asking for its state again.
_MOMENT = 0.1


@dataclass(frozen=True, slots=True)
class LoadedUnit:
    """One unit as ListUnits() tells it; the strings are systemd's own."""

    name: str
    description: str
    load_state: str
    active_state: str
    sub_state: str
    path: bytes

    def is_up(self) -> bool:
        """Whether it is active, or on its way there."""
        return self.active_state in ("active", "activating", "reloading")

    def is_at_work(self) -> bool:
        """Whether anything of it may still run."""
        return self.active_state not in ("inactive", "failed")


@dataclass(frozen=True, slots=True)
class UnitState:
    """How one unit stands, loaded or not.

    `active_since` is None where it is not active; `refused_at` is when its conditions kept it from starting last,
    None if they held then.
    """

    load_state: str
    active_state: str
    active_since: datetime | None
    refused_at: datetime | None


class Systemd:
    """A connection to the system's or a user's manager; a context manager.

    Raises:
        SystemdError: from every method, where the manager does not answer or refuses.
    """

    def __init__(self, *, user: bool) -> None:
        self._user = user
        self._bus = DBus(user_mode=user)
        self._finished: dict[bytes, str] = {}
        self._on_job_removed = _callback(self._note_job)  # kept here: the bus holds no reference to it

    def __enter__(self) -> Self:
        try:
            self._bus.open()
            self._bus.match_signal(_NAME, _PATH, _MANAGER, b"JobRemoved", self._on_job_removed)
        except DBusBaseError as error:
            raise self._unreachable(error) from error
        self._call("Subscribe")
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()

    def version(self) -> int:
        """The manager's major version: 252 for "252.39-1~deb12u2"."""
        digits = str(self._get(_PATH, _MANAGER, b"Version", b"s")).partition(".")[0].split()[0]
        return int("".join(character for character in digits if character.isdigit()) or "0")

    def units_loaded_at(self) -> datetime:
        """When the manager last read its unit files, by a daemon-reload or at its start."""
        # The first is 0 until there has been a reload, the second tells of the start alone.
        names = (b"UnitsLoadTimestamp", b"UnitsLoadStartTimestamp")
        return datetime.fromtimestamp(
            max(int(self._get(_PATH, _MANAGER, name, b"t")) for name in names) / 1e6, UTC
        )

    def units(self, patterns: Iterable[str]) -> dict[str, LoadedUnit]:
        """The loaded units whose names match one of the glob `patterns`, by name."""
        rows = self._call("ListUnitsByPatterns", [], list(patterns)) or []
        found = (
            LoadedUnit(
                name=row[0].decode(),
                description=row[1].decode(errors="backslashreplace"),
                load_state=row[2].decode(),
                active_state=row[3].decode(),
                sub_state=row[4].decode(),
                path=row[6],
            )
            for row in rows
        )
        return {unit.name: unit for unit in found}

    def state_of(self, unit: str) -> UnitState:
        """How `unit` stands; its file is read if it was not loaded."""
        path: bytes = self._call("LoadUnit", unit)
        load_state, active_state = (
            str(self._get(path, _UNIT, name, b"s")) for name in (b"LoadState", b"ActiveState")
        )
        has_held = bool(self._get(path, _UNIT, b"ConditionResult", b"b"))
        since = self._instant(path, b"ActiveEnterTimestamp")
        return UnitState(
            load_state,
            active_state,
            active_since=since if active_state == "active" else None,
            refused_at=None if has_held else self._instant(path, b"ConditionTimestamp"),
        )

    def _instant(self, path: bytes, name: bytes) -> datetime | None:
        microseconds = int(self._get(path, _UNIT, name, b"t"))
        return datetime.fromtimestamp(microseconds / 1e6, UTC) if 0 < microseconds < _NEVER else None

    def active_since(self, units: Iterable[LoadedUnit]) -> dict[str, datetime]:
        """Since when those of `units` that are active have been so, by name."""
        active = [unit for unit in units if unit.active_state == "active"]
        instants = {unit.name: self._instant(unit.path, b"ActiveEnterTimestamp") for unit in active}
        return {name: instant for name, instant in instants.items() if instant}

    def next_elapses(self, timers: Iterable[LoadedUnit]) -> dict[str, datetime]:
        """When each of `timers` elapses next, by name; those that never will are left out."""
        found = {}
        for timer in timers:
            elapse = int(self._get(timer.path, _TIMER, b"NextElapseUSecRealtime", b"t"))
            if 0 < elapse < _NEVER:
                found[timer.name] = datetime.fromtimestamp(elapse / 1e6, UTC)
        return found

    def last_elapse(self, timer: LoadedUnit) -> datetime | None:
        """When `timer` elapsed last, as far as systemd remembers."""
        return _instant(self._get(timer.path, _TIMER, b"LastTriggerUSec", b"t"))

    def left_rest(self, unit: LoadedUnit) -> datetime | None:
        """When `unit` was last not active any more than now: since when it has been running, if it runs."""
        return _instant(self._get(unit.path, _UNIT, b"InactiveExitTimestamp", b"t"))

    def service_result(self, service: LoadedUnit) -> str:
        """How the last run of `service` ended, in systemd's words: `success`, `exit-code`, …."""
        return str(self._get(service.path, _SERVICE, b"Result", b"s"))

    def status_text(self, service: LoadedUnit) -> str:
        """What `service` has said last about itself (sd_notify(3), STATUS=)."""
        return str(self._get(service.path, _SERVICE, b"StatusText", b"s"))

    def reload(self) -> None:
        """Have the manager read all unit files again, and wait until it has."""
        self._call("Reload")

    def start(self, unit: str, *, wait: bool = True) -> bytes:
        """Queue a start of `unit`; with `wait`, until that job is over, whose failure is an error."""
        return self._job("StartUnit", unit, "start", wait=wait)

    def stop(self, unit: str, *, wait: bool = True) -> bytes:
        """Queue a stop of `unit`; with `wait`, until that job is over."""
        return self._job("StopUnit", unit, "stop", wait=wait)

    def restart(self, unit: str) -> bytes:
        """Queue a restart of `unit`."""
        return self._job("RestartUnit", unit, "restart", wait=False)

    def clean_state(self, unit: str) -> None:
        """Remove what `unit`, which must be inactive, keeps as state, if anything: a timer's Persistent= stamp."""
        try:
            self._call("CleanUnit", unit, ["state"])
        except SystemdError as refusal:
            # A timer with Persistent=no has no stamp, which systemd calls an error.
            if "org.freedesktop.systemd1.NothingToClean" not in str(refusal.__cause__):
                raise

    def reset_failed(self, unit: str) -> None:
        """Have systemd forget that `unit` failed; it would keep it loaded for that, even without its file."""
        self._call("ResetFailedUnit", unit)

    def follow(
        self, jobs: Iterable[bytes], tick: float, on_tick: Callable[[], None]
    ) -> Iterator[tuple[bytes, str]]:
        """Yield each of `jobs` (as `start` returned them) with its result as it ends: `done`, `failed`, ….

        Calls `on_tick` about every `tick` seconds meanwhile.
        """
        waiting = set(jobs)
        while waiting:
            for job in waiting & self._finished.keys():
                waiting.discard(job)
                yield job, self._finished.pop(job)
            if waiting:
                self.process(tick)
                on_tick()

    def wait_until_ended(self, unit: str) -> None:
        """Return when `unit` is neither on its way up nor down: its last ExecStopPost= is done, too."""
        while (found := self.units([unit]).get(unit)) and found.active_state in (
            "activating",
            "deactivating",
        ):
            self.process(_MOMENT)

    def wait_for(self, jobs: Iterable[bytes]) -> None:
        """Return when all of `jobs` are over, however they ended."""
        for _job, _result in self.follow(jobs, 60, lambda: None):
            continue

    def _job(self, method: str, unit: str, verb: str, *, wait: bool) -> bytes:
        job: bytes = self._call(method, unit, "replace")
        if wait:
            for _, result in self.follow([job], 60, lambda: None):
                if result != "done":
                    raise SystemdError(
                        f"systemd could not {verb} {unit}: {result}",
                        f"look at: {self._systemctl('status', unit)}",
                    )
        return job

    def _note_job(self, message: Any) -> None:
        message.process_reply(False)
        _number, path, _unit, result = message.body
        self._finished[path] = result.decode()

    def process(self, seconds: float) -> None:
        """Deal with everything that has arrived, having waited for it at most so long."""
        deadline = time.monotonic() + seconds
        while self._bus.process().is_empty():
            if (left := deadline - time.monotonic()) <= 0:
                return
            select.select([self._bus.get_fd()], [], [], left)
        while not self._bus.process().is_empty():
            pass

    def _call(self, method: str, *arguments: str | list[str]) -> Any:
        try:
            return self._bus.call_method(_NAME, _PATH, _MANAGER, method.encode(), _marshalled(arguments)).body
        except DBusBaseError as error:
            subject = next((argument for argument in arguments if isinstance(argument, str)), "")
            raise self._refused(method, subject, error) from error

    def _get(self, path: bytes, interface: bytes, name: bytes, kind: bytes) -> Any:
        try:
            value = self._bus.get_property(_NAME, path, interface, name, kind)
        except DBusBaseError as error:
            raise self._refused(f"reading {name.decode()}", "", error) from error
        return value.decode() if isinstance(value, bytes) else value

    def _refused(self, method: str, subject: str, error: Exception) -> SystemdError:
        what = " ".join(part for part in ("systemd refused", method, subject) if part)
        hint = f"look at: {self._systemctl('status', subject) if subject else 'journalctl -b'}"
        if any(word in str(error) for word in _NOT_ALLOWED):
            hint = "try again with sudo"
        return SystemdError(f"{what}: {_words(error)}", hint)

    def _unreachable(self, error: Exception) -> SystemdError:
        if self._user:
            hint = (
                "for the system's jobs, try again with sudo; for your own, log in as that user (su and sudo are no "
                "logins), or for jobs without a login: loginctl enable-linger USER"
            )
        else:
            hint = "on a machine without systemd, use --root DIR to look at what would be installed"
        return SystemdError(
            f"no {'user' if self._user else 'system'} manager of systemd answers: {_words(error)}", hint
        )

    def _systemctl(self, verb: str, unit: str) -> str:
        return f"systemctl {'--user ' if self._user else ''}{verb} {unit}"


def _instant(microseconds: object) -> datetime | None:
    """A point in time of systemd's; None for one that never was."""
    number = int(str(microseconds))
    return datetime.fromtimestamp(number / 1e6, UTC) if 0 < number < _NEVER else None


def _callback(method: Callable[[Any], None]) -> Callable[..., None]:
    """pystemd notes metadata on its callbacks, which a bound method does not take."""

    def call(message: Any, error: object = None, userdata: object = None) -> None:
        method(message)

    return call


def _marshalled(arguments: Iterable[str | list[str]]) -> list[tuple[int, bytes | None]]:
    series: list[tuple[int, bytes | None]] = []
    for argument in arguments:
        if isinstance(argument, str):
            series.append((_STRING, argument.encode()))
        else:
            series += [(_ARRAY, b"s"), *((_STRING, item.encode()) for item in argument), (_END, None)]
    return series


def _words(error: Exception) -> str:
    """What pystemd's error says, without the number in front and the advice on pystemd behind."""
    first = str(error.args[0] if error.args else error).partition("\n")[0]
    words = first.partition("]: ")[2] or first
    return words[2:-1] if words.startswith(("b'", 'b"')) else words
