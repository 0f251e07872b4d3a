"""The user's pager, for what may be longer than a terminal."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping

import click

# Quit if it fits on one screen, let colours through, leave the text on the screen.
_LESS = "FRX"


def pager_command(environment: Mapping[str, str]) -> list[str]:
    """The pager that the user prefers: $PAGER, else less, else more; empty for none, or where none is wanted."""
    try:
        wanted = shlex.split(environment["PAGER"]) if "PAGER" in environment else ["less"]
    except ValueError:
        wanted = ["less"]
    if not wanted or wanted[0] == "cat":
        return []
    for command in (wanted, ["less"], ["more"]):
        if shutil.which(command[0], path=environment.get("PATH")):
            return command
    return []


def is_paged() -> bool:
    """Whether output goes to a pager: on a terminal, where there is one."""
    return sys.stdout.isatty() and bool(pager_command(os.environ))


def takes_colour() -> bool:
    """Whether what is printed may be coloured: on a terminal, by itself or with less, unless NO_COLOR says no."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return False
    command = pager_command(os.environ)
    return not command or os.path.basename(command[0]) == "less"  # noqa: PTH119 - a word, no path of ours


def page(lines: Iterable[str]) -> None:
    """Show `lines` in the user's pager on a terminal; elsewhere, or without one, print them."""
    if not is_paged():
        for line in lines:
            click.echo(line)
        return
    with _interrupts_ignored():
        pager = subprocess.Popen(
            pager_command(os.environ), stdin=subprocess.PIPE, env=_environment(), text=True, errors="replace"
        )
        with contextlib.suppress(BrokenPipeError), pager.stdin or contextlib.nullcontext() as stdin:
            for line in lines:
                print(line, file=stdin)
        pager.wait()


def _environment() -> dict[str, str]:
    """Our options for less, unless the user has some; by sudo, none of its power to run programs."""
    environment = {"LESS": _LESS, **os.environ}
    if "SUDO_UID" in os.environ or os.geteuid() != os.getuid():
        environment["LESSSECURE"] = "1"
    return environment


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """An interrupt from the keyboard is the pager's: less stops reading, and stays."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
