"""Jobs of several actions: what each amounts to, what is refused, and what their ends make of the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import tomli_w

from cncopctl.core.compiled import CompiledAction
from cncopctl.core.job import Job, JobAction
from cncopctl.core.layout import Layout
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.core.run_of_actions import Ended, run_of_actions
from cncopctl.core.units import job_units

from .builders import HOST, REPOSITORIES, faults_of, profile_from

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def profile(*jobs: dict[str, Any]) -> dict[str, str]:
    tables = [{"schedule": "30 2 * * *"} | job for job in jobs]
    return {"profile.toml": tomli_w.dumps({"schema": 1, "job": tables})}


def job(*actions: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"id": "a", "type": "RSYNC", "source": "/srv", "actions": list(actions)} | values


def actions_of(*actions: dict[str, Any], **values: Any) -> tuple[JobAction, ...]:
    return profile_from(profile(job(*actions, **values))).jobs["a"].actions


def told(*jobs: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(fault), fault.remedy) for fault in faults_of(profile(*jobs))]


def test_what_an_action_leaves_open_comes_from_the_defaults_and_then_from_the_job() -> None:
    first, second, third = actions_of(
        {"source": "/srv/a", "max_retries": 1},
        {"source": "/srv/b", "mandatory": False, "max_retries_interval": 5},
        {"name": "c", "max_retry_interval": "2m"},
        action_defaults={"mandatory": True, "max_retries": 7, "exclude": ["x"]},
        retry_interval="3m",
    )
    assert [action.name for action in (first, second, third)] == ["backup-1", "backup-2", "c"]
    assert [action.mandatory for action in (first, second, third)] == [True, False, True]
    assert [action.max_retries for action in (first, second, third)] == [1, 7, 7]
    assert [action.retry_interval.total_seconds() for action in (first, second, third)] == [180, 5, 120]
    assert [action.job.source for action in (first, second, third)] == ["/srv/a", "/srv/b", "/srv"]
    assert {action.job.exclude for action in (first, second, third)} == {("x",)}


def test_several_backups_have_a_directory_each() -> None:
    parts = actions_of({"name": "db"}, {"name": "files"})
    assert [part.job.destination for part in parts] == [f"{REPOSITORIES}/a/db", f"{REPOSITORIES}/a/files"]


def test_what_is_no_backup_is_about_the_one_before_it() -> None:
    parts = actions_of({"name": "x", "source": "/x"}, {"action": "verify", "sample": 3}, {"name": "y"})
    assert parts[1].job.source == "/x"
    assert parts[1].job.destination == parts[0].job.destination
    assert parts[1].job.drill.sample == 3
    assert parts[2].job.drill.sample is None


def drill(**values: Any) -> dict[str, Any]:
    return {"id": "drill", "actions": [{"action": "verify", "of": "web", **values}]}


def test_a_drill_of_another_job_runs_by_its_own_schedule_on_the_others_backups() -> None:
    web = {"id": "web", "type": "RSYNC", "source": "/srv/www", "keep": {"last": 2}, "schedule": "0 1 * * *"}
    jobs = profile_from(profile(drill(sample=9), web)).jobs
    assert list(jobs) == ["drill", "web"]
    found = jobs["drill"]
    assert (found.id, found.source, found.destination) == ("drill", "/srv/www", jobs["web"].destination)
    (action,) = found.actions
    assert (action.job.id, action.job.drill.sample) == ("web", 9)
    assert action.compiled(HOST.agents)["job"]["id"] == "web"  # type: ignore[index]
    assert found.schedules[0].written == "30 2 * * *"


@pytest.mark.parametrize(
    ("jobs", "fault", "remedy"),
    [
        ([drill()], 'job "drill": actions.#1.of: there is no job "web"', "the jobs are: drill"),
        (
            [drill(), {"id": "wen", "type": "RSYNC", "source": "/"}],
            'there is no job "web"',
            "did you mean wen?",
        ),
        ([drill(), drill(of="x") | {"id": "web"}], '"web" backs up nothing', "a backup of its own"),
        ([job({"of": "a"})], "actions.#1.of: a backup is always of its own job", "start the other job"),
        ([job({"name": "x"}, {"name": "x"})], 'actions.#2.name: "x" is taken already', "a name of its own"),
        ([job({}, {}, destination="/b")], 'destination: "/b" is where another', "a destination of its own"),
        ([job({"source": "/a/../b"})], 'actions.#1.source: "/a/../b" has ".." in it', "write the path"),
        ([job({}, source="/a/../b")], 'job "a": source: "/a/../b" has ".." in it', "write the path"),
        (
            [job({}, action_defaults={"source": "/a/../b"})],
            'action_defaults.source: "/a/../b" has',
            "write the path",
        ),
        ([job({"action": "restore"})], "actions.#1.target: is missing", 'target = "/srv/standby"'),
        ([job({"target": "/x"})], "actions.#1.target: has no effect on the action backup", "leave it out"),
        (
            [job({"max_retry_interval": 1, "max_retries_interval": 2})],
            "actions.#1.max_retry_interval: says the same as max_retries_interval",
            "keep one",
        ),
        ([job({"max_retries_interval": "99999999d"})], "max_retries_interval: ", "a shorter span"),
        ([job({"action": "delete"})], 'actions.#1.action: "delete" is not one of', "write one of backup"),
        ([job({"mandatroy": True})], 'actions.#1: unknown key "mandatroy"', "did you mean mandatory?"),
        ([job()], "actions: is empty", "write a list of tables"),
        (
            [{"id": "b", "type": "RSYNC", "source": "/", "action_defaults": {}}],
            "action_defaults: has no effect",
            "a list of actions",
        ),
        ([{"id": "b", "actions": [{"source": "/"}]}], "actions.#1.type: is missing", "write one of CCS"),
    ],
)
def test_what_cannot_be_meant_is_refused(jobs: list[dict[str, Any]], fault: str, remedy: str) -> None:
    found = told(*jobs)
    assert any(fault in said and remedy in hint for said, hint in found), found
    assert len(found) == 1 or '"web" backs up nothing' in fault, found


def test_units_allow_what_all_actions_need() -> None:
    actions = [
        {"source": "/a", "destination": "/b/a"},
        {"source": "ssh://host/x", "destination": "/b/b", "credential": "web-01"},
        {"action": "restore", "target": "/standby"},
    ]
    (found,) = profile_from(profile(job(*actions))).jobs.values()
    service = next(iter(job_units(found, HOST, Layout.system()))).values
    assert str(service["writable"]).endswith("-/b/a -/b/b -/standby")
    assert service["mounts"] == "/a /b/a /b/b /standby"
    assert "AF_INET" in str(service["address_families"])
    assert [name for name, _ in service["credentials"]] == ["repository-password", "web-01"]  # type: ignore[attr-defined]


BEGUN = Run("r", "a", "a", NOW)


def ended(name: str, action: str, outcome: Outcome, **values: Any) -> Ended:
    compiled = CompiledAction(name, action, "/agent", False, 0, 60, {}, {})
    run = replace(BEGUN, outcome=outcome, attempts=1, phrase=f"{name} done")
    return Ended(compiled, replace(run, **values), 2.0)


def test_a_run_is_ok_when_all_its_actions_are() -> None:
    run = run_of_actions(
        BEGUN,
        [
            ended("db", "backup", Outcome.OK, files=3, bytes=5, snapshot="s"),
            ended("drill", "verify", Outcome.OK, attempts=2, warnings=("old",)),
        ],
        [],
    )
    assert (run.outcome, run.phrase) == (Outcome.OK, "db: db done; drill: drill done")
    assert (run.files, run.bytes, run.snapshot, run.attempts) == (3, 5, "s", 2)
    assert run.warnings == ("drill: old",)
    assert [action["seconds"] for action in run.actions] == [2.0, 2.0]
    assert Run.from_document(run.document()) == run


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        ([Outcome.OK, Outcome.ERROR], Outcome.ERROR),
        ([Outcome.RERUN, Outcome.ERROR], Outcome.ERROR),
        ([Outcome.OK, Outcome.RERUN], Outcome.RERUN),
        ([Outcome.ERROR, Outcome.ABORTED], Outcome.ABORTED),
    ],
)
def test_any_failed_action_fails_the_run(outcomes: list[Outcome], outcome: Outcome) -> None:
    actions = [ended(f"x{number}", "backup", found) for number, found in enumerate(outcomes)]
    assert run_of_actions(BEGUN, actions, []).outcome is outcome


def test_a_failed_run_tells_of_what_failed_and_what_did_not_run() -> None:
    late = ended("late", "backup", Outcome.OK).action
    failed = ended("db", "backup", Outcome.ERROR, hint="do something")
    run = run_of_actions(BEGUN, [ended("x", "backup", Outcome.OK), failed], [late])
    assert run.phrase == "db: db done; not run: late"
    assert run.hint == "do something"


def test_a_job_with_one_type_has_no_list_of_actions() -> None:
    found: Job = profile_from(profile({"id": "a", "type": "RSYNC", "source": "/srv"})).jobs["a"]
    assert found.actions == ()
    assert found.parts() == (found,)
