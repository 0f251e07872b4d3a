"""The tier itself: a manager is real, is nobody else's, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from .user_manager import PROGRAM, UserManager, ending


def traces_of(manager: UserManager) -> list[str]:
    """Directories, mounts, control groups and processes that name the manager's directories."""
    name = manager.runtime.name
    there = [str(path) for path in (manager.runtime, manager.home) if path.exists()]
    there += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line]
    there += [str(path) for path in Path("/sys/fs/cgroup").rglob(f"{name}*")]
    processes = subprocess.run(["ps", "axewwo", "pid,args"], capture_output=True, text=True, check=True)
    return there + [line for line in processes.stdout.splitlines() if name in line]


def test_it_runs_a_oneshot_from_its_condition_to_its_last_command(shared_manager: UserManager) -> None:
    shared_manager.write_unit(
        "whole.service",
        "[Service]\n"
        "Type=oneshot\n"
        "ExecCondition=true\n"
        "ExecStart=sh -c 'echo started'\n"
        "ExecStopPost=sh -c 'echo stopped with $$SERVICE_RESULT'\n",
    )
    shared_manager.systemctl("daemon-reload")
    shared_manager.systemctl("start", "whole.service")
    journal = shared_manager.journal("whole.service").splitlines()
    assert [line for line in journal if line.startswith("st")] == ["started", "stopped with success"]


def test_a_false_condition_skips_the_service(shared_manager: UserManager) -> None:
    shared_manager.write_unit(
        "gate.service", "[Service]\nType=oneshot\nExecCondition=false\nExecStart=echo passed\n"
    )
    shared_manager.systemctl("daemon-reload")
    shared_manager.systemctl("start", "gate.service")
    journal = shared_manager.journal("gate.service")
    assert "gate.service: Skipped due to 'exec-condition'." in journal.splitlines()
    assert "passed" not in journal.splitlines()


def test_a_timer_fires_by_itself(shared_manager: UserManager) -> None:
    fired = shared_manager.home / "fired"
    os.mkfifo(fired)
    shared_manager.write_unit(
        "soon.service", f"[Service]\nType=oneshot\nExecStart=sh -c 'echo yes >{fired}'\n"
    )
    shared_manager.write_unit("soon.timer", "[Timer]\nOnActiveSec=0\nAccuracySec=1ms\n")
    shared_manager.systemctl("daemon-reload")
    shared_manager.systemctl("start", "soon.timer")
    assert shared_manager.run("cat", fired, timeout=10).stdout == "yes\n"


def test_a_stopped_service_takes_its_children_with_it(shared_manager: UserManager) -> None:
    pids = shared_manager.home / "pids"
    os.mkfifo(pids)
    shared_manager.write_unit(
        "family.service",
        f"[Service]\nExecStart=sh -c 'setsid sleep inf & echo $$! >{pids}; wait'\n",
    )
    shared_manager.systemctl("daemon-reload")
    shared_manager.systemctl("start", "family.service")
    child = int(shared_manager.run("cat", pids, timeout=10).stdout)
    shared_manager.systemctl("stop", "family.service")
    assert not Path(f"/proc/{child}").exists()


def test_a_credential_reaches_every_command_of_a_sandboxed_service(shared_manager: UserManager) -> None:
    secret = shared_manager.home / "secret"
    secret.write_text("hunter2\n")
    shared_manager.write_unit(
        "sealed.service",
        "[Service]\n"
        "Type=oneshot\n"
        f"LoadCredential=password:{secret}\n"
        "ProtectSystem=strict\n"
        "PrivateTmp=yes\n"
        "NoNewPrivileges=yes\n"
        "ExecStart=sh -c 'cat $$CREDENTIALS_DIRECTORY/password'\n"
        "ExecStopPost=true\n",
    )
    shared_manager.systemctl("daemon-reload")
    shared_manager.systemctl("start", "sealed.service")
    assert "hunter2" in shared_manager.journal("sealed.service").splitlines()


def test_units_of_the_machine_are_not_started(shared_manager: UserManager) -> None:
    sockets = shared_manager.systemctl("list-units", "--type=socket", "--plain", "--no-legend")
    assert [line.split()[0] for line in sockets.splitlines()] == ["dbus.socket"]


def test_the_manager_answers_on_the_message_bus(shared_manager: UserManager) -> None:
    systemd = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
    answer = shared_manager.run("busctl", "--user", "--json=short", "get-property", *systemd, "UnitPath")
    assert str(shared_manager.units) in json.loads(answer.stdout)["data"]


def test_two_managers_do_not_meet(manager: UserManager, shared_manager: UserManager) -> None:
    manager.systemctl("set-environment", "MINE=yes")
    assert "MINE=yes" in manager.systemctl("show-environment").splitlines()
    assert "MINE=yes" not in shared_manager.systemctl("show-environment").splitlines()


def test_nothing_is_left_of_a_stopped_manager() -> None:
    with UserManager() as manager:
        manager.write_unit(
            "stubborn.service", "[Service]\nExecStart=sh -c 'trap : TERM; while :; do wait; done'\n"
        )
        manager.systemctl("daemon-reload")
        manager.systemctl("start", "stubborn.service")
        client = manager.popen("sleep", "inf")
        assert traces_of(manager)
    assert client.wait() == -signal.SIGKILL
    assert traces_of(manager) == []


def test_a_manager_ends_with_the_tests_that_use_it() -> None:
    program = (
        "import json, os, sys, subprocess\n"
        "p = subprocess.Popen([sys.executable, sys.argv[1], '--serve'], stdin=subprocess.PIPE)\n"
        "p.wait()\n"
    )
    argv = [sys.executable, "-c", program, str(PROGRAM)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout
        facts = json.loads(tests.stdout.readline())
        manager = int(facts["pid"])
        supervisor = int(Path(f"/proc/{manager}/stat").read_text().rpartition(")")[2].split()[1])
        with ending(supervisor):
            tests.kill()
    assert not Path(f"/proc/{manager}").exists()
    assert not Path(facts["paths"]["runtime"]).exists()


def test_the_launcher_ends_with_the_status_of_its_command(tmp_path: Path) -> None:
    words = ["sh", "-c", "systemctl --user is-system-running; pwd; exit 7"]
    argv = [str(PROGRAM), "--", *words]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.stdout.splitlines() == ["running", str(tmp_path)]
    assert result.returncode == 7
