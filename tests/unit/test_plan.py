"""Plans: what a sync does, in which order, and why; what it leaves alone, and what it says about that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from cncopctl.core.naming import TARGET
from cncopctl.core.plan import (
    Action,
    Installed,
    InstalledUnit,
    Loaded,
    Plan,
    Step,
    Wanted,
    jobs_of,
    make_plan,
)
from cncopctl.core.seal import seal_of, sealed

LOADED_AT = datetime(2026, 3, 1, tzinfo=UTC)
BOOT_LINK = f"multi-user.target.wants/{TARGET}"


def wanted_for(*jobs: str, text: str = "x", disabled: tuple[str, ...] = ()) -> Wanted:
    units = {TARGET: sealed("target\n")}
    for job in jobs:
        units[f"cncop-job-{job}.service"] = sealed(f"service of {job}: {text}\n")
        if job not in disabled:
            units[f"cncop-job-{job}.timer"] = sealed(f"timer of {job}: {text}\n")
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in units if name.endswith(".timer")}
    compiled = {job: f"compiled {job}: {text}{job in disabled}" for job in jobs}
    return Wanted(units, links | {BOOT_LINK: f"../{TARGET}"}, compiled)


def as_installed(wanted: Wanted) -> Installed:
    units = {name: InstalledUnit(text, seal_of(text)) for name, text in wanted.units.items()}
    return Installed(units, wanted.links, wanted.compiled, changed_at=LOADED_AT - timedelta(days=1))


def as_loaded(wanted: Wanted, **states: str) -> Loaded:
    """Everything up and idle, but for units whose names end in a key of `states`, dots as underscores."""
    active = {name: "inactive" if name.endswith(".service") else "active" for name in wanted.units}
    for unit in wanted.units:
        for suffix, state in states.items():
            if unit.endswith(suffix.replace("_", ".")):
                active[unit] = state
    return Loaded(active, frozenset(wanted.units), LOADED_AT)


@dataclass
class World:
    """A complete sync of `before`, to which things happen."""

    before: Wanted
    installed: Installed = field(init=False)
    loaded: Loaded | None = field(init=False)

    def __post_init__(self) -> None:
        self.installed = as_installed(self.before)
        self.loaded = as_loaded(self.before)

    def plan(self, wanted: Wanted | None = None, *, prune: bool = True) -> Plan:
        return make_plan(wanted or self.before, self.installed, self.loaded, prune=prune)

    def install(self, name: str, unit: InstalledUnit | None) -> None:
        units = {**self.installed.units, name: unit}
        kept = {name: unit for name, unit in units.items() if unit is not None}
        self.installed = replace(self.installed, units=kept)


def told(plan: Plan) -> list[str]:
    """The steps in words: action, what it is done to, why."""
    return [f"{step.action} {step.name}: {step.reason}".replace(" :", ":") for step in plan.steps]


@pytest.fixture
def world() -> World:
    return World(wanted_for("a", "b"))


EDITED = InstalledUnit(sealed("x\n") + "# mine\n", seal_of(sealed("x\n") + "# mine\n"))
FOREIGN = InstalledUnit("[Unit]\n", seal_of("[Unit]\n"))
MASKED = InstalledUnit("", seal_of(""), is_masked=True)
TIMER, SERVICE = "cncop-job-a.timer", "cncop-job-a.service"
RELOAD = "reload: units changed"


def test_where_everything_is_as_wanted_there_is_nothing_to_do(world: World) -> None:
    assert not world.plan()
    assert world.plan() == Plan()


def test_a_first_sync_writes_links_reloads_and_starts_the_target_once() -> None:
    wanted = wanted_for("a")
    empty = Installed({}, {}, {})
    assert told(make_plan(wanted, empty, Loaded({}, frozenset(), LOADED_AT))) == [
        "compile a: new job",
        f"write {TARGET}: new",
        f"write {SERVICE}: new",
        f"write {TIMER}: new",
        f"link {TARGET}.wants/{TIMER}: new",
        f"link {BOOT_LINK}: new",
        RELOAD,
        f"start {TARGET}: new timers",
    ]


def test_without_a_manager_there_is_neither_reload_nor_start() -> None:
    plan = make_plan(wanted_for("a"), Installed({}, {}, {}), None)
    assert {step.action for step in plan.steps} == {Action.COMPILE, Action.WRITE, Action.LINK}


def test_a_new_job_touches_no_other(world: World) -> None:
    plan = world.plan(wanted_for("a", "b", "c"))
    assert jobs_of(plan.steps) == ["c"]
    assert told(plan)[-2:] == [RELOAD, f"start {TARGET}: new timers"]


def test_a_changed_job_is_written_and_reloaded_but_nothing_is_restarted(world: World) -> None:
    assert told(world.plan(wanted_for("a", "b", text="y"))) == [
        "compile a: changed",
        "compile b: changed",
        f"write {SERVICE}: changed",
        f"write {TIMER}: changed",
        "write cncop-job-b.service: changed",
        "write cncop-job-b.timer: changed",
        RELOAD,
    ]


REMOVED = "no longer in the profile"


def test_a_removed_job_is_stopped_cleaned_unlinked_deleted_and_forgotten(world: World) -> None:
    assert told(world.plan(wanted_for("b"))) == [
        f"stop {TIMER}: {REMOVED}",
        f"clean {TIMER}: {REMOVED}",
        f"delete {SERVICE}: {REMOVED}",
        f"unlink {TARGET}.wants/{TIMER}: {REMOVED}",
        f"delete {TIMER}: {REMOVED}",
        RELOAD,
        f"forget a: {REMOVED}",
    ]


def test_a_timer_that_is_down_already_is_not_stopped_again(world: World) -> None:
    world.loaded = as_loaded(world.before, a_timer="inactive")
    assert Action.STOP not in {step.action for step in world.plan(wanted_for("b")).steps}


@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "reloading"])
def test_a_removed_job_that_runs_keeps_its_service_until_it_has_finished(world: World, state: str) -> None:
    world.loaded = as_loaded(world.before, a_service=state)
    plan = world.plan(wanted_for("b"))
    assert told(plan) == [
        f"stop {TIMER}: {REMOVED}",
        f"clean {TIMER}: {REMOVED}",
        f"unlink {TARGET}.wants/{TIMER}: {REMOVED}",
        f"delete {TIMER}: {REMOVED}",
        RELOAD,
    ]
    assert plan.notes == (f"{SERVICE} is running: it may finish, and is removed by the next sync",)


def test_a_removed_job_whose_last_run_failed_does_not_count_as_running(world: World) -> None:
    world.loaded = as_loaded(world.before, a_service="failed")
    assert f"delete {SERVICE}: {REMOVED}" in told(world.plan(wanted_for("b")))


def test_without_pruning_a_job_that_left_the_profile_stays_and_is_told(world: World) -> None:
    plan = world.plan(wanted_for("b"), prune=False)
    assert not plan
    assert plan.notes == (
        f"{SERVICE} is {REMOVED} and stays, as --no-prune asks",
        f"{TIMER} is {REMOVED} and stays, as --no-prune asks",
    )


@pytest.mark.parametrize("prune", [True, False])
def test_a_disabled_job_loses_its_timer_even_without_pruning(world: World, prune: bool) -> None:
    plan = world.plan(wanted_for("a", "b", disabled=("a",)), prune=prune)
    assert [f"{step.action} {step.name}" for step in plan.steps] == [
        "compile a",
        f"stop {TIMER}",
        f"clean {TIMER}",
        f"unlink {TARGET}.wants/{TIMER}",
        f"delete {TIMER}",
        "reload ",
    ]
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("name", "unit", "reason"),
    [
        (TIMER, EDITED, "edited by hand"),
        (SERVICE, EDITED, "edited by hand"),
        (TARGET, EDITED, "edited by hand"),
        (TIMER, MASKED, "masked by hand"),
        (TARGET, MASKED, "masked by hand"),
        (TIMER, None, "deleted by hand"),
        (SERVICE, None, "deleted by hand"),
        (TARGET, None, "deleted by hand"),
    ],
)
def test_drift_is_repaired_and_told(world: World, name: str, unit: InstalledUnit | None, reason: str) -> None:
    world.install(name, unit)
    assert told(world.plan()) == [f"write {name}: {reason}", RELOAD]


def test_a_disabled_timer_is_enabled_again_and_told(world: World) -> None:
    link = f"{TARGET}.wants/{TIMER}"
    others = {path: target for path, target in world.installed.links.items() if path != link}
    world.installed = replace(world.installed, links=others)
    assert told(world.plan()) == [f"link {link}: disabled by hand", RELOAD]


def test_a_link_that_leads_elsewhere_is_set_right(world: World) -> None:
    link = f"{TARGET}.wants/{TIMER}"
    world.installed = replace(world.installed, links={**world.installed.links, link: "/dev/null"})
    assert told(world.plan()) == [f"link {link}: disabled by hand", RELOAD]


def test_a_link_to_a_job_that_is_gone_is_removed(world: World) -> None:
    stale = f"{TARGET}.wants/cncop-job-old.timer"
    world.installed = replace(world.installed, links={**world.installed.links, stale: "../old"})
    assert told(world.plan()) == [f"unlink {stale}: {REMOVED}", RELOAD]


def test_a_packaged_target_stays_enabled() -> None:
    wanted = wanted_for("a")
    packaged = Wanted(
        {name: text for name, text in wanted.units.items() if name != TARGET},
        {path: target for path, target in wanted.links.items() if path != BOOT_LINK},
        wanted.compiled,
    )
    installed = as_installed(packaged)
    enabled = {**installed.links, BOOT_LINK: f"/usr/lib/systemd/system/{TARGET}"}
    assert not make_plan(packaged, replace(installed, links=enabled), as_loaded(wanted))


def test_a_foreign_unit_in_our_way_is_a_conflict(world: World) -> None:
    world.install("cncop-job-c.service", FOREIGN)
    assert world.plan(wanted_for("a", "b", "c")).conflicts == ("cncop-job-c.service",)


@pytest.mark.parametrize("prune", [True, False])
def test_a_foreign_unit_of_our_name_is_left_alone_and_told(world: World, prune: bool) -> None:
    world.install("cncop-job-theirs.service", FOREIGN)
    plan = world.plan(prune=prune)
    assert not plan
    assert plan.notes == ("cncop-job-theirs.service was not made by cncop and is left alone",)


def test_a_masked_leftover_is_deleted_without_a_stamp(world: World) -> None:
    world.install("cncop-job-old.timer", MASKED)
    actions = [step.action for step in world.plan().steps]
    assert actions == [Action.UNLINK, Action.DELETE, Action.RELOAD]


def test_drop_ins_are_left_alone_and_told(world: World) -> None:
    drop_in = f"/etc/systemd/system/{SERVICE}.d/override.conf"
    world.installed = replace(world.installed, drop_ins=(drop_in,))
    assert not world.plan()
    assert world.plan().notes == (f"{drop_in} is an administrator's drop-in and stays",)


@pytest.mark.parametrize(
    ("ago", "steps"),
    [
        (timedelta(seconds=1), []),
        (timedelta(0), ["reload: units changed after systemd last read them"]),
        (-timedelta(seconds=1), ["reload: units changed after systemd last read them"]),
    ],
)
def test_a_reload_that_somebody_missed_is_made_up_for(world: World, ago: timedelta, steps: list[str]) -> None:
    world.installed = replace(world.installed, changed_at=LOADED_AT - ago)
    assert told(world.plan()) == steps


def test_a_unit_that_only_systemd_still_knows_is_a_reason_to_reload(world: World) -> None:
    assert world.loaded
    files = world.loaded.from_files | {"cncop-job-old.timer"}
    world.loaded = replace(world.loaded, from_files=files)
    assert told(world.plan()) == ["reload: systemd still knows cncop-job-old.timer, which is gone"]


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_timer_that_is_down_is_started_by_its_target(world: World, state: str) -> None:
    world.loaded = as_loaded(world.before, a_timer=state)
    assert told(world.plan()) == [f"start {TARGET}: {TIMER} was not active"]


def test_a_target_that_an_administrator_stopped_stays_stopped_and_that_is_said(world: World) -> None:
    loaded = as_loaded(world.before, cncop_target="inactive", timer="inactive")
    world.loaded = replace(loaded, resumes=False)
    plan = world.plan(wanted_for("a", "b", "c"))
    assert Action.START not in {step.action for step in plan.steps}
    assert plan.notes == (f"{TARGET} was stopped: nothing fires until it is started again",)


def test_the_order_of_actions_never_leaves_a_job_without_its_timer() -> None:
    order = list(Action)
    assert order.index(Action.WRITE) < order.index(Action.RELOAD) < order.index(Action.START)
    assert order.index(Action.STOP) < order.index(Action.CLEAN) < order.index(Action.DELETE)
    assert order.index(Action.COMPILE) < order.index(Action.WRITE)
    assert order.index(Action.DELETE) < order.index(Action.RELOAD) < order.index(Action.FORGET)


def test_steps_stand_in_the_order_of_their_doing(world: World) -> None:
    world.loaded = as_loaded(world.before, b_timer="failed")
    plan = world.plan(wanted_for("b", "c", text="y"))
    assert plan.steps[0].action is Action.COMPILE
    done = [step.action for step in plan.steps if step.action not in (Action.UNLINK, Action.DELETE)]
    assert done == sorted(done, key=list(Action).index)


def test_jobs_of_steps_are_told_once_each() -> None:
    steps = [
        Step(Action.COMPILE, "a", ""),
        Step(Action.WRITE, TARGET, ""),
        Step(Action.WRITE, SERVICE, ""),
        Step(Action.LINK, f"{TARGET}.wants/cncop-job-b:2.timer", ""),
        Step(Action.RELOAD, "", ""),
    ]
    assert jobs_of(steps) == ["a", "b"]
