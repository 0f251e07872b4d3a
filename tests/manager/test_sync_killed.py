"""A sync may be killed at any instant: the next one completes it, and no timer was ever restarted."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Self

import pytest

from .installation import NEVER_SOON, Installation, job
from .user_manager import UserManager

KILLS = 200
WARM = Path(__file__).with_name("warm_cncopctl.py")

SAME = [job(f"same-{number}", title=f"unchanged {number}") for number in range(5)]
A = [
    *SAME,
    *(job(f"changed-{number}", schedule=f"{number} 3 1 2 *") for number in range(3)),
    job("fewer", schedule=[NEVER_SOON, "0 3 1 3 *"]),
    job("titled", title="before"),
    job("switched", catch_up=False),
    *(job(f"only-a-{number}") for number in range(3)),
]
B = [
    *SAME,
    *(job(f"changed-{number}", schedule=f"{number} 4 1 3 *") for number in range(3)),
    job("fewer"),
    job("titled", title="after 100% $x \\"),
    job("switched", catch_up=False, enabled=False),
    *(job(f"only-b-{number}") for number in range(3)),
]
# Nothing is removed from B to C, so that only what was written tells systemd that it has to read again.
C = [
    {**each, "title": "C", "schedule": "5 5 1 5 *"} if each["id"].startswith("changed") else each
    for each in B
]
PROFILES = {"a": A, "b": B, "c": C}


def timers_of(jobs: list[dict[str, Any]]) -> set[str]:
    """Names of the timers that a profile asks for."""
    named = set()
    for each in jobs:
        if each.get("enabled", True):
            schedules = each["schedule"] if isinstance(each["schedule"], list) else [each["schedule"]]
            named |= {f"cncop-job-{each['id']}.timer"}
            named |= {f"cncop-job-{each['id']}:{number}.timer" for number in range(2, len(schedules) + 1)}
    return named


class WarmCncopctl:
    """cncopctl, ready to run at once, on a manager."""

    def __init__(self, manager: UserManager) -> None:
        self._process = manager.popen(sys.executable, WARM, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def sync(self, killed_after: float = 60) -> tuple[int, str]:
        """Run sync-profile; kill it when so many seconds have gone by. Its status, and what it printed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write('["sync-profile", "--user"]\n')
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if not select.select([self._process.stdout], [], [], killed_after)[0]:
            os.kill(pid, signal.SIGKILL)
        status, said = json.loads(self._process.stdout.readline())
        return status, said


@dataclass(frozen=True)
class State:
    """All that a sync makes: files, compiled jobs, and what systemd has of the timers."""

    files: dict[str, str]
    compiled: dict[str, dict[str, Any]]
    timers: dict[str, tuple[str, ...]]
    last_sync: dict[str, Any]

    @classmethod
    def of(cls, cncop: Installation) -> State:
        last_sync = json.loads((cncop.state / "last-sync.json").read_text())
        return cls(
            cncop.unit_files(),
            cncop.compiled(),
            cncop.show("ActiveState", "LoadState", "NextElapseUSecRealtime", "NeedDaemonReload"),
            # The digests of compiled jobs differ by the age of their schedules.
            {key: value for key, value in last_sync.items() if key in ("units", "links")},
        )


@dataclass
class Killing:
    """Syncs from one profile to the other, each killed and then completed."""

    cncop: Installation
    warm: WarmCncopctl
    undisturbed: dict[str, State] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    kills: int = 0

    def complete(self, name: str, jobs: list[dict[str, Any]]) -> None:
        """Sync without disturbance, and see how long that takes and what comes of it."""
        self.cncop.write(*jobs)
        begun = monotonic()
        assert self.warm.sync()[0] == 0
        self.durations.append(monotonic() - begun)
        self.undisturbed[name] = State.of(self.cncop)

    def kill(self, name: str, jobs: list[dict[str, Any]], instant: float) -> None:
        """Sync and kill that at `instant`; look at the timers; sync again and look at everything."""
        self.cncop.write(*jobs)
        status, said = self.warm.sync(instant)
        assert status in (-signal.SIGKILL, 0), said
        self.kills += status != 0
        kept = timers_of(A) & timers_of(B)
        assert kept <= self.cncop.active_timers(), f"after a kill at {instant:.3f} s"
        status, said = self.warm.sync()
        assert status == 0, said
        assert State.of(self.cncop) == self.undisturbed[name], f"after a kill at {instant:.3f} s"


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    return Installation(manager)


def test_a_sync_killed_at_any_of_200_instants_is_completed_by_the_next(cncop: Installation) -> None:
    chance = random.Random()  # noqa: S311 - no secret
    with WarmCncopctl(cncop.manager) as warm:
        killing = Killing(cncop, warm)
        for _ in range(2):
            for name, jobs in PROFILES.items():
                killing.complete(name, jobs)
        starts = cncop.starts()
        usual = median(killing.durations)
        for name, jobs in cycle(PROFILES.items()):
            killing.kill(name, jobs, chance.uniform(0, usual))
            if killing.kills == KILLS:
                break
        kept = timers_of(A) & timers_of(B)
        assert {name: cncop.starts()[name] for name in kept} == {name: starts[name] for name in kept}
        assert warm.sync()[1].startswith(f"{len(jobs)} jobs, nothing to do")


def test_a_first_sync_killed_at_any_instant_is_completed_by_the_next(cncop: Installation) -> None:
    chance = random.Random()  # noqa: S311 - no secret
    with WarmCncopctl(cncop.manager) as warm:
        killing = Killing(cncop, warm)
        killing.complete("a", A)
        for _ in range(10):
            cncop.write()
            assert warm.sync()[0] == 0
            assert not cncop.active_timers()
            (cncop.state / "last-sync.json").unlink()
            cncop.write(*A)
            warm.sync(chance.uniform(0, killing.durations[0]))
            assert warm.sync()[0] == 0
            assert State.of(cncop) == killing.undisturbed["a"]
