"""Fixtures: a user manager for each test, or one for all tests of a file."""

from collections.abc import Iterator

import pytest

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
