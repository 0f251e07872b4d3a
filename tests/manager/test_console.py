"""A user's own console: there only where it has a port of its own, and for that user."""

from __future__ import annotations

import json
import socket

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def installation(manager: UserManager) -> Installation:
    return Installation(manager)


def ask(port: int, *lines: str) -> list[str]:
    """What a session answers, line by line, after its banner."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile(encoding="utf-8", newline="\r\n") as answers:
            return [line.removesuffix("\r\n").removeprefix("cncop> ") for line in answers][1:]


def test_without_a_port_of_its_own_there_is_none(installation: Installation) -> None:
    installation.synced(job("a"))
    assert not [name for name in installation.unit_files() if "console" in name]


def test_it_comes_with_a_port_runs_jobs_moves_and_goes(installation: Installation, port: int) -> None:
    settings = installation.config / "cncop3.ini"
    settings.write_text(f"[defaults]\nscheduler_port = {port}\n")
    installation.agent('printf \'{"contract": 1, "phrase": "done", "warnings": []}\' >"$CNCOP_RESULT"')
    installation.synced(job("a", title="Ein Auftrag"))
    assert installation.steps() == {}
    started, ended = ask(port, "runjob -w 'ein auftrag'", "quit")[:2]
    assert started == "started: a"
    assert ended.startswith("a: OK: done")
    (schedules, details) = (json.loads(line) for line in ask(port, "S -j", "D -j")[:2])
    assert {row["name"]: row["outcome"] for row in schedules["schedules"]}["a"] == "OK"
    # The reporter may still be at what the run has told.
    assert [entry["name"] for entry in details["details"] if entry["kind"] != "task"] == []

    with socket.create_server(("127.0.0.1", 0)) as server:
        other = int(server.getsockname()[1])
    settings.write_text(f"[defaults]\nscheduler_port = {other}\n")
    assert "restart cncop-console.socket" in installation.steps()
    assert installation.steps() == {}
    assert json.loads(ask(other, "HELP -j")[0])["commands"]

    settings.write_text("[console]\nlisten = no\n")
    installation.sync()
    assert installation.manager.property("cncop-console.socket", "ActiveState") == "inactive"
    assert not [name for name in installation.unit_files() if "console" in name]


def test_stopserver_stops_all_and_a_sync_respects_it(installation: Installation, port: int) -> None:
    (installation.config / "cncop3.ini").write_text(f"[defaults]\nscheduler_port = {port}\n")
    installation.synced(job("a"))
    said = ask(port, "STOPSERVER")
    assert said[0].startswith("Stopped: ")
    assert said[1] == "Nothing runs until somebody starts it again: systemctl --user start cncop.target"
    assert installation.active_timers() == set()
    installation.sync()
    assert installation.active_timers() == set()
    installation.manager.systemctl("start", "cncop.target")
    assert installation.active_timers() == {"cncop-job-a.timer"}
    assert ask(port, "quit") == ["Goodbye."]


def test_from_a_shell_it_is_the_same_without_a_network(installation: Installation) -> None:
    installation.synced(job("a"))
    lines = "schedules -j\nrunjob b\nhelp quit\n"
    done = installation.manager.run(CNCOPCTL.with_name("cncopscheduler"), "--user", input=lines)
    _greeting, schedules, unknown, *help_of_quit = done.stdout.splitlines()
    assert "a" in {row["name"] for row in json.loads(schedules)["schedules"]}
    assert unknown == 'there is no job "b"; see: SCHEDULES; a new one is there after: GETPROFILE'
    assert help_of_quit[0] == "QUIT"
