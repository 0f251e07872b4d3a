"""Fixtures: a user manager for each test, or one for all tests of a file; and an installation on one."""

from collections.abc import Iterator

import pytest

from .installation import OK, Installation
from .timer_starts import TimerStarts
from .user_manager import UserManager


@pytest.fixture
def manager() -> Iterator[UserManager]:
    """A user manager that this test alone has."""
    with UserManager() as started:
        yield started


@pytest.fixture(scope="module")
def shared_manager() -> Iterator[UserManager]:
    """A user manager for all tests of a file: for those that only look, or use names of their own."""
    with UserManager() as started:
        yield started


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    """An installation on a manager of its own, the runs of whose jobs of type RSYNC are OK."""
    installation = Installation(manager)
    installation.agent(OK)
    return installation


@pytest.fixture
def starts(cncop: Installation) -> Iterator[TimerStarts]:
    """The runs of that installation as they begin by its timers."""
    with TimerStarts(cncop) as followed:
        yield followed
