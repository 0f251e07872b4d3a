"""Options that several commands share, and what they give."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cncopctl.core.errors import NoJobError
from cncopctl.core.layout import Layout, Scope
from cncopctl.verbs.choose_layout import choose_layout

if TYPE_CHECKING:
    from cncopctl.core.compiled import CompiledJob
    from cncopctl.edges.systemd import Systemd

_Command = TypeVar("_Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Place(click.Path):
    """A path that is there: an empty one, of a variable that was not set, would mean the present directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path.

        Raises:
            click.BadParameter: it is empty, or not as it has to be.
        """
        if value in ("", b""):
            self.fail("it is empty\nhint: write a path, or . for the present directory", param, ctx)
        return super().convert(value, param, ctx)


def installation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` --system, --user and --root, and the layout that they choose as its first argument."""

    @click.option(
        "--system", "scope", flag_value=Scope.SYSTEM.value, help="The system's jobs (root's default)."
    )
    @click.option("--user", "scope", flag_value=Scope.USER.value, help="Jobs of your own (others' default).")
    @click.option(
        "--root",
        metavar="DIR",
        type=Place(file_okay=False, path_type=Path),
        help="An installation under DIR, without systemd.",
    )
    @functools.wraps(command)
    def with_layout(scope: str | None, root: Path | None, **options: Any) -> Any:
        if scope and root:
            raise click.UsageError(f"--root and --{scope} exclude each other")
        layout = choose_layout(Scope(scope) if scope else None, root, os.environ)
        try:
            return command(layout, **options)
        except NoJobError as error:
            if scope or layout.scope is not Scope.USER:
                raise
            hint = "no job of your own is installed; for the system's jobs: the same with sudo"
            raise NoJobError(error.message, hint) from error

    return with_layout


def name_or_all(words: tuple[str, ...], *, alljobs: bool) -> None:
    """See to it that a command line either names jobs or takes all.

    Raises:
        click.UsageError: it does neither, or both.
    """
    if words and alljobs:
        raise click.UsageError("either name the jobs, or take all with -a")
    if not words and not alljobs:
        raise click.UsageError("name the jobs, or take all with -a")


def choose(layout: Layout, words: tuple[str, ...], *, alljobs: bool) -> list[CompiledJob]:
    """The installed jobs that `words` name, or all of them.

    Raises:
        UsageError: a word names no job, or there is none at all.
        InstallError: a compiled job cannot be read.
    """
    from cncopctl.core.choice import choose_jobs
    from cncopctl.edges.compiled_jobs import read_compiled_jobs

    name_or_all(words, alljobs=alljobs)
    installed = read_compiled_jobs(layout.compiled_jobs)
    if alljobs and not installed:
        raise NoJobError("no job is installed", f"write {layout.profile}, then run: cncopctl sync-profile")
    return installed if alljobs else choose_jobs(words, installed)


def choose_backups(layout: Layout, words: tuple[str, ...], *, alljobs: bool) -> list[CompiledJob]:
    """The backups that `words` name, as `JOB` or `JOB/ACTION`, or all that keep a repository here.

    Raises:
        UsageError: a word names none, or several.
        InstallError: a compiled job cannot be read.
    """
    from cncopctl.core.choice import all_backups, choose_backup
    from cncopctl.edges.compiled_jobs import read_compiled_jobs

    name_or_all(words, alljobs=alljobs)
    installed = read_compiled_jobs(layout.compiled_jobs)
    if words:
        return [choose_backup(word, installed) for word in words]
    return [backup for job in installed for backup in all_backups(job) if backup.is_pull()]


@contextlib.contextmanager
def manager_of(layout: Layout) -> Iterator[Systemd | None]:
    """A connection to the manager that runs the layout's jobs; None for an installation under a directory."""
    if layout.scope is Scope.DIRECTORY:
        yield None
        return
    from cncopctl.edges.systemd import Systemd

    with Systemd(user=layout.scope is Scope.USER) as systemd:
        yield systemd


def complete_job(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids of installed jobs that begin with what has been typed, for the shell's completion."""
    scope, root = ctx.params.get("scope"), ctx.params.get("root")
    layout = choose_layout(Scope(scope) if scope else None, root, os.environ)
    names = (path.stem for path in layout.compiled_jobs.glob("*.toml"))
    return sorted(name for name in names if name.startswith(incomplete))
