"""The guard: what is unlike the history of a job, and what is not."""

from __future__ import annotations

import json

import pytest

from cncopctl.core.guard import Count, Guard, Past, Then, suspicion

MIB = 1 << 20


def past(*counts: tuple[int, int], suspects: tuple[tuple[int, int], ...] = ()) -> Past:
    sound = [Count(files, size, run=str(number)) for number, (files, size) in enumerate(counts)]
    odd = [
        Count(files, size, run=f"s{number}", is_suspect=True) for number, (files, size) in enumerate(suspects)
    ]
    return Past((*sound, *odd))


USUAL = past((1000, 50 * MIB), (1200, 60 * MIB), (900, 40 * MIB))


@pytest.mark.parametrize(
    ("before", "now", "seen"),
    [
        (USUAL, (1100, 55 * MIB), None),
        (USUAL, (450, 20 * MIB), None),
        (USUAL, (4800, 240 * MIB), None),
        (
            USUAL,
            (449, 20 * MIB),
            "449 files, 20.0 MiB: far fewer files than ever; the last 3 backups had 900 to 1,200 files, "
            "40.0 MiB to 60.0 MiB",
        ),
        (
            USUAL,
            (10, 1),
            "10 files, 1 B: far fewer files than ever and far fewer bytes than ever; the last 3 backups had "
            "900 to 1,200 files, 40.0 MiB to 60.0 MiB",
        ),
        (
            USUAL,
            (1000, 241 * MIB),
            "1,000 files, 241.0 MiB: far more bytes than ever; the last 3 backups had 900 to 1,200 files, "
            "40.0 MiB to 60.0 MiB",
        ),
        (past((1000, MIB), (1000, MIB)), (1, 1), None),
        (past((1, 10), (1, 10), (1, 10)), (90, 9 * MIB), None),
        (past((3, 10)), (0, 0), "the source is empty; the last backup had 3 files, 10 B"),
        (past((3, 10)), (3, 0), "every file of the source is empty; the last backup had 3 files, 10 B"),
        (past((3, 0)), (3, 0), None),
        (past((0, 0)), (0, 0), None),
        (past(), (0, 0), None),
        (
            past((3, 10), suspects=((0, 0), (0, 0))),
            (0, 0),
            "the source is empty; the last backup had 3 files, 10 B",
        ),
    ],
)
def test_a_source_is_judged_by_the_least_and_the_most_of_its_past(
    before: Past, now: tuple[int, int], seen: str | None
) -> None:
    found = suspicion(Guard(), before, *now)
    assert (found.phrase if found else None) == seen


@pytest.mark.parametrize(
    ("written", "empty", "small"),
    [
        ({}, Then.ERROR, Then.WARN),
        ("warn", Then.WARN, Then.WARN),
        ("error", Then.ERROR, Then.ERROR),
        ("off", None, None),
        ({"then": "error", "empty": "off"}, None, Then.ERROR),
        ({"after": 10}, Then.ERROR, None),
        ({"shrink": 99}, Then.ERROR, None),
    ],
)
def test_how_a_run_ends_is_as_the_job_says(written: object, empty: Then | None, small: Then | None) -> None:
    guard = Guard.from_written(written)  # type: ignore[arg-type]
    seen = [suspicion(guard, USUAL, files, size) for files, size in ((0, 0), (100, 5 * MIB))]
    assert [found and found.then for found in seen] == [empty, small]
    assert Guard.from_written(guard.document()) == guard


def test_what_is_suspicious_today_is_so_tomorrow_until_it_is_accepted() -> None:
    seen = USUAL
    for night in range(20):
        assert suspicion(Guard(), seen, 10, MIB)
        seen = seen.with_(Count(10, MIB, run=f"n{night}", is_suspect=True))
    assert list(seen.sound()) == list(USUAL.counts)
    assert len(seen.counts) == 13
    accepted = seen.accepted()
    assert accepted.counts == (Count(10, MIB, run="n19"),)
    assert suspicion(Guard(), accepted, 10, MIB) is None
    assert accepted.accepted() == accepted


def test_the_past_is_the_last_ten() -> None:
    seen = Past()
    for night in range(30):
        seen = seen.with_(Count(night, night))
    assert [count.files for count in seen.counts] == list(range(20, 30))


def test_the_past_survives_being_written_down() -> None:
    seen = USUAL.with_(Count(1, 2, "run", "snapshot", is_suspect=True))
    assert Past.from_document(json.loads(json.dumps(seen.document()))) == seen
