"""What the documents tell people to type is typed, and does and says what they say."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from .debian import Packages, give_documentation_back, install
from .image import RELEASES
from .machine import Machine
from .project import SOURCE
from .typed import Typed, typed_in

DOCS = SOURCE / "docs"
# Names of other machines in the documents: here they are all this one.
OTHERS = ("web-01", "files-01", "nas-01", "ftp-01", "files-02")

NOTES = """schema = 1

[[job]]
id = "notes"
type = "RSYNC"
schedule = "30 2 * * *"
source = "/srv/notes"
"""


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


def make_notes(machine: Machine) -> None:
    """Have a job that ran once, as after the tutorial."""
    machine.write("/srv/notes/list", "buy milk\n")
    machine.write("/etc/cncop/jobs.d/notes.toml", NOTES)
    machine.run("cncopctl", "sync-profile")
    machine.run("cncopctl", "runjob", "notes")


def burn_down(machine: Machine) -> None:
    """Lose everything but a disk with the repositories and a copy of the password."""
    make_notes(machine)
    machine.run("mkdir", "--parents", "/mnt")
    machine.run("cp", "--archive", "/var/backups/cncop", "/mnt/backup")
    password = machine.run("cncopctl", "credential", "show", "--stdout", "repository-password").stdout
    machine.write("/root/repository-password", password, mode=0o600)
    machine.run("apt-get", "purge", "--yes", "cncop", timeout=120)
    machine.run("rm", "--recursive", "/etc/cncop", "/var/backups/cncop", "/srv/notes")


def open_to_ssh(machine: Machine) -> None:
    machine.run("systemctl", "start", "ssh")


# What has to be there before a document can be followed.
PREPARED: Mapping[str, Callable[[Machine], None]] = {
    "disaster.md": burn_down,
    "jobs.md": open_to_ssh,
    "monitoring.md": make_notes,
    "servers.md": open_to_ssh,
}
HOWTOS = sorted(path.name for path in (DOCS / "howto").glob("*.md") if path.name != "README.md")


@pytest.fixture(scope="module", params=RELEASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with what the project depends on, and servers to fetch from."""
    with Machine(request.param, "servers") as booted:
        yield booted


@pytest.fixture(scope="module")
def visited(machine: Machine, packages: Packages) -> Machine:
    """A machine with the package in root's home, as one has it who begins with the tutorial."""
    give_documentation_back(machine)
    machine.run("useradd", "--create-home", "ann")
    machine.write("/etc/hosts", f"127.0.0.1 localhost {' '.join(OTHERS)}\n::1 localhost\n")
    machine.copy_in(packages.of(machine.release).path, "/root")
    return machine


@pytest.fixture
def anew(visited: Machine, packages: Packages) -> Machine:
    """The machine without jobs, and with everything installed."""
    install(visited, packages.of(visited.release).path)
    visited.run("sh", "-c", "rm -rf /etc/cncop/jobs.d/* /var/backups/cncop /mnt/*")
    visited.write("/etc/cncop/jobs.d/none.toml", "schema = 1\n")
    visited.run("cncopctl", "sync-profile")
    visited.run("rm", "/etc/cncop/jobs.d/none.toml")
    return visited


def test_the_tutorial_works_to_the_letter(visited: Machine) -> None:
    follow(visited, DOCS / "tutorial.md")


@pytest.mark.parametrize("name", HOWTOS)
def test_what_a_howto_says_is_what_happens(anew: Machine, name: str) -> None:
    if name in PREPARED:
        PREPARED[name](anew)
    follow(anew, DOCS / "howto" / name)
