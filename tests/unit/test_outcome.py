"""How a run ends, in one word and one phrase."""

from __future__ import annotations

import pytest

from cncopctl.core.outcome import EX_TEMPFAIL, Outcome, counts, ended_by_systemd, retry_wait


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0, Outcome.OK),
        (EX_TEMPFAIL, Outcome.RERUN),
        (1, Outcome.ERROR),
        (255, Outcome.ERROR),
        (-9, Outcome.ERROR),
        (-EX_TEMPFAIL, Outcome.ERROR),
    ],
)
def test_an_agents_status_means_one_outcome(status: int, outcome: Outcome) -> None:
    assert Outcome.of_agent(status) is outcome


def test_somebody_is_told_of_everything_but_success_and_a_skip() -> None:
    assert {outcome for outcome in Outcome if not outcome.is_failure()} == {Outcome.OK, Outcome.SKIPPED}


@pytest.mark.parametrize(
    ("service", "outcome", "phrase"),
    [
        ({"SERVICE_RESULT": "timeout"}, Outcome.ERROR, "took longer than its timeout of 1h 30min"),
        ({"SERVICE_RESULT": "oom-kill"}, Outcome.ERROR, "ran out of memory and was killed by the kernel"),
        ({"SERVICE_RESULT": "exec-condition"}, Outcome.SKIPPED, "its condition did not hold"),
        (
            {"SERVICE_RESULT": "signal", "EXIT_STATUS": "KILL"},
            Outcome.ABORTED,
            "was killed by signal KILL",
        ),
        (
            {"SERVICE_RESULT": "core-dump", "EXIT_STATUS": "SEGV"},
            Outcome.ABORTED,
            "was killed by signal SEGV",
        ),
        ({"SERVICE_RESULT": "success"}, Outcome.ABORTED, "was stopped before it began"),
        (
            {"SERVICE_RESULT": "exit-code", "EXIT_STATUS": "243"},
            Outcome.ERROR,
            "systemd could not start it: one of its credentials cannot be read; see: cncopctl credential list, "
            "and sync (243/CREDENTIALS)",
        ),
        (
            {"SERVICE_RESULT": "exit-code", "EXIT_STATUS": "9"},
            Outcome.ERROR,
            "systemd ended it: exit-code (status 9)",
        ),
        ({}, Outcome.ERROR, "systemd ended it:  (status ?)"),
    ],
)
def test_a_run_that_could_not_speak_for_itself(
    service: dict[str, str], outcome: Outcome, phrase: str
) -> None:
    assert ended_by_systemd(service, 5400) == (outcome, phrase)


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [(1, 0.5, 60), (2, 0.5, 120), (3, 0.5, 240), (1, 0, 48), (1, 1, 72), (7, 0.5, 3600), (100, 0.5, 3600)],
)
def test_waits_double_up_to_an_hour_and_are_spread_by_a_fifth(
    attempt: int, chance: float, seconds: float
) -> None:
    assert retry_wait(60, attempt, chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("result", "expected"),
    [({}, (0, 0)), ({"files": 3, "bytes": 5}, (3, 5)), ({"files": None, "bytes": 7}, (0, 7))],
)
def test_counts_that_are_not_told_are_none(result: dict[str, int | None], expected: tuple[int, int]) -> None:
    assert counts(result) == expected
