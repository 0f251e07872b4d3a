"""The project as it is installed in a machine."""

import subprocess
import sys
from pathlib import Path

from .machine import Machine

SOURCE = Path(__file__).parents[2]


def build_wheel(directory: Path) -> Path:
    """Build the project's wheel into a directory, and return the file."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, f"--wheel-dir={directory}", SOURCE], check=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install_project(machine: Machine, wheel: Path) -> None:
    """Install a wheel below /usr/local, upon Debian's own packages of what it depends on."""
    machine.copy_in(wheel, "/root")
    # Not pip: it would want a network, and to be told to touch the system's Python.
    machine.run("python3", "-m", "installer", f"/root/{wheel.name}")
