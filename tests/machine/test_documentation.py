"""What the documents tell people to type is typed, and does and says what they say."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest

from .debian import Packages, give_documentation_back
from .machine import Machine
from .project import SOURCE
from .typed import Typed, typed_in

DOCS = SOURCE / "docs"


def type_it(machine: Machine, typed: Typed) -> subprocess.CompletedProcess[str]:
    """Type a command at a shell of root's, or of somebody's, in their home; stderr comes with stdout."""
    words = ["bash", "-c", f"cd && {{ {typed.command}\n}} 2>&1"]
    run = machine.run if typed.is_root else partial(machine.run_as, "ann")
    return run(*words, check=False, timeout=120)


def follow(machine: Machine, document: Path) -> None:
    """Type everything that a document says, in its order, until something is not as it says."""
    for typed in typed_in(document):
        done = type_it(machine, typed)
        assert not (mismatch := typed.mismatch(done.stdout)), mismatch
        assert done.returncode == 0 or typed.prints, f"{typed.place}: {typed.command}\n{done.stdout}"


@pytest.fixture(scope="module")
def visited(machine: Machine, packages: Packages) -> Machine:
    """A machine with the package in root's home, as one has it who begins with the tutorial."""
    give_documentation_back(machine)
    machine.run("useradd", "--create-home", "ann")
    machine.copy_in(packages.of(machine.release).path, "/root")
    return machine


def test_the_tutorial_works_to_the_letter(visited: Machine) -> None:
    follow(visited, DOCS / "tutorial.md")
