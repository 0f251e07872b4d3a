"""`cncopctl`: parse, run one command, and say what went wrong in words that help."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from typing import Any

import click

from cncopctl import __version__
from cncopctl.cli.terminal import drop_output
from cncopctl.cli.words import Words
from cncopctl.core.errors import CncopError, InstallError
from cncopctl.core.faults import ProfileError, printable

# Each command is imported when it is asked for: `cncopctl jobs` does not wait for what a sync needs.
_COMMANDS = {
    "accept": "Say that a job is right whose source is unlike its past.",
    "check": "Check the profile, and tell everything that is wrong with it.",
    "check-backups": "Check whether all that should have run did, for monitoring.",
    "credential": "Store, list and remove keys and passwords.",
    "diff": "Show what differs between two snapshots of a job.",
    "doctor": "Look for what is wrong, or will be.",
    "find": "Find files in all snapshots of jobs.",
    "history": "Show the runs that have ended, newest first.",
    "job": "Stop, start, abort or remove a job.",
    "jobs": "Show the jobs, their next runs and last outcomes.",
    "logs": "Show what runs said, or follow one that is running.",
    "ls": "List what is in a snapshot of a job.",
    "mail-test": "Send a mail, to see whether mail arrives.",
    "pause": "Keep timers from starting jobs for a while.",
    "restore": "Bring back files of a job from one of its snapshots.",
    "resume": "Let the timers of paused jobs start them again.",
    "runjob": "Run jobs now, and follow them to their end.",
    "schedules": "Show when what runs, what collides, and a picture of it.",
    "snapshots": "Show what a job can be restored from.",
    "status": "Show on one screen what runs, what is wrong, and what is next.",
    "sync-profile": "Make systemd's timers match the profile.",
    "translate": "Translate schedules to systemd's calendar lines.",
    "uninstall": "Stop all jobs and timers, and remove their units.",
    "verify": "Prove by a drill that a job's backup can be restored.",
    "why": "Say why a job does what it does, or does not run.",
}

# Which files and which kind of installation, as most commands take them: typed in front they are not understood.
_OF_COMMANDS = ("--system", "--user", "--root", "--json")
# What a machine may do to any program that writes: foreseeable, though nobody can say where.
_ENVIRONMENT = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "EIO", "EMFILE")
)

HELP_OPTIONS = {"help_option_names": ["-h", "-?", "--help"], "max_content_width": 100}


class Program(click.Command):
    """A program of ours, whose reader may have had enough before it has said all."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and return its status; 0 where the reader of its output has gone."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has had enough. click would end with 1, which says that we are at fault.
            drop_output()
            return 0
        return status


class _Commands(Program, Words):
    """The group of all commands, each imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cncopctl.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings=HELP_OPTIONS, no_args_is_help=True)
@click.version_option(__version__, prog_name="cncopctl")
def cncopctl() -> None:
    """Backup jobs as systemd timers.

    A profile of jobs (profile.toml and jobs.d/*.toml in /etc/cncop, or in ~/.config/cncop for jobs of your
    own) becomes timers and services. Root works on the system's, others on their own; --system, --user and
    --root DIR say otherwise.

    \b
    Begin with:
      cncopctl check                      is the profile right?
      cncopctl sync-profile               make systemd follow it
      cncopctl jobs                       what is there, when it runs, how it ended
      cncopctl runjob web-01              run a job now
      cncopctl restore web-01 --to DIR    bring back its files
    """


def main() -> int:
    """Run the command line and return its exit status (design: 0, 1, 2, 3, 10 to 14, 130)."""
    return run_program(cncopctl, "cncopctl")


def run_program(command: click.Command, program: str) -> int:
    """Run one of our programs and return its exit status; what goes wrong is said on stderr, in words that help."""
    _open_missing_streams()
    try:
        status = command.main(prog_name=program, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except CncopError as error:
        _say(error, program)
        return error.exit_status
    except click.UsageError as error:
        return _usage(error, program)
    except click.ClickException as error:
        print(f"{program}: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last word on what we did not foresee
        if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
            return _machine_says(error, program)
        traceback.print_exc()
        print(f"{program}: this is a bug: please report it with the lines above", file=sys.stderr)
        return 1


def _open_missing_streams() -> None:
    """Python has None for a standard stream that the caller has closed (`>&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - to the end


def _machine_says(error: OSError, program: str) -> int:
    """Tell what the machine has refused: of a file by its name, else of our output."""
    place = os.fsdecode(error.filename) if error.filename is not None else "the output cannot be written"
    if error.filename is None:
        drop_output()
    is_refused = error.errno in (errno.EACCES, errno.EPERM)
    _print(
        f"{program}: {place}: {error.strerror}", "try again with sudo" if is_refused else "is the disk full?"
    )
    return InstallError.exit_status


def _say(error: CncopError, program: str) -> None:
    if isinstance(error, ProfileError):
        for fault in error.faults:
            _print(f"{program}: {fault}", fault.remedy)
    else:
        _print(f"{program}: {error.message}", error.hint)


def _print(message: str, hint: str) -> None:
    """Both may quote what others wrote: nothing of it may drive the terminal."""
    for line in message.splitlines():
        print(printable(line), file=sys.stderr)
    if hint:
        print(f"hint: {printable(hint)}", file=sys.stderr)


def _usage(error: click.UsageError, program: str) -> int:
    message, _, hint = error.format_message().partition("\nhint: ")
    message = message.replace("a valid integer range", "a whole number").replace(
        "a valid integer", "a whole number"
    )
    if isinstance(error, click.NoSuchOption):
        message = f"no such option: {error.option_name}"
        hint = f"did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        if error.option_name in _OF_COMMANDS and isinstance(error.ctx and error.ctx.command, click.Group):
            hint = f"it stands behind the command: {program} jobs {error.option_name} …"
    place = error.ctx.command_path if error.ctx else program
    _print(f"{place}: {message}", hint or f"see: {place} --help")
    return 2


if __name__ == "__main__":
    sys.exit(main())
