"""How a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from cncopctl.core.spans import show_span

# sysexits.h: a temporary failure; the user is invited to try again.
EX_TEMPFAIL = 75

# RFC 8259, section 6: larger numbers are not the same to every reader.
_MOST = 2**53 - 1

# How the phrase of a run begins that was SKIPPED because of another one of its job.
UNDER_WAY = "another run of this job is under way"


# What systemd's own exit statuses mean to who has to mend it (systemd.exec(5), "Process Exit Codes").
_REFUSED = {
    "203": "its program cannot be executed; is cncop installed in whole? (203/EXEC)",
    "226": "its sandbox cannot be set up; is a directory missing that it needs? see: cncopctl doctor (226/NAMESPACE)",
    "243": "one of its credentials cannot be read; see: cncopctl credential list, and sync (243/CREDENTIALS)",
}


class Outcome(StrEnum):
    """OK, ERROR and RE-RUN are what agents end with; a run can also have been SKIPPED or ABORTED."""

    OK = "OK"
    ERROR = "ERROR"
    RERUN = "RE-RUN"
    SKIPPED = "SKIPPED"
    ABORTED = "ABORTED"

    @classmethod
    def of_agent(cls, status: int) -> Outcome:
        """The outcome that an agent's exit status means (agents/README.md)."""
        return {0: cls.OK, EX_TEMPFAIL: cls.RERUN}.get(status, cls.ERROR)

    def is_failure(self) -> bool:
        """Whether somebody has to be told: a run that was only skipped is no failure of the job."""
        return self not in (Outcome.OK, Outcome.SKIPPED)


def ended_by_systemd(service: Mapping[str, str], timeout: int) -> tuple[Outcome, str]:
    """How a run ended whose dispatcher could not say so itself, and in which words.

    Args:
        service: `SERVICE_RESULT`, `EXIT_CODE` and `EXIT_STATUS` as ExecStopPost= gets them (systemd.exec(5)).
        timeout: the job's time limit in seconds.
    """
    from datetime import timedelta  # only unusual ends need it

    match service.get("SERVICE_RESULT", ""):
        case "timeout":
            return Outcome.ERROR, f"took longer than its timeout of {show_span(timedelta(seconds=timeout))}"
        case "oom-kill":
            return Outcome.ERROR, "ran out of memory and was killed by the kernel"
        case "exec-condition":
            return Outcome.SKIPPED, "its condition did not hold"
        case "signal" | "core-dump" if not service.get("EXIT_STATUS"):
            return Outcome.ABORTED, "was stopped before it began"  # the main process never was
        case "signal" | "core-dump":
            return Outcome.ABORTED, f"was killed by signal {service.get('EXIT_STATUS', '?')}"
        case "success":
            return Outcome.ABORTED, "was stopped before it began"
        case "exit-code" if words := _REFUSED.get(service.get("EXIT_STATUS", "")):
            return Outcome.ERROR, f"systemd could not start it: {words}"
        case result:
            return Outcome.ERROR, f"systemd ended it: {result} (status {service.get('EXIT_STATUS', '?')})"


def retry_wait(interval: int, attempt: int, chance: float) -> float:
    """Seconds to wait after attempt number `attempt` (from 1): doubling, at most an hour, spread by a fifth.

    `chance` is a random number from 0 to 1; the spread keeps jobs that failed together apart.
    """
    return min(interval * 2.0 ** (attempt - 1), 3600.0) * (0.8 + 0.4 * chance)


def counts(result: Mapping[str, Any]) -> tuple[int, int]:
    """Files and bytes that an agent's result tells, 0 where it tells none, or nothing that can be counted."""
    return count(result.get("files")) or 0, count(result.get("bytes")) or 0


def count(value: object) -> int | None:
    """The number of things that `value` is; None where it is none, or beyond what every reader of JSON takes."""
    return value if type(value) is int and 0 <= value <= _MOST else None


def signal_name(number: int) -> str:
    """The signal's name (`SIGKILL`), or its number where it has none, as most real-time signals (signal(7))."""
    import signal  # only unusual ends need it

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
