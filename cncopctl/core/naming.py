"""Names of the units that belong to a job, and back.

Units are named by job id, never by title: ids cannot collide, need no escaping and do not change.
A colon cannot stand in an id, so that the timers of several schedules cannot be mistaken for those of
another job (`a:2.timer` is the second timer of job `a`).
"""

from __future__ import annotations

TARGET = "cncop.target"
PATTERN = "cncop-job-*"
SYNC_SERVICE, SYNC_TIMER = "cncop-sync.service", "cncop-sync.timer"
REPORTER_SERVICE, REPORTER_PATH = "cncop-reporter.service", "cncop-reporter.path"
REPORTER_TIMER = "cncop-reporter.timer"
RECOVER_SERVICE, RECOVER_TIMER = "cncop-recover.service", "cncop-recover.timer"
CONSOLE_SOCKET, CONSOLE_SERVICE = "cncop-console.socket", "cncop-console@.service"
# The console's port, where it is not the usual one.
CONSOLE_PORT = f"{CONSOLE_SOCKET}.d/cncop-port.conf"
# What a sync installs that belongs to no job.
STATIC = frozenset(
    {
        TARGET,
        SYNC_SERVICE,
        SYNC_TIMER,
        REPORTER_SERVICE,
        REPORTER_PATH,
        REPORTER_TIMER,
        RECOVER_SERVICE,
        RECOVER_TIMER,
        CONSOLE_SOCKET,
        CONSOLE_SERVICE,
        CONSOLE_PORT,
    }
)
_PREFIX = "cncop-job-"


def service_name(job_id: str) -> str:
    """Name of the job's service."""
    return f"{_PREFIX}{job_id}.service"


def timer_name(job_id: str, number: int = 1) -> str:
    """Name of the timer for the job's `number`th schedule, counted from 1."""
    return f"{_PREFIX}{job_id}.timer" if number == 1 else f"{_PREFIX}{job_id}:{number}.timer"


def move_timer_name(job_id: str, schedules: int) -> str:
    """Name of the timer that starts the job at the ends of its blackouts, after those of its `schedules`."""
    return timer_name(job_id, schedules + 1)


def job_of(unit: str) -> str:
    """Id of the job that a job's service or timer belongs to; "" for every other unit."""
    stem, _, kind = unit.rpartition(".")
    if kind not in ("service", "timer") or not stem.startswith(_PREFIX):
        return ""
    return stem.removeprefix(_PREFIX).partition(":")[0]


def is_ours(unit: str) -> bool:
    """Whether a sync makes a unit of that name: the target, the re-sync's, or a job's."""
    return unit in STATIC or bool(job_of(unit))


def is_drop_in(unit: str) -> bool:
    """Whether it is no unit but a part of one, which systemd does not take for itself."""
    return "/" in unit


def is_timer(unit: str) -> bool:
    """Whether `unit` is a timer that a sync makes."""
    return unit.endswith(".timer") and is_ours(unit)


def is_trigger(unit: str) -> bool:
    """Whether `unit` is one that a sync makes to start others: a timer, a path, or a socket."""
    return is_timer(unit) or (unit.endswith((".path", ".socket")) and is_ours(unit))
