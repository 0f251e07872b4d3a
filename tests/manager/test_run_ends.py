"""How a run ends that somebody else ends: its time is up, or it leaves processes behind."""

from __future__ import annotations

import json

from .installation import CNCOPCTL, Installation, job


def run(cncop: Installation) -> tuple[int, dict[str, object]]:
    """Run job `a` by runjob: its exit status, and the run that it tells about."""
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "--json", "a", check=False)
    (told,) = json.loads(done.stdout)
    return done.returncode, told


def test_a_run_that_takes_too_long_is_an_error_that_says_so(cncop: Installation) -> None:
    cncop.agent("trap 'kill $!; exit 143' TERM; sleep infinity & wait")
    cncop.synced(job("a", timeout="1s"))
    status, told = run(cncop)
    assert (status, told["outcome"], told["phrase"]) == (3, "ERROR", "took longer than its timeout of 1s")
    assert [entry["outcome"] for entry in cncop.history()] == ["ERROR"]


def test_what_an_agent_leaves_behind_does_not_hold_up_its_end(cncop: Installation) -> None:
    # If it did, `run` would fail: TimeoutStopSec= is longer than it waits.
    cncop.agent("""sleep infinity & echo '{"phrase": "done"}' >$CNCOP_RESULT""")
    cncop.synced(job("a"))
    status, told = run(cncop)
    assert (status, told["outcome"], told["phrase"]) == (0, "OK", "done")


def test_all_that_an_agent_says_before_it_ends_is_in_the_log(cncop: Installation) -> None:
    cncop.agent("sleep infinity & yes 'all of it' | head -c 1000000 >&2; exit 3")
    cncop.synced(job("a"))
    _, told = run(cncop)
    assert told["outcome"] == "ERROR"
    with open(str(told["log"])) as log:  # noqa: PTH123 - the name comes from JSON
        assert log.read().count("all of it") == 100_000
