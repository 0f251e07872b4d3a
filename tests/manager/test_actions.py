"""Jobs of several actions: in order, up to the first mandatory one that fails, with retries of their own."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager

# An agent that keeps its requests and does what their source says: /ok, /bad, or /later, a backup that is OK at the
# second attempt.
AGENT = """
read -r request; printf '%s\\n' "$request" >>{requests}
case $request in
*'"source": "/bad"'*) echo '{{"phrase": "went wrong", "hint": "mend it"}}' >$CNCOP_RESULT; exit 1;;
*'"action": "backup"'*'"attempt": 1,'*'"source": "/later"'*)
  echo '{{"phrase": "not yet"}}' >$CNCOP_RESULT; exit 75;;
esac
echo '{{"phrase": "done", "files": 3, "snapshot": "s1", "warnings": ["look"]}}' >$CNCOP_RESULT
"""


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    installation = Installation(manager)
    installation.agent(AGENT.format(requests=manager.home / "requests"))
    return installation


def run(cncop: Installation, *actions: dict[str, Any], **values: Any) -> dict[str, Any]:
    cncop.synced(job("a", actions=list(actions), source="/ok", retry_interval="0s", **values))
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "--json", "a", check=False)
    (told,) = json.loads(done.stdout)
    assert cncop.history() == [told]
    return dict(told)


def requests(cncop: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (cncop.manager.home / "requests").read_text().splitlines()]


def test_actions_run_in_order_each_with_retries_of_its_own(cncop: Installation) -> None:
    told = run(
        cncop,
        {"name": "db", "source": "/later"},
        {"action": "verify", "sample": 3},
        {"action": "restore", "target": "/standby"},
    )
    assert (told["outcome"], told["phrase"]) == ("OK", "db: done; verify: done; restore: done")
    assert (told["files"], told["snapshot"], told["attempts"]) == (3, "s1", 2)
    assert told["warnings"] == ["db: look", "verify: look", "restore: look"]
    assert [(found["name"], found["attempts"]) for found in told["actions"]] == [
        ("db", 2),
        ("verify", 1),
        ("restore", 1),
    ]
    asked = requests(cncop)
    assert [(entry["action"], entry["attempt"]) for entry in asked] == [
        ("backup", 1),
        ("backup", 2),
        ("verify", 1),
        ("restore", 1),
    ]
    assert {entry["job"]["source"] for entry in asked} == {"/later"}
    assert asked[2]["job"]["sample"] == 3
    assert asked[3]["restore"] == {"snapshot": "latest", "to": "/standby", "paths": [], "force": True}
    assert len({entry["run_id"] for entry in asked}) == 1


def test_after_a_failed_mandatory_action_the_rest_do_not_run(cncop: Installation) -> None:
    told = run(
        cncop,
        {"name": "a"},
        {"name": "b", "source": "/bad", "mandatory": True},
        {"name": "c"},
        {"name": "d"},
    )
    assert (told["outcome"], told["phrase"]) == ("ERROR", "b: went wrong; not run: c, d")
    assert told["hint"] == "mend it"
    assert [found["name"] for found in told["actions"]] == ["a", "b"]


def test_after_any_other_failed_action_they_do_and_the_run_fails_all_the_same(cncop: Installation) -> None:
    told = run(cncop, {"name": "a", "source": "/bad"}, {"name": "b"})
    assert (told["outcome"], told["phrase"]) == ("ERROR", "a: went wrong")
    assert [found["outcome"] for found in told["actions"]] == ["ERROR", "OK"]
    kinds = {report["id"]: report for report in map(json.loads, spooled(cncop))}
    assert kinds[f"JF-{told['id']}"]["run"]["actions"] == told["actions"]


def spooled(cncop: Installation) -> list[str]:
    return [path.read_text() for path in (cncop.state / "spool").rglob("JF-*.json")]


def test_directories_of_several_backups_are_made_at_the_first_sync(cncop: Installation) -> None:
    cncop.synced(job("a", actions=[{"name": "db"}, {"name": "files"}]))
    (base,) = cncop.manager.home.rglob("cncop/backups/a")
    assert sorted(path.name for path in base.iterdir()) == ["db", "files"]


def test_a_run_that_is_killed_tells_of_the_actions_before(cncop: Installation) -> None:
    up = cncop.manager.home / "up"
    os.mkfifo(up)
    cncop.agent(f"""read -r request
case $request in *'"action": "verify"'*) echo began >{up}; exec sleep infinity;; esac
echo '{{"phrase": "done", "snapshot": "s1"}}' >$CNCOP_RESULT""")
    cncop.synced(job("a", actions=[{"name": "db"}, {"action": "verify"}]))
    cncop.manager.systemctl("start", "--no-block", "cncop-job-a.service")
    assert cncop.manager.run("cat", up, timeout=20).stdout == "began\n"
    cncop.manager.systemctl("kill", "--kill-whom=main", "--signal=KILL", "cncop-job-a.service")
    cncop.manager.systemctl("stop", "cncop-job-a.service")
    (closed,) = cncop.history()
    assert (closed["outcome"], closed["phrase"]) == ("ABORTED", "was killed by signal KILL")
    assert [(found["name"], found["outcome"]) for found in closed["actions"]] == [("db", "OK")]
