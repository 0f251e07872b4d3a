"""Fixtures: machines of both Debian releases, each booted once for a file of tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .debian import Packages
from .image import RELEASES
from .machine import Machine
from .project import build_wheel, install_project


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from this source tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """The Debian package, built from this source tree on machines of each release.

    Where several processes run the tests side by side, the first that asks builds it for all.
    """
    own = tmp_path_factory.getbasetemp()
    return Packages(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="module", params=RELEASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with what the project depends on, but without the project."""
    with Machine.boot(request.param) as booted:
        yield booted


@pytest.fixture(scope="module")
def device(machine: Machine, wheel: Path) -> Machine:
    """The machine, with the project installed."""
    install_project(machine, wheel)
    return machine
