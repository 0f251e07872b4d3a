"""The tier itself: machines are real, are kept apart from the host, and leave nothing behind."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from manager.user_manager import ending

from .machine import TESTS, Machine, as_root

VERSIONS = {"bookworm": ("12", 252), "trixie": ("13", 257)}


def traces_of(name: str) -> list[str]:
    """Directories, mounts, control groups and processes that name a machine's directory."""
    there = [str(path) for path in Path("/run").glob(f"{name}*")]
    there += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line]
    there += [str(path) for path in Path("/sys/fs/cgroup").rglob(f"{name}*")]
    processes = subprocess.run(["ps", "axwwo", "pid,args"], capture_output=True, text=True, check=True)
    return there + [line for line in processes.stdout.splitlines() if name in line]


def name_of(leader: int) -> str:
    """The name of a machine's directory on the host: that of its control group."""
    found = re.search(r"cncop-machine-\w+", Path(f"/proc/{leader}/cgroup").read_text())
    assert found
    return found[0]


def test_systemd_of_the_release_runs_without_a_failed_unit(machine: Machine) -> None:
    debian, systemd = VERSIONS[machine.release]
    assert f'VERSION_ID="{debian}"' in machine.read("/etc/os-release").splitlines()
    assert machine.run("systemctl", "--version").stdout.startswith(f"systemd {systemd} ")
    assert machine.run("systemctl", "is-system-running", "--wait").stdout == "running\n"


def test_commands_have_what_pid_1_has(machine: Machine) -> None:
    for fact in ("CapBnd", "CapEff"):
        ask = ["grep", fact, "/proc/1/status", "/proc/self/status"]
        first, second = (line.split()[-1] for line in machine.run(*ask).stdout.splitlines())
        assert first == second
    assert machine.run("cat", "/proc/self/cgroup").stdout.splitlines()[-1] == "0::/init.scope"
    assert machine.run("env").stdout.splitlines()[0].startswith("PATH=/usr/local/sbin:")


def test_the_clock_of_the_host_is_out_of_reach(machine: Machine) -> None:
    before = time.time()
    refused = machine.run("date", "--set=@1", check=False)
    assert "Operation not permitted" in refused.stderr
    assert time.time() >= before


def test_the_only_network_is_loopback(machine: Machine) -> None:
    links = json.loads(machine.run("ip", "-json", "link").stdout)
    assert [(link["ifname"], link["flags"][-1]) for link in links] == [("lo", "LOWER_UP")]


def test_a_command_that_fails_says_so(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"sh -c 'echo no; exit 3': 3\nno"):
        machine.run("sh", "-c", "echo no; exit 3")


def test_files_go_in_and_out(machine: Machine, tmp_path: Path) -> None:
    machine.write("/srv/deep/note", "größe\n", mode=0o600)
    assert machine.read("/srv/deep/note") == "größe\n"
    assert machine.run("stat", "--format=%a %U", "/srv/deep/note").stdout == "600 root\n"
    outside = [*as_root(), "cat", str(machine.path / "srv/deep/note")]
    assert subprocess.run(outside, capture_output=True, text=True, check=True).stdout == "größe\n"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/leaf").write_bytes(b"\xff\0")
    machine.copy_in(tmp_path / "tree", "/srv/copied")
    assert machine.run("od", "-An", "-tx1", "/srv/copied/tree/leaf").stdout == " ff 00\n"


def test_each_end_of_a_unit_is_told_once(machine: Machine) -> None:
    script = "ExecCondition=test ! -e /run/gate\nExecStart=test ! -e /run/broken\n"
    machine.write("/etc/systemd/system/end.service", f"[Service]\nType=oneshot\n{script}")
    machine.run("systemctl", "start", "end.service")
    machine.run("touch", "/run/broken")
    machine.run("systemctl", "start", "end.service", check=False)
    machine.run("touch", "/run/gate")
    machine.run("systemctl", "start", "--no-block", "end.service")
    results = [machine.wait_for_unit_result("end.service") for _ in range(3)]
    assert results == ["success", "exit-code", "exec-condition"]


def test_a_timer_that_fires_by_itself_is_waited_for(machine: Machine) -> None:
    before = machine.cursor()
    machine.run(
        "systemd-run", "--unit=soon", "--on-active=100ms", "--timer-property=AccuracySec=1ms", "echo", "so"
    )
    assert machine.wait_for_journal("^so$", "_SYSTEMD_UNIT=soon.service", after=before).message == "so"
    assert machine.wait_for_unit_result("soon.service") == "success"


def test_a_credential_reaches_a_sandboxed_service(machine: Machine) -> None:
    machine.write("/etc/secret", "hunter2\n", mode=0o600)
    sandbox = [
        "LoadCredential=password:/etc/secret",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
    ]
    words = [f"--property={line}" for line in sandbox]
    script = 'cat "$CREDENTIALS_DIRECTORY/password"; touch /usr/written || echo sealed'
    shown = machine.run("systemd-run", "--quiet", "--pipe", "--wait", *words, "sh", "-c", script)
    assert shown.stdout == "hunter2\nsealed\n"


def test_another_user_may_run_a_command_at_a_terminal(machine: Machine) -> None:
    machine.run("useradd", "--create-home", "alice")
    assert machine.run_as("alice", "id", "--user", "--name").stdout == "alice\n"
    assert "/dev/pts/" in machine.run_as("alice", "tty", pty=True).stdout
    running = machine.run_logged_in("alice", "systemctl", "--user", "is-system-running", "--wait")
    assert running.stdout == "running\n"


def test_a_private_user_manager_runs_as_root_and_as_a_user(machine: Machine) -> None:
    machine.copy_in(TESTS / "manager/private_manager.py", "/srv")
    command = ["/srv/private_manager.py", "--", "systemctl", "--user", "is-system-running"]
    assert machine.run(*command).stdout == "running\n"
    machine.run("useradd", "--create-home", "bob")
    assert machine.run_logged_in("bob", *command).stdout == "running\n"


def test_a_reboot_keeps_the_disk_and_the_identity(machine: Machine) -> None:
    identity, boot = machine.read("/etc/machine-id"), machine.read("/proc/sys/kernel/random/boot_id")
    machine.write("/var/lib/kept", "yes\n")
    machine.write("/run/lost", "yes\n")
    first = machine.leader
    machine.reboot()
    assert machine.leader != first
    assert boot  # of the host: a container shares its kernel
    assert machine.read("/etc/machine-id") == identity
    assert machine.read("/var/lib/kept") == "yes\n"
    assert machine.run("test", "-e", "/run/lost", check=False).returncode == 1
    assert machine.run("systemctl", "is-system-running").stdout == "running\n"


def test_a_machine_can_be_off_for_a_while(machine: Machine) -> None:
    machine.write("/var/lib/kept", "still\n")
    machine.poweroff()
    machine.start()
    assert machine.read("/var/lib/kept") == "still\n"
    machine.cut_power()
    machine.start()
    assert machine.read("/var/lib/kept") == "still\n"


def test_the_project_is_installed_upon_packages_of_debian(device: Machine) -> None:
    where = device.run("python3", "-c", "import cncopctl; print(cncopctl.__file__)").stdout
    assert where.startswith("/usr/local/lib/python3")
    assert device.run("sh", "-c", "command -v cncopctl").stdout == "/usr/local/bin/cncopctl\n"


def test_nothing_is_left_of_a_stopped_machine() -> None:
    with Machine.boot("trixie") as machine:
        name = name_of(machine.leader)
        client = machine.popen("sleep", "inf")
        assert traces_of(name)
    assert client.wait() != 0
    assert traces_of(name) == []


def test_a_machine_ends_with_the_tests_that_use_it() -> None:
    program = (
        "import subprocess, sys\n"
        "argv = [*sys.argv[1:], sys.executable, '-P', '-m', 'machine.nspawn', '--release', 'trixie']\n"
        "subprocess.Popen(argv, stdin=subprocess.PIPE).wait()\n"  # run() would close its stdin at once
    )
    argv = [sys.executable, "-c", program, *as_root(), "env", f"PYTHONPATH={TESTS}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout
        leader = int(json.loads(tests.stdout.readline())["leader"])
        name = name_of(leader)
        supervisor = int(
            subprocess.run(["pgrep", "--parent", str(tests.pid)], capture_output=True, check=True).stdout
        )
        with ending(supervisor):
            tests.kill()
    assert traces_of(name) == []
