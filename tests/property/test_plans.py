"""Plans converge: applied, or killed after any step and planned again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cncopctl.core.life_cycle import Halt, Status, held_back
from cncopctl.core.naming import (
    CONSOLE_PORT,
    CONSOLE_SOCKET,
    TARGET,
    is_timer,
    is_trigger,
    job_of,
    service_name,
    timer_name,
)
from cncopctl.core.plan import Action, Installed, InstalledUnit, Loaded, Plan, Step, Wanted, make_plan
from cncopctl.core.seal import seal_of, sealed

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
JOBS = ("a", "b", "c", "d")


@dataclass
class Machine:
    """A model of a directory of units and of the systemd that reads it; `clock` is the time."""

    units: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    compiled: dict[str, str] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    wants: set[str] = field(default_factory=set)
    active: dict[str, str] = field(default_factory=dict)
    loaded_at: int = 0
    clock: int = 1
    console_changed: int = 0
    console_since: int = 0
    listens: tuple[str, str] | None = None

    def installed(self) -> Installed:
        units = {
            name: InstalledUnit("", seal_of(""), is_masked=True)
            if text == "masked"
            else InstalledUnit(text, seal_of(text))
            for name, text in self.units.items()
        }
        newest = max(self.changed.values(), default=None)
        return Installed(
            units,
            dict(self.links),
            dict(self.compiled),
            changed_at=None if newest is None else EPOCH + timedelta(seconds=newest),
            console_changed_at=EPOCH + timedelta(seconds=self.console_changed),
        )

    def manager(self) -> Loaded:
        since = EPOCH + timedelta(seconds=self.console_since)
        loaded_at = EPOCH + timedelta(seconds=self.loaded_at)
        return Loaded(dict(self.active), frozenset(self.loaded), loaded_at, console_since=since)

    def plan(self, wanted: Wanted, *, prune: bool = True) -> Plan:
        return make_plan(wanted, self.installed(), self.manager(), prune=prune)

    def do(self, step: Step) -> None:
        self.clock += 1
        name = step.name
        match step.action:
            case Action.WRITE | Action.LINK | Action.COMPILE:
                self.put(name, step.text, self.table(step.action))
            case Action.DELETE | Action.UNLINK | Action.FORGET:
                self.drop(name, self.table(step.action))
            case Action.STOP:
                self.active[name] = "inactive"
            case Action.CLEAN:
                assert self.active.get(name, "inactive") == "inactive", "systemd cleans no active unit"
                assert name in self.loaded, "nor one that it has not loaded"
            case Action.RELOAD:
                self.reload()
            case Action.START:
                self.start()
            case Action.RESTART:
                assert self.active[name] == "active"
                self.listen()

    def table(self, action: Action) -> dict[str, str]:
        links, compiled = (Action.LINK, Action.UNLINK), (Action.COMPILE, Action.FORGET)
        return self.links if action in links else self.compiled if action in compiled else self.units

    def put(self, name: str, text: str, table: dict[str, str]) -> None:
        table[name] = text
        if table is not self.compiled:
            self.changed[name] = self.clock
        self.note_console(name)

    def note_console(self, name: str) -> None:
        if name in (CONSOLE_SOCKET, CONSOLE_PORT):
            self.console_changed = self.clock

    def listen(self) -> None:
        """A socket listens where its files said when it was started."""
        self.console_since = self.clock
        self.listens = (self.loaded[CONSOLE_SOCKET], self.loaded.get(CONSOLE_PORT, ""))

    def drop(self, name: str, table: dict[str, str]) -> None:
        table.pop(name, None)
        if table is not self.compiled:
            self.changed.pop(name, None)
        self.note_console(name)

    def reload(self) -> None:
        self.loaded = {name: text for name, text in self.units.items() if text != "masked"}
        self.wants = {link.rpartition("/")[2] for link in self.links if link.startswith(f"{TARGET}.wants/")}
        self.active = {name: state for name, state in self.active.items() if state != "inactive"}
        self.clock += 1
        self.loaded_at = self.clock

    def start(self) -> None:
        for name in (TARGET, *sorted(self.wants)):
            if self.active.get(name) in ("active", "activating"):
                continue
            if name in self.loaded:
                self.active[name] = "active"
                if name == CONSOLE_SOCKET:
                    self.listen()

    def timers(self) -> set[str]:
        return {name for name, state in self.active.items() if is_timer(name) and state == "active"}


# Of each job its version, how many timers it has, and whether somebody has stopped or removed it.
Profile = dict[str, tuple[str, int, Status | None]]
versions = st.sampled_from(["1", "2"])
statuses = st.sampled_from([None, None, Status.STOP, Status.REMOVED])
profiles = st.dictionaries(st.sampled_from(JOBS), st.tuples(versions, st.integers(0, 2), statuses))


def wanted_for(profile: Profile) -> Wanted:
    """What the profile wants, as far as nobody holds its jobs back. The console comes and goes with the last."""
    units = {TARGET: sealed("target")}
    for job, (version, timers, _) in profile.items():
        units[service_name(job)] = sealed(f"{job} {version}")
        for number in range(1, timers + 1):
            units[timer_name(job, number)] = sealed(f"{job} {number} {version}")
    if console := profile.get(JOBS[-1]):
        units[CONSOLE_SOCKET] = sealed("socket")
        units |= {CONSOLE_PORT: sealed(f"port {console[1]}")} if console[1] else {}
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in units if is_trigger(name)}
    links[f"default.target.wants/{TARGET}"] = f"../{TARGET}"
    compiled = {job: f"{job} {values[:2]}" for job, values in profile.items()}
    halts = {job: Halt(job, job, status, EPOCH) for job, (_, _, status) in profile.items() if status}
    return held_back(Wanted(units, links, compiled), halts)


def enabled(wanted: Wanted) -> set[str]:
    """The timers that are to be started."""
    return {name for name in wanted.units if is_timer(name) and job_of(name) not in wanted.halted}


def sync(machine: Machine, wanted: Wanted, *, killed_after: int = 10**9) -> None:
    for step in machine.plan(wanted).steps[:killed_after]:
        machine.do(step)


def assert_converged(machine: Machine, wanted: Wanted) -> None:
    assert (machine.units, machine.links, machine.compiled) == (
        wanted.units,
        wanted.links,
        wanted.compiled,
    )
    assert machine.loaded == wanted.units
    assert machine.timers() == enabled(wanted)
    assert not machine.plan(wanted)
    if CONSOLE_SOCKET in wanted.units:
        assert machine.active[CONSOLE_SOCKET] == "active"
        assert machine.listens == (wanted.units[CONSOLE_SOCKET], wanted.units.get(CONSOLE_PORT, ""))
    else:
        assert machine.active.get(CONSOLE_SOCKET, "inactive") == "inactive"


@settings(max_examples=400, deadline=None)
@given(profiles, profiles)
def test_what_is_applied_leaves_nothing_to_do(before: Profile, after: Profile) -> None:
    machine = Machine()
    for profile in (before, after):
        wanted = wanted_for(profile)
        sync(machine, wanted)
        assert_converged(machine, wanted)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(profiles, st.integers(0, 40)), min_size=1, max_size=5), profiles)
def test_syncs_that_are_killed_after_any_step_are_completed_by_the_next(
    killed: list[tuple[Profile, int]], last: Profile
) -> None:
    machine = Machine()
    for profile, after in killed:
        sync(machine, wanted_for(profile), killed_after=after)
    sync(machine, wanted_for(last))
    assert_converged(machine, wanted_for(last))


@settings(max_examples=400, deadline=None)
@given(profiles, profiles, st.integers(0, 40))
def test_at_no_instant_is_a_job_without_the_timers_that_it_keeps(
    before: Profile, after: Profile, kill: int
) -> None:
    machine = Machine()
    sync(machine, wanted_for(before))
    kept = machine.timers() & enabled(wanted_for(after))
    for steps in (machine.plan(wanted_for(after)).steps[:kill], None):
        for step in machine.plan(wanted_for(after)).steps if steps is None else steps:
            machine.do(step)
            assert kept <= machine.timers()
            assert kept <= machine.units.keys()
            assert not (step.action is Action.STOP and step.name in kept)


drift = st.lists(
    st.tuples(st.sampled_from(["edit", "mask", "delete", "unlink", "stop", "stray"]), st.integers(0, 99)),
    max_size=5,
)


@settings(max_examples=400, deadline=None)
@given(profiles, drift, profiles, st.booleans())
def test_whatever_was_done_by_hand_is_repaired(
    before: Profile,
    hands: list[tuple[str, int]],
    after: Profile,
    reloaded: bool,
) -> None:
    machine = Machine()
    sync(machine, wanted_for(before))
    for what, chance in hands:
        by_hand(machine, what, chance)
    if reloaded:
        machine.reload()
    sync(machine, wanted_for(after))
    assert_converged(machine, wanted_for(after))


def by_hand(machine: Machine, what: str, chance: int) -> None:
    machine.clock += 1
    units = sorted(machine.units)
    unit = units[chance % len(units)] if units else ""
    if what == "edit" and unit and machine.units[unit] != "masked":
        machine.put(unit, f"mine\n{machine.units[unit]}", machine.units)
    elif what == "mask" and unit:
        machine.put(unit, "masked", machine.units)
    elif what == "delete" and unit:
        machine.drop(unit, machine.units)
    elif what == "unlink" and machine.links:
        machine.drop(sorted(machine.links)[chance % len(machine.links)], machine.links)
    elif what == "stop" and is_timer(unit):
        machine.active[unit] = "inactive"
    elif what == "stray":
        machine.put(f"{TARGET}.wants/{timer_name('old')}", f"../{timer_name('old')}", machine.links)


@settings(max_examples=200, deadline=None)
@given(profiles, profiles, st.sets(st.sampled_from(JOBS)))
def test_a_removed_job_that_runs_is_removed_once_it_has_finished(
    before: Profile, after: Profile, running: set[str]
) -> None:
    machine = Machine()
    sync(machine, wanted_for(before))
    busy = {service_name(job) for job in running & before.keys()} & machine.units.keys()
    machine.active |= dict.fromkeys(busy, "activating")
    sync(machine, wanted_for(after))
    assert busy <= machine.units.keys()
    assert {job_of(name) for name in busy} <= machine.compiled.keys()
    for name in busy:
        del machine.active[name]
    sync(machine, wanted_for(after))
    assert_converged(machine, wanted_for(after))


@settings(max_examples=200, deadline=None)
@given(profiles, profiles)
def test_without_pruning_nothing_of_a_job_that_left_is_touched(before: Profile, after: Profile) -> None:
    machine = Machine()
    sync(machine, wanted_for(before))
    left = before.keys() - after.keys()
    for step in machine.plan(wanted_for(after), prune=False).steps:
        machine.do(step)
    for job in left:
        theirs = {name: text for name, text in wanted_for(before).units.items() if job_of(name) == job}
        assert theirs.items() <= machine.units.items()
        assert job in machine.compiled or before[job][2] is Status.REMOVED
    assert not replace(machine.plan(wanted_for(after), prune=False), notes=())
    sync(machine, wanted_for(after))
    assert_converged(machine, wanted_for(after))
