"""Statuses and events of jobs, and what a sync does about jobs that are halted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cncopctl.core.life_cycle import Event, Halt, Status, event_of, held_back, result_of, status_of
from cncopctl.core.naming import TARGET
from cncopctl.core.outcome import Outcome
from cncopctl.core.plan import Wanted

from .test_plan import World, as_installed, as_loaded, told, wanted_for

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
STOPPED = Halt("a", "A", Status.STOP, SINCE)
REMOVED = Halt("a", "A", Status.REMOVED, SINCE)
TIMER, SERVICE, LINK = "cncop-job-a.timer", "cncop-job-a.service", f"{TARGET}.wants/cncop-job-a.timer"


@pytest.fixture
def world() -> World:
    return World(wanted_for("a", "b"))


def halted(halt: Halt, wanted: Wanted | None = None) -> Wanted:
    return held_back(wanted or wanted_for("a", "b"), {halt.job: halt})


def steps(world: World, wanted: Wanted, *, prune: bool = True) -> list[str]:
    """The steps without their reasons, of which `halted` has the words."""
    return [line.partition(": ")[0] for line in told(world.plan(wanted, prune=prune))]


@pytest.mark.parametrize("prune", [True, False])
def test_a_stopped_jobs_timer_is_stopped_and_disabled(world: World, prune: bool) -> None:
    assert steps(world, halted(STOPPED), prune=prune) == [
        f"stop {TIMER}",
        f"clean {TIMER}",
        f"unlink {LINK}",
        "reload",
    ]
    assert {step.reason for step in world.plan(halted(STOPPED)).steps} == {
        STOPPED.sentence(),
        "units changed",
    }


@pytest.mark.parametrize("prune", [True, False])
def test_a_removed_jobs_units_go(world: World, prune: bool) -> None:
    assert steps(world, halted(REMOVED), prune=prune) == [
        f"stop {TIMER}",
        f"clean {TIMER}",
        f"delete {SERVICE}",
        f"unlink {LINK}",
        f"delete {TIMER}",
        "reload",
        "forget a",
    ]


@pytest.mark.parametrize("halt", [STOPPED, REMOVED])
def test_a_second_sync_has_nothing_to_do(halt: Halt) -> None:
    wanted = halted(halt)
    world = World(wanted)
    world.loaded = as_loaded(wanted, **({"job-a_timer": "inactive"} if halt is STOPPED else {}))
    assert told(world.plan(wanted)) == []


def test_a_stopped_job_still_follows_the_profile(world: World) -> None:
    wanted = halted(STOPPED)
    world.installed = as_installed(wanted)
    world.loaded = as_loaded(wanted, **{"job-a_timer": "inactive"})
    changed = steps(world, halted(STOPPED, wanted_for("a", "b", text="y")))
    assert [line for line in changed if "job-a" in line] == [f"write {SERVICE}", f"write {TIMER}"]
    assert f"start {TARGET}" not in changed


def test_a_timer_that_somebody_has_enabled_by_hand_is_stopped_again(world: World) -> None:
    assert f"stop {TIMER}" in steps(world, halted(STOPPED))
    world.loaded = as_loaded(world.before, **{"job-a_timer": "inactive"})
    assert steps(world, halted(STOPPED)) == [f"clean {TIMER}", f"unlink {LINK}", "reload"]


def test_a_service_that_runs_keeps_its_unit_and_its_compiled_job(world: World) -> None:
    world.loaded = as_loaded(world.before, **{"job-a_service": "activating"})
    assert not {f"delete {SERVICE}", "forget a"} & set(steps(world, halted(REMOVED)))


def test_starting_again_enables_and_starts_the_timer_and_nothing_else() -> None:
    stopped = halted(STOPPED)
    world = World(stopped)
    world.loaded = as_loaded(stopped, **{"job-a_timer": "inactive"})
    assert steps(world, wanted_for("a", "b")) == [f"link {LINK}", "reload", f"start {TARGET}"]


@pytest.mark.parametrize(
    ("service", "sub_state", "halt", "is_scheduled", "status", "event"),
    [
        ("inactive", "dead", None, True, Status.SCHEDULED, Event.NONE),
        ("failed", "failed", None, True, Status.SCHEDULED, Event.NONE),
        ("inactive", "dead", None, False, Status.STOP, Event.NONE),
        ("inactive", "dead", STOPPED, False, Status.STOP, Event.NONE),
        ("failed", "failed", REMOVED, False, Status.REMOVED, Event.NONE),
        ("activating", "start", None, True, Status.RUNNING, Event.NONE),
        ("activating", "condition", None, True, Status.RUNNING, Event.NONE),
        ("activating", "start", STOPPED, False, Status.RUNNING, Event.STOP),
        ("activating", "start", REMOVED, False, Status.RUNNING, Event.REMOVE),
        ("deactivating", "stop-post", None, True, Status.RUNNING, Event.NONE),
        ("deactivating", "stop-sigterm", None, True, Status.ABORTING, Event.ABORT),
        ("deactivating", "final-sigkill", STOPPED, True, Status.ABORTING, Event.ABORT),
    ],
)
def test_how_a_job_stands(
    service: str, sub_state: str, halt: Halt | None, is_scheduled: bool, status: Status, event: Event
) -> None:
    assert status_of(service, sub_state, halt, is_scheduled=is_scheduled) is status
    assert event_of(status, halt) is event


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (None, ""),
        (Outcome.OK, "success"),
        (Outcome.ERROR, "fail"),
        (Outcome.RERUN, "fail"),
        (Outcome.ABORTED, "aborted"),
    ],
)
def test_results_have_the_words_of_the_api(outcome: Outcome | None, result: str) -> None:
    assert result_of(outcome) == result


def test_a_halt_comes_back_from_json_as_it_was() -> None:
    assert Halt.from_document(STOPPED.document()) == STOPPED


@pytest.mark.parametrize("changes", [{"status": "running"}, {"since": "2026-03-01"}, {"title": None}])
def test_what_is_no_halt_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Halt.from_document(replace(STOPPED).document() | changes)
