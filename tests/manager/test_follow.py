"""`cncopctl logs -f`: a running one is followed as it speaks, and to its end, whatever that is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from .installation import CNCOPCTL, Installation, job
from .user_manager import UserManager

# Says what it is told through a pipe, and ends as it is told there.
OBEDIENT = """
exec 9<>$HOME/orders
echo begun >&2
while read -r word status <&9 && [ "$word" != end ]; do echo "said $word" >&2; done
echo '{"phrase": "as told"}' >$CNCOP_RESULT
exit $status
"""


class Followed:
    """A job whose agent does as it is told, and somebody who follows it from its start."""

    def __init__(self, manager: UserManager) -> None:
        self.cncop = Installation(manager)
        self._orders = manager.home / "orders"
        manager.run("mkfifo", self._orders)
        self.cncop.agent(OBEDIENT)
        self.cncop.synced(job("a"))
        manager.systemctl("start", "--no-block", "cncop-job-a.service")
        self.follower = manager.popen(CNCOPCTL, "logs", "-f", "--user", "a", stdout=subprocess.PIPE)

    def tell(self, order: str) -> None:
        with self._orders.open("w") as pipe:
            pipe.write(f"{order}\n")

    def hear(self, words: str) -> None:
        """Wait for a line of the follower that ends so."""
        assert self.follower.stdout
        assert any(line.rstrip("\n").endswith(words) for line in self.follower.stdout), f"no line: {words}"

    def end(self) -> int:
        """The follower's status once it has ended by itself."""
        return self.follower.wait(60)


@pytest.fixture
def followed(manager: UserManager) -> Iterator[Followed]:
    made = Followed(manager)
    yield made
    assert made.follower.stdout
    made.follower.stdout.close()


def test_each_line_is_heard_when_it_is_said_and_the_follower_ends_with_the_run(followed: Followed) -> None:
    followed.hear("agent: begun")
    followed.tell("one")
    followed.hear("agent: said one")
    followed.tell("two")
    followed.hear("agent: said two")
    followed.tell("end 0")
    followed.hear("cncop: a: OK: as told")
    assert followed.end() == 0


def test_a_run_that_fails_makes_it_end_with_3(followed: Followed) -> None:
    followed.hear("agent: begun")
    followed.tell("end 1")
    followed.hear("cncop: a: ERROR: as told")
    assert followed.end() == 3


def test_a_run_that_is_killed_is_followed_to_its_close(followed: Followed) -> None:
    followed.hear("agent: begun")
    followed.cncop.manager.systemctl("kill", "--signal=KILL", "cncop-job-a.service")
    followed.hear("cncop: a: ABORTED: was killed by signal KILL")
    assert followed.end() == 3


def test_whoever_stops_following_leaves_the_run_alone(followed: Followed) -> None:
    followed.hear("agent: begun")
    followed.follower.terminate()
    followed.follower.wait(60)
    assert followed.cncop.manager.property("cncop-job-a.service", "ActiveState") == "activating"
    again = followed.cncop.manager.popen(CNCOPCTL, "logs", "-f", "--user", stdout=subprocess.PIPE)
    assert again.stdout
    with again.stdout as lines:
        assert any(line.endswith("agent: begun\n") for line in lines)
        followed.tell("end 0")
        assert list(lines)[-1].endswith("cncop: a: OK: as told\n")
    assert again.wait(60) == 0
