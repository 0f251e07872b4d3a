"""The Debian package as it is built in a machine of a release, and what lintian says of it."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from .image import locked
from .machine import Machine
from .project import SOURCE

TREE = "/root/cncop"
# Paths that the package manager, the journal and systemd change whatever is installed.
_NOT_OURS = (
    "/proc",
    "/sys",
    "/run",
    "/dev",
    "/tmp",
    "/var/tmp",
    "/var/log/journal",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache/apt",
    "/var/log/apt",
    "/var/log/dpkg.log",
    "/root/packages",
)


def copy_sources(machine: Machine, scratch: Path) -> None:
    """Put this tree's own files, as they are now, into /root/cncop of a machine."""
    tree = scratch / "cncop"
    tree.mkdir()
    listing = ["git", "-C", str(SOURCE), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True).stdout
    there = b"\0".join(name for name in names.split(b"\0") if name and (SOURCE / os.fsdecode(name)).is_file())
    script = f"tar -C {shlex.quote(str(SOURCE))} --null -T - -c | tar -C {shlex.quote(str(tree))} -x"
    subprocess.run(["sh", "-ec", script], input=there, check=True)
    machine.copy_in(tree, "/root")


class Package(NamedTuple):
    """A .deb, what lintian says of it, and what became of its own tests (autopkgtest)."""

    path: Path
    lintian: str
    autopkgtest: str


class Packages:
    """The package as each release builds it, each built once for all processes that share a directory."""

    def __init__(self, shared: Path) -> None:
        self._directory = shared / "packages"
        self._directory.mkdir(exist_ok=True)

    def of(self, release: str) -> Package:
        """The package that `release` builds."""
        directory = self._directory / release
        said = directory / "said.json"
        with locked(self._directory / f"{release}.lock"):
            if not said.exists():
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
                said.write_text(json.dumps(build_package(release, directory)))
        name, *words = json.loads(said.read_text())
        return Package(directory / name, *words)


def build_package(release: str, scratch: Path) -> tuple[str, str, str]:
    """Build the package by `make deb` on a machine of `release`; lintian and its own tests judge it there.

    Returns its name in `scratch`, and what they say.
    """
    with Machine(release, "builder") as builder:
        copy_sources(builder, scratch)
        builder.run("make", "-C", TREE, "deb", timeout=300)
        (name,) = builder.run("sh", "-c", f"cd {TREE}/dist && ls *.deb").stdout.split()
        with (scratch / name).open("wb") as file:
            subprocess.run(builder.argv("cat", f"{TREE}/dist/{name}"), stdout=file, check=True)
        return name, lintian(builder), autopkgtest(builder)


def lintian(builder: Machine) -> str:
    """Everything that lintian has to say."""
    argv = ["lintian", "--allow-root", "--pedantic", "--display-info", "--fail-on=none"]
    return builder.run("sh", "-c", f"{shlex.join(argv)} {TREE}/dist/*.changes", timeout=300).stdout


def autopkgtest(builder: Machine) -> str:
    """The package's own tests on the machine that built it, which is thrown away anyway; their log."""
    builder.run(
        "sh", "-ec", f"cp --recursive {TREE} /root/source; cd /root/source; mv packaging/debian debian"
    )
    argv = ["autopkgtest", "--ignore-restrictions=isolation-container,breaks-testbed", "/root/source/"]
    script = f"{shlex.join(argv)} {TREE}/dist/*.deb -- null 2>&1"
    return builder.run("sh", "-c", script, check=False, timeout=300).stdout


def with_version(package: Path, version: str) -> Path:
    """The same package under another version, as the one before or after it would be."""
    tree = package.with_name(f"tree-{version}")
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text(
        "".join(f"Version: {version}\n" if line.startswith("Version:") else f"{line}\n" for line in lines)
    )
    built = package.with_name(f"cncop_{version}_all.deb")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, built], check=True, capture_output=True
    )
    return built


def give_documentation_back(machine: Machine) -> None:
    """Images leave documentation out to be small; a package that is tested brings its own."""
    machine.run("sh", "-c", "rm -f /etc/dpkg/dpkg.cfg.d/*mmdebstrap*")


def install(machine: Machine, package: Path) -> str:
    """`apt install` the package as an administrator does; what was said."""
    machine.copy_in(package, "/root/packages")
    argv = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "--yes",
        f"/root/packages/{package.name}",
    ]
    return machine.run(*argv, timeout=300).stdout


def files(machine: Machine) -> set[str]:
    """All paths of a machine, less those that change whatever is installed."""
    skipped = [word for path in _NOT_OURS for word in ("-path", path, "-prune", "-o")]
    return set(machine.run("find", "/", *skipped, "-print").stdout.splitlines())
