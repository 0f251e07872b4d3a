"""What a run costs whose agent does nothing, over `systemctl start` of /bin/true, in the same user manager."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

ROUNDS = 15
ROOT = Path(__file__).resolve().parent.parent
MANAGER = [sys.executable, str(ROOT / "tests/manager/private_manager.py"), "--"]
CNCOPCTL = str(Path(sys.executable).with_name("cncopctl"))
BARE, JOB, REPORTER = "bare.service", "cncop-job-a.service", "cncop-reporter.service"

PROFILE = """
schema = 1
[[job]]
id = "a"
type = "RSYNC"
schedule = "30 2 1 1 *"
source = "/usr/share/doc"
"""


def main() -> None:
    """Print the CPU time of the services, of the manager meanwhile, and the memory of each step."""
    command = [*MANAGER, sys.executable, "-P", "-m", "benchmarks.run"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    rounds, memory = json.loads(done.stdout)
    print(f"medians of {len(rounds)} rounds, ms of CPU (and the least)")
    bare, job, reporter = (numbers(rounds, name) for name in ("bare", "job", "reporter"))
    show("systemctl start of /bin/true", bare)
    show("a run, all of its service", job)
    show(
        "a run beyond /bin/true (at most 150)",
        [ours - theirs for ours, theirs in zip(job, bare, strict=True)],
    )
    show("the reporter that it wakes", reporter)
    show("manager, beyond /bin/true", numbers(rounds, "manager"))
    most = max(memory.values())
    print(f"the most that a process of it takes is {most - memory['/bin/true']:.0f} MiB more (at most 40):")
    for name, size in memory.items():
        print(f"  {name:<38} {size:6.1f} MiB")


def show(label: str, values: list[float]) -> None:
    print(f"  {label:<38} {statistics.median(values):6.1f}   ({min(values):.1f})")


def numbers(rounds: list[dict[str, float]], name: str) -> list[float]:
    return [each[name] for each in rounds]


def measure() -> None:
    """Within the manager: print all rounds, and the memory of each step, as JSON."""
    config, units = Path(os.environ["XDG_CONFIG_HOME"]), Path(os.environ["XDG_CONFIG_HOME"], "systemd/user")
    write(config / "cncop/profile.toml", PROFILE)
    write(config / "cncop/agents.d/backupagentrsync", "#!/bin/sh\nexit 0\n").chmod(0o755)
    write(units / BARE, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/true\n")
    for unit in (JOB, REPORTER):
        write(
            units / f"{unit}.d/accounting.conf",
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nCPUAccounting=yes\n",
        )
    subprocess.run([CNCOPCTL, "sync-profile", "--user"], check=True, stdout=subprocess.DEVNULL)
    one_round()  # compiles what is not yet
    rounds = [one_round() for _ in range(ROUNDS)]
    print(json.dumps([rounds, memory()]))


def one_round() -> dict[str, float]:
    before = manager_time()
    bare = run(BARE)
    between = manager_time()
    job = run(JOB)
    after = manager_time()
    reporter = run(REPORTER)
    manager = (after - between) - (between - before)
    return {"bare": bare, "job": job, "reporter": reporter, "manager": manager}


def run(unit: str) -> float:
    """Run a service to the end of its last line; its CPU time in milliseconds.

    What the control group of /bin/true has used is not told where it is gone too soon: that counts as nothing.
    """
    subprocess.run(["systemctl", "--user", "start", unit], check=True)
    subprocess.run(["systemctl", "--user", "stop", unit], check=True, stderr=subprocess.DEVNULL)
    show = ["systemctl", "--user", "show", "--value", "--property=CPUUsageNSec", unit]
    told = subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()
    return int(told) / 1e6 if told.isdigit() else 0.0


def manager_time() -> float:
    """CPU time of the manager until now, in milliseconds."""
    fields = Path(f"/proc/{manager_pid()}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) * 1e3 / os.sysconf("SC_CLK_TCK")


@cache
def manager_pid() -> int:
    """Pid of our manager: the owner of its name on the bus."""
    ask = ["busctl", "--user", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus"]
    ask += ["org.freedesktop.DBus", "GetConnectionUnixProcessID", "s", "org.freedesktop.systemd1"]
    done = subprocess.run(ask, check=True, capture_output=True, text=True)
    return int(json.loads(done.stdout)["data"][0])


def memory() -> dict[str, float]:
    """The most memory (resident) that each process of a run takes, in MiB, by what it does.

    They run one after the other, but for the agent beside its dispatcher.
    """
    steps = {step: ["cncopctl.dispatcher", "--user", step, "a"] for step in ("gate", "run", "close")}
    told = {name: peak([sys.executable, "-I", "-c", WATCHED, *words]) for name, words in steps.items()}
    told["reporter"] = peak([sys.executable, "-I", "-c", WATCHED, "cncopctl.reporter", "--user"])
    # /bin/true cannot say it: the least of the programs that can is no larger.
    return {"/bin/true": peak(["grep", "VmHWM", "/proc/self/status"])} | told


# Not getrusage(2): after an execve(2) it counts what the process was before.
WATCHED = """
import atexit, runpy, sys
atexit.register(lambda: print(open("/proc/self/status").read()))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def peak(command: list[str]) -> float:
    """What a process says of its most resident memory, in MiB."""
    environment = os.environ | {"INVOCATION_ID": "f" * 32}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


if __name__ == "__main__":
    measure()
