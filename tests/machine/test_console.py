"""The console on booted machines: with the real telnet as root, as a member of its group and as a stranger."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .console import PROFILE, Typist, converse, install_console
from .journal import Follower
from .machine import Machine

# Told for each changing command (edges/journal.py).
AUDIT = "5eea286c27dd4b0b99da6d95658e0522"

AGENT = """#!/bin/sh
# Runs until somebody writes to the pipe of the job, and tells how it comes on.
set -u
request=$(cat)
echo '{"phase": "mirror", "phrase": "copying slowly", "bytes_done": 42, "bytes_total": 100}' >&"$CNCOP_PROGRESS_FD"
case $request in *web-01*) read -r word </run/go-on ;; esac
printf '{"contract": 1, "snapshot": null, "phrase": "all is copied", "warnings": []}' >"$CNCOP_RESULT"
"""


@pytest.fixture(scope="module")
def served(machine: Machine, wheel: Path) -> Machine:
    """A machine with a console, two jobs of which web-01 runs until it is told to go on, and two users."""
    machine.write("/etc/cncop/agents.d/backupagentrsync", AGENT, mode=0o755)
    install_console(machine, wheel)
    machine.run("useradd", "--create-home", "stranger")
    machine.run("useradd", "--create-home", "--groups", "cncop", "member")
    machine.run("mkfifo", "/run/go-on")
    return machine


@pytest.fixture
def root(served: Machine) -> Iterator[Typist]:
    with Typist(served) as typist:
        typist.see(r"cncop> $")
        yield typist


def go_on(machine: Machine) -> None:
    machine.run("sh", "-c", "echo yes >/run/go-on")


def document(answer: str) -> Any:
    (line,) = answer.splitlines()
    return json.loads(line)


def audited(machine: Machine, after: str, command: str) -> dict[str, Any]:
    with Follower(machine.argv, f"MESSAGE_ID={AUDIT}", after=after, timeout=30) as entries:
        return next(entry.fields for entry in entries if command in entry.fields["CNCOP_COMMAND"])


def job_state(machine: Machine, job: str) -> str:
    return machine.property(f"cncop-job-{job}.service", "ActiveState")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_it_greets_with_host_and_version_and_prompts(served: Machine, host: str) -> None:
    with Typist(served, host=host) as typist:
        shown = typist.see(r"cncop> $")
        assert re.search(rf"cncop \d+\.\d+\S* on {served.release}\.", shown)
        typist.type("q\r")
        typist.see_the_end()


def test_its_sandbox_is_tight(served: Machine) -> None:
    unit = "/etc/systemd/system/cncop-console@.service"
    judged = served.run(
        "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", unit, check=False
    )
    assert judged.returncode == 0, judged.stdout[-400:]


def test_it_listens_on_loopback_only(served: Machine) -> None:
    lines = served.run("ss", "--tcp", "--listening", "--numeric", "--no-header").stdout.splitlines()
    addresses = {line.split()[3] for line in lines}
    assert {each for each in addresses if each.endswith(":59153")} == {"127.0.0.1:59153", "[::1]:59153"}


def test_a_person_sees_schedules_within_80_columns_in_the_order_of_their_next_runs(root: Typist) -> None:
    heading, *rows = root.ask("sched").splitlines()
    assert heading.split() == ["NAME", "LAST", "RUN", "OUTCOME", "NEXT", "RUN", "IN"]
    column = heading.index("NEXT RUN")
    times = [row[column : column + 16] for row in rows if row[column] != "-"]
    assert times == sorted(times)
    assert {"web-01", "db", "sync"} <= {row.split()[0] for row in rows}
    assert all(len(row) <= 80 for row in rows)


def test_a_client_that_says_that_it_is_wider_sees_titles(served: Machine) -> None:
    with Typist(served, columns=140) as typist:
        typist.see(r"cncop> $")
        heading, *rows = typist.ask("SCHEDULES").splitlines()
    assert heading.endswith("TITLE")
    assert any(row.endswith("Web server, nightly") for row in rows)


def test_a_job_is_started_watched_and_seen_by_others(served: Machine, root: Typist) -> None:
    after = served.cursor()
    assert root.ask("runjob 'WEB server, nightly' wbe-01 nonsense").splitlines() == [
        "started: web-01",
        'there is no job "wbe-01"; did you mean web-01?',
        'there is no job "nonsense"; see: SCHEDULES; a new one is there after: GETPROFILE',
    ]
    noted = audited(served, after, "RUNJOB")
    assert (noted["CNCOP_UID"], noted["CNCOP_USER"], noted["CNCOP_OUTCOME"]) == ("0", "root", "started")
    served.wait_for_journal("run .* of web-01 .* begins", after=after)
    assert root.ask("RUN web-01").splitlines() == ["running already: web-01"]
    with Typist(served, "stranger") as stranger:
        stranger.see(r"cncop> $")
        shown = stranger.ask("DETAILS")
    assert re.search(r"web-01: running since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+s\), attempt 1 of 4", shown)
    go_on(served)
    served.wait_for_journal("web-01: OK: all is copied", after=after)


def test_a_waiting_command_shows_progress_and_ends_with_the_job(served: Machine, root: Typist) -> None:
    assert re.fullmatch(
        r"started: db\n(db: copying.*\n)?db: OK: all is copied \(\d+s\)\n", root.ask("RUNJOB -w db")
    )
    root.type("RUNJOB -w web-01\r")
    root.see("started: web-01")
    root.see("web-01: copying slowly, 42%, 42 B")
    go_on(served)
    root.see(r"web-01: OK: all is copied \(\d+s\)\r\ncncop> $")


def test_ctrl_c_ends_the_waiting_and_not_the_job(served: Machine, root: Typist) -> None:
    root.type("RUNJOB -w web-01\r")
    root.see("web-01: copying slowly")
    root.type("\x03")
    root.see(r"Not waited for any longer; the jobs go on.*\s+cncop> $")
    assert job_state(served, "web-01") == "activating"
    detail = document(root.ask("details -j"))["details"][0]
    assert (detail["name"], detail["state"], detail["attempt"], detail["fraction"]) == (
        "web-01",
        "running",
        1,
        0.42,
    )
    assert detail["expected_end"]
    after = served.cursor()
    go_on(served)
    served.wait_for_journal("web-01: OK", after=after)


def test_what_waits_for_a_slot_says_for_whom(served: Machine, root: Typist) -> None:
    served.write("/etc/cncop/cncop3.ini", "[defaults]\nmax_parallel_jobs = 1\n")
    served.run("cncopctl", "sync-profile")
    after = served.cursor()
    root.ask("RUNJOB web-01")
    served.wait_for_journal("run .* of web-01 .* begins", after=after)
    root.ask("RUNJOB db")
    served.wait_for_journal("db: waits for a slot", after=after)
    shown = root.ask("DETAILS")
    assert re.search(r"db: waiting since .*\r?\n +waits for a slot .*now run: web-01", shown)
    go_on(served)
    served.wait_for_journal("db: OK", after=after)


def test_a_paused_job_is_only_run_with_force(served: Machine, root: Typist) -> None:
    served.run("cncopctl", "pause", "db")
    assert "RUNJOB -f db runs it all the same" in root.ask("RUNJOB db")
    assert "started: db" in root.ask("RUNJOB -f -w db")
    served.run("cncopctl", "resume", "db")


def test_a_stranger_may_look_but_neither_start_nor_stop(served: Machine) -> None:
    after = served.cursor()
    with Typist(served, "stranger") as stranger:
        stranger.see(r"cncop> $")
        assert "web-01" in stranger.ask("SCHEDULES")
        for command in ("RUNJOB db", "RUNJOB -a", "STOPSERVER", "GETPROFILE", "REREGISTER"):
            assert stranger.ask(command).startswith(f"error: stranger may not use {command.split()[0]}\n")
    noted = audited(served, after, "RUNJOB db")
    assert (noted["CNCOP_USER"], noted["CNCOP_OUTCOME"]) == ("stranger", "refused")
    assert job_state(served, "db") == "inactive"
    assert served.property("cncop.target", "ActiveState") == "active"


def test_a_member_of_the_group_may_start_and_its_process_need_not_know(served: Machine) -> None:
    # The group database counts, not the groups of the process: setpriv drops them.
    program = "connection = begun(); print(ask(connection, 'RUNJOB db'))"
    assert converse(served, program, user="member") == "started: db\n\n"


def test_who_is_taken_out_of_the_group_has_no_say_in_an_open_session_either(served: Machine) -> None:
    with Typist(served, "member") as member:
        member.see(r"cncop> $")
        assert "no job" in member.ask("RUNJOB nonsense")
        served.run("gpasswd", "--delete", "member", "cncop")
        assert member.ask("RUNJOB db").startswith("error: member may not use RUNJOB\n")
        served.run("gpasswd", "--add", "member", "cncop")
        assert "no job" in member.ask("RUNJOB nonsense")


def test_who_leaves_is_not_waited_for_and_is_in_the_journal_all_the_same(served: Machine) -> None:
    leave = r"""
connection = begun()
connection.sendall(sys.argv[1].encode() + b"\r\n")
if sys.argv[2] == "reset":
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""
    after = served.cursor()
    converse(served, leave, "RUNJOB -j -w web-01", "close", user="member")
    noted = audited(served, after, "RUNJOB")
    assert (noted["CNCOP_USER"], noted["CNCOP_OUTCOME"]) == ("member", "started")
    served.wait_for_journal(r"cncop-console@.*: Deactivated successfully", after=after)
    assert job_state(served, "web-01") == "activating"
    go_on(served)
    served.wait_for_journal("web-01: OK", after=after)
    converse(served, leave, "REREGISTER", "reset", user="member")
    assert audited(served, after, "REREGISTER")["CNCOP_USER"] == "member"


def test_who_may_look_is_configured(served: Machine) -> None:
    served.write("/etc/cncop/cncop3.ini", "[console]\nlook = group\ngroup = member\n")
    greet = "print(until(connect()).decode())"
    assert "Refused: stranger may not look here." in converse(served, greet, user="stranger")
    assert converse(served, greet, user="member").endswith("cncop> \n")
    served.write("/etc/cncop/cncop3.ini", "[console]\nlook = nobody\n")
    assert "Refused" in converse(served, greet, user="member")
    assert "only root may use this console" in converse(served, greet)
    served.run("rm", "/etc/cncop/cncop3.ini")


# What the console asks systemd for. All else is refused, also where a name begins as ours do.
ALLOWED = ("start cncop-sync.service", "start cncop-job-db.service")
REFUSED = (
    "start systemd-timedated.service",
    "start cncop-job-web-01.timer",
    "start cncop-console@x.service",
    "start xcncop-sync.service",
    "start cncop-sync.service.mount",
    "start cncop.target",
    "stop cncop-sync.timer",
    "stop polkit.service",
    "restart cncop-sync.service",
    "try-restart cncop-sync.timer",
    "reload-or-restart cncop.target",
    "isolate cncop.target",
    "kill cncop-sync.service",
    "clean --what=state cncop-sync.timer",
    "reset-failed cncop-sync.service",
    "set-property --runtime cncop-sync.service CPUWeight=1",
    "freeze cncop-sync.service",
    "bind cncop-sync.service /etc /mnt",
    "mask cncop-sync.timer",
    "daemon-reload",
)


def test_the_account_may_start_jobs_and_stop_all_and_nothing_else(served: Machine) -> None:
    allowed = {}
    for words in (*ALLOWED, *REFUSED):
        done = served.run_as("cncop", "systemctl", "--no-ask-password", *words.split(), check=False)
        allowed[words] = done.returncode == 0
    assert allowed == {words: words in ALLOWED for words in (*ALLOWED, *REFUSED)}


@pytest.mark.parametrize("unit", ["cncop-job-made-up", "cncop-job-db", "cncop-sync", "cncop-getprofile"])
def test_the_account_cannot_make_up_a_unit_of_its_own(served: Machine, unit: str) -> None:
    # systemd 257 asks polkit for a transient unit in the words in which it asks for a start.
    run = ["systemd-run", "--no-ask-password", "--wait", f"--unit={unit}", "touch", "/run/made-up"]
    assert served.run_as("cncop", *run, check=False).returncode != 0
    assert served.run("test", "-e", "/run/made-up", check=False).returncode == 1


# What the console shows anyway; each directory that is not below these is closed to its account.
SHOWN = ("/etc/cncop", "/var/lib/cncop", "/run/cncop")
SECRET = ("credentials", "log", "spool", "cache", "backups", "locks")


def test_the_account_reads_what_the_console_shows_and_no_secret(served: Machine) -> None:
    served.run("cncopctl", "credential", "set", "web-01", input="a secret")
    served.run("cncopctl", "runjob", "db")
    ours = ["/etc/cncop", *(f"/var/{place}/cncop" for place in ("lib", "log", "spool", "cache", "backups"))]
    look = ["find", *ours, "/run/cncop", "-readable", "-type", "f"]
    seen = served.run_as("cncop", *look, check=False).stdout.split()
    assert "/var/lib/cncop/history.sqlite" in seen
    assert [path for path in seen if not path.startswith(SHOWN)] == []
    assert [path for path in seen if set(path.split("/")[:-1]) & set(SECRET)] == []
    writable = served.run_as("cncop", "find", *ours, "/run/cncop", "-writable", check=False).stdout
    assert writable == ""


def test_getprofile_says_that_there_is_no_hub_and_what_a_sync_changed(served: Machine, root: Typist) -> None:
    job = '[[job]]\nid = "new"\ntype = "RSYNC"\nschedule = "30 2 * * *"\nsource = "/etc/systemd"\n'
    served.write("/etc/cncop/jobs.d/new.toml", f"schema = 1\n{job}")
    said = root.ask("GETPROFILE").splitlines()
    assert said == ["No hub is configured: the profile is the one on this machine.", "added: new"]
    served.write("/etc/cncop/jobs.d/new.toml", "schema = 1\n")
    answer = document(root.ask("REREGISTER -j"))
    assert answer == {"hub": False, "failed": [], "added": [], "changed": [], "removed": ["new"]}
    served.write("/etc/cncop/jobs.d/new.toml", "schema = 7\n")
    assert "error: cncop-sync.service failed" in root.ask("getp")
    served.run("rm", "/etc/cncop/jobs.d/new.toml")


def test_a_users_own_console_lets_in_nobody_else(served: Machine) -> None:
    served.run("loginctl", "enable-linger", "stranger")
    served.write("/home/stranger/.config/cncop/cncop3.ini", "[defaults]\nscheduler_port = 50125\n")
    served.write("/home/stranger/.config/cncop/profile.toml", PROFILE)
    served.run("chown", "-R", "stranger:", "/home/stranger")
    served.run_logged_in("stranger", "cncopctl", "sync-profile")
    served.run_logged_in("stranger", "systemctl", "--user", "is-active", "cncop-console.socket")
    greet = "print(until(connect(port=50125)).decode())"
    assert converse(served, greet, user="stranger").endswith("cncop> \n")
    for user in ("root", "member"):
        assert converse(served, greet, user=user) == f"Refused: {user} may not look here.\n\n"
    served.run("loginctl", "disable-linger", "stranger")


def test_another_port_is_applied_by_a_sync(served: Machine) -> None:
    served.write("/etc/cncop/cncop3.ini", "[defaults]\nscheduler_port = 50123\n")
    assert "its settings were changed" in served.run("cncopctl", "sync-profile", "--json").stdout
    greet = "print(until(connect(sys.argv[1], int(sys.argv[2]))).decode())"
    for host in ("127.0.0.1", "::1"):
        assert converse(served, greet, host, "50123").endswith("cncop> \n")
    assert json.loads(served.run("cncopctl", "sync-profile", "--json").stdout)["steps"] == []
    served.run("rm", "/etc/cncop/cncop3.ini")
    served.run("cncopctl", "sync-profile")
    assert converse(served, greet, "::1", "59153").endswith("cncop> \n")
    assert json.loads(served.run("cncopctl", "sync-profile", "--json").stdout)["steps"] == []


def test_a_port_that_is_taken_is_told_and_fails_nothing_else(served: Machine) -> None:
    taken = "[Socket]\nListenStream=127.0.0.1:50124\nAccept=yes\n"
    served.write("/run/systemd/system/taken.socket", taken)
    served.write("/run/systemd/system/taken@.service", "[Service]\nExecStart=true\n")
    served.run("systemctl", "daemon-reload")
    served.run("systemctl", "start", "taken.socket")
    served.write("/etc/cncop/cncop3.ini", "[defaults]\nscheduler_port = 50124\n")
    assert (
        "the console does not listen, its port may be taken" in served.run("cncopctl", "sync-profile").stdout
    )
    served.run("systemctl", "stop", "taken.socket")
    served.run("rm", "/etc/cncop/cncop3.ini")
    assert "does not listen" not in served.run("cncopctl", "sync-profile").stdout
    assert served.property("cncop-console.socket", "ActiveState") == "active"


def test_without_ipv6_it_is_at_127_0_0_1_all_the_same(served: Machine) -> None:
    for value in ("1", "0"):
        served.run("sh", "-c", f"echo {value} >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        served.run("systemctl", "restart", "cncop-console.socket")
        assert "cncop> " in converse(served, "print(until(connect()).decode())")


def test_stopserver_stops_everything_and_says_how_to_start_again(served: Machine) -> None:
    after = served.cursor()
    with Typist(served, "member") as member, Typist(served) as other:
        member.see(r"cncop> $")
        other.see(r"cncop> $")
        member.ask("RUNJOB web-01")
        served.wait_for_journal("run .* of web-01 .* begins", after=after)
        assert "STOPSERVER must be written in full" in member.ask("STOPSERVE")
        member.type("stopserver\r")
        said = member.see_the_end()
        assert re.search(r"Stopped: \d+ timers, 1 running job \(web-01\), this console\.", said)
        assert "systemctl start cncop.target" in said
        assert "The console was stopped" in other.see_the_end()
    noted = audited(served, after, "STOPSERVER")
    assert (noted["CNCOP_USER"], noted["CNCOP_OUTCOME"]) == ("member", "stopped")
    for unit in ("cncop.target", "cncop-console.socket", "cncop-job-db.timer", "cncop-job-web-01.service"):
        assert served.property(unit, "ActiveState") in ("inactive", "failed"), unit
    served.run("systemctl", "start", "cncop.target")
    assert "cncop> " in converse(served, "print(until(connect()).decode())")


def test_everything_is_there_again_after_a_reboot(served: Machine) -> None:
    served.reboot()
    assert "web-01" in converse(served, "print(ask(begun(), 'SCHEDULES -j'))", user="stranger")
