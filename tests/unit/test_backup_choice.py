"""Which backup the words of a command line mean, where a job has one, several or none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cncopctl.core.choice import all_backups, choose_backup
from cncopctl.core.compiled import CompiledAction, CompiledJob
from cncopctl.core.errors import UsageError
from cncopctl.core.role import Role


def action(name: str, word: str = "backup", job_id: str = "web") -> CompiledAction:
    values = {"id": job_id, "direction": "PULL", "destination": f"/srv/{name}"}
    return CompiledAction(name, word, f"agent-of-{name}", False, 3, 60, values, {})


def compiled(job_id: str, *actions: CompiledAction, title: str = "") -> CompiledJob:
    values: dict[str, Any] = dict(actions[0].values)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    more: dict[str, Any] = {"schedules": (), "schedule_since": since, "values": values, "actions": actions}
    return CompiledJob(
        id=job_id,
        title=title or job_id,
        role=Role.LOCAL,
        agent="own",
        max_retries=3,
        retry_interval=60,
        timeout=60,
        **more,
    )


JOBS = [
    compiled("web", action("files"), action("db"), action("verify", "verify")),
    compiled("one", action("backup", job_id="one"), action("prune", "prune"), title="db/files"),
    compiled("drill", action("verify", "verify", "one")),
    compiled("drills", action("verify", "verify", "one"), action("verify-2", "verify", "web")),
]


@pytest.mark.parametrize(
    ("word", "chosen", "agent", "destination"),
    [
        ("web/db", "web", "agent-of-db", "/srv/db"),
        ("one", "one", "agent-of-backup", "/srv/backup"),
        ("one/backup", "one", "agent-of-backup", "/srv/backup"),
        ("DB/files", "one", "agent-of-backup", "/srv/backup"),
        ("drill", "one", "agent-of-verify", "/srv/verify"),
    ],
)
def test_a_backup_is_chosen_by_job_and_action(word: str, chosen: str, agent: str, destination: str) -> None:
    found = choose_backup(word, JOBS)
    assert (found.id, found.agent, found.values["destination"]) == (chosen, agent, destination)


@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        ("web", "web has several backups", "name one of them: web/files, web/db"),
        ("web/logs", 'web has no backup "logs"', "name one of them: web/files, web/db"),
        ("wob", 'there is no job "wob"', "did you mean web?"),
        ("drills", "drills backs up nothing itself", "name what it is about: one, web"),
        ("wob/db", 'there is no job "wob"', "did you mean web?"),
    ],
)
def test_what_is_no_backup_gets_a_hint(word: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        choose_backup(word, JOBS)
    assert (error.value.message, error.value.hint) == (said, hint)


def test_all_backups_of_a_job_are_its_own() -> None:
    found = [[backup.values["destination"] for backup in all_backups(job)] for job in JOBS]
    assert found == [["/srv/files", "/srv/db"], ["/srv/backup"], [], []]
