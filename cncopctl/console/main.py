"""`cncopscheduler`: one session of the admin console, on the connection or terminal that is standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cncopctl.console.channel import Channel, GoneError
from cncopctl.console.greeting import greeting
from cncopctl.core.configuration import Configuration, Console
from cncopctl.core.errors import CncopError, UsageError
from cncopctl.core.faults import ProfileError, printable
from cncopctl.core.layout import Layout, Scope
from cncopctl.verbs.choose_layout import choose_layout

USAGE = """\
usage: cncopscheduler [-?] [-d] [-c CONFIG] [--system | --user | --root DIR]

One session of the admin console on standard input and output. systemd starts it for each connection to
cncop-console.socket (telnet localhost 59153); started from a shell, it is the same console without the network.

  -?, -h, --help        show this help and exit
  -d, --debug           tell on standard error what is received and done
  -c, --config CONFIG   alternate configuration file, instead of cncop3.ini
  --system, --user      whose jobs: the system's (root's default) or your own (others' default)
  --root DIR            an installation under DIR, without systemd

Examples:
  cncopscheduler                          a session; HELP shows the commands
  echo 'SCHEDULES -j' | cncopscheduler    one line of JSON
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; `problem` is what is wrong with it."""

    scope: Scope | None = None
    root: Path | None = None
    config: Path | None = None
    debug: bool = False
    wants_help: bool = False
    problem: str = ""


def parse_options(arguments: Sequence[str]) -> Options:
    """The options of a command line. Not argparse, for which each connection would wait."""
    scope: Scope | None = None
    paths: dict[str, Path] = {}
    debug = False
    rest = list(arguments)
    while rest:
        given = rest.pop(0)
        takes_path = given.startswith(("--config=", "--root="))
        word, equals, value = given.partition("=") if takes_path else (given, "", "")
        match word:
            case "-?" | "-h" | "--help":
                return Options(wants_help=True)
            case "-d" | "--debug":
                debug = True
            case "--system" | "--user":
                if scope and scope != word.removeprefix("--"):
                    return Options(problem="--system and --user exclude each other")
                scope = Scope(word.removeprefix("--"))
            case "-c" | "--config" | "--root":
                path = value if equals or not rest else rest.pop(0)
                if not path:
                    return Options(problem=f"{word} wants a path behind it")
                paths["--root" if word == "--root" else "--config"] = Path(path)
            case _:
                what = "option" if word.startswith("-") else "argument"
                return Options(problem=f"there is no {what} {printable(word)}")
    if scope and "--root" in paths:
        return Options(problem=f"--root and --{scope} exclude each other")
    return Options(scope, paths.get("--root"), paths.get("--config"), debug)


def main() -> int:
    """The program cncopscheduler."""
    return run(sys.argv[1:], is_greeted=False)


def run(arguments: Sequence[str], *, is_greeted: bool) -> int:
    """Hold one session; its exit status. A user who leaves is no fault."""
    options = parse_options(arguments)
    if options.wants_help:
        print(USAGE, end="")
        return 0
    if options.problem:
        print(f"cncopscheduler: {options.problem}\nhint: see: cncopscheduler --help", file=sys.stderr)
        return 2
    try:
        layout = choose_layout(options.scope, options.root, os.environ)
        if options.config and not options.config.exists():
            raise UsageError(f"there is no file {options.config}", "see: cncopscheduler --help")
        console, fault = _settings(options.config or layout.settings)
        channel = Channel(0, 1, console.idle_timeout)
        return _hold(layout, console, fault, channel, options, is_greeted=is_greeted)
    except GoneError:
        return 0
    except CncopError as error:
        print(f"cncopscheduler: {printable(error.message)}\nhint: {printable(error.hint)}", file=sys.stderr)
        return error.exit_status


def _hold(
    layout: Layout, console: Console, fault: str, channel: Channel, options: Options, *, is_greeted: bool
) -> int:
    from cncopctl.console.user import find_user, is_crowded

    is_own = layout.scope is not Scope.SYSTEM
    if not is_own and not is_greeted:
        channel.send(greeting().decode().replace("\r\n", "\n"))
        channel.flush()
    user = find_user(layout, console, 0)
    if user is None:
        channel.send("Refused: the kernel does not tell who you are.\n")
        channel.flush()
        return 0
    if not user.may_look:
        channel.send(f"Refused: {printable(user.name)} may not look here.\n")
        channel.flush()
        return 0
    if is_own:
        channel.send(greeting().decode().replace("\r\n", "\n"))
    elif not user.may_change and is_crowded(console, 0):
        channel.send("Refused: too many sessions are open. Try again in a while.\n")
        channel.flush()
        return 0
    if fault:
        channel.send(f"Warning: {printable(fault)}; until that is mended, only root may use this console.\n")
    from cncopctl.console.session import Session

    return Session(layout, console, user, channel, debug=options.debug).hold()


def _settings(path: Path) -> tuple[Console, str]:
    """The console's settings, and what is wrong with their file: then nobody but root is let in."""
    from cncopctl.edges.configuration_file import read_configuration

    try:
        configuration: Configuration = read_configuration(path)
    except ProfileError as error:
        return Console(group="", look="group"), str(error.faults[0])
    return configuration.console, ""
