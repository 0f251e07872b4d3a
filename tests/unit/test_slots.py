"""At most so many jobs at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cncopctl.edges.slots import Slots


def fail(sentence: str) -> None:
    pytest.fail(f"waited: {sentence}")


def test_as_many_as_there_are_slots_need_not_wait(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots", 2)
    taken = [slots.take({"job": name}, fail) for name in "ab"]
    assert [waited for _, waited in taken] == [False, False]
    assert sorted(note["job"] for note in slots.holders()) == ["a", "b"]
    os.close(taken[0][0])
    assert [note["job"] for note in slots.holders()] == ["b"]
    os.close(taken[1][0])
    assert slots.holders() == []


def test_one_more_waits_until_one_is_free_and_says_for_whom(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1)
    first, _ = slots.take({"job": "a"}, fail)
    told: list[str] = []
    waits = threading.Event()
    taken: list[tuple[int, bool]] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        waits.set()

    waiter = threading.Thread(target=lambda: taken.append(Slots(tmp_path, 1).take({"job": "b"}, tell)))
    waiter.start()
    assert waits.wait(20)
    assert taken == []
    os.close(first)
    waiter.join(20)
    assert told == ["waits for a slot (max_parallel_jobs = 1); now run: a"]
    ((slot, waited),) = taken
    assert waited
    assert [note["job"] for note in slots.holders()] == ["b"]
    os.close(slot)


def test_those_who_wait_are_served_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    first, _ = Slots(tmp_path, 1).take({"job": "first"}, fail)
    order: list[str] = []
    waiters = []
    for name in ("b", "c", "d"):
        waits = threading.Event()

        def wait(name: str = name, waits: threading.Event = waits) -> None:
            slot, _ = Slots(tmp_path, 1).take({"job": name}, lambda _: waits.set())
            order.append(name)
            os.close(slot)

        waiters.append(threading.Thread(target=wait))
        waiters[-1].start()
        assert waits.wait(20)
        while name != "b" and not _blocked_on_queue(tmp_path, len(waiters) - 1):
            pass
    os.close(first)
    for waiter in waiters:
        waiter.join(20)
    assert order == ["b", "c", "d"]


def _blocked_on_queue(directory: Path, number: int) -> bool:
    """Whether so many wait for the queue's lock, as the kernel's table of locks has it (proc_locks(5))."""
    inode = (directory / "queue.lock").stat().st_ino
    waiting = [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return sum(line.split()[-3].endswith(f":{inode}") for line in waiting) >= number


def test_what_stands_in_a_slots_file_need_not_be_ours(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1)
    slot, _ = slots.take({"job": "a"}, fail)
    os.pwrite(slot, b"[1]", 0)
    os.ftruncate(slot, 3)
    assert slots.holders() == [{}]
    os.close(slot)
