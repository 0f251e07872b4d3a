"""`cncopagent`: runs jobs, as the original program did; what runs them is `cncopctl runjob`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from cncopctl import __version__
from cncopctl.cli.main import HELP_OPTIONS, Program, run_program
from cncopctl.cli.options import complete_job, installation_options
from cncopctl.cli.running import Order, run_order
from cncopctl.core.layout import Layout

_LOG = logging.getLogger("cncopctl")


class _Usage(Program):
    """A command with the usage line of the original; the options of an installation are for whoever needs them."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(
            "cncopagent", "[-?] [-d] [-c CONFIG] [-a] [-t TYPE] [--email EMAIL] [-n] [job ...]"
        )

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        for param in params:
            if isinstance(param, click.Option) and param.name in ("scope", "root"):
                param.hidden = True
        return params


@click.command("cncopagent", cls=_Usage, context_settings=HELP_OPTIONS)
@click.argument("jobs", metavar="job", nargs=-1, shell_complete=complete_job)
@click.option("-d", "--debug", is_flag=True, help="Diagnostic logging, to stderr and the directory of logs.")
@click.option(
    "-c",
    "--config",
    metavar="CONFIG",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another cncop3.ini.",
)
@click.option(
    "-a", "--alljobs", is_flag=True, help="All jobs, by title; on a Healthy Server PULL before PUSH."
)
@click.option("-t", "--type", "kind", metavar="TYPE", help="All jobs of that type, such as rsync.")
@click.option("--email", metavar="EMAIL", help="Mail what became of them to this address.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say which would run, and what they would do.")
@installation_options
def command(
    layout: Layout,
    *,
    jobs: tuple[str, ...],
    debug: bool,
    config: Path | None,
    alljobs: bool,
    kind: str | None,
    email: str | None,
    dry_run: bool,
) -> int:
    """Run backup jobs, by id or title, one after another, and follow them to their end.

    The exit status is 0 only if all of them ended OK, else 3. The jobs run as their services, under systemd:
    interrupting this program leaves them running. A job that is running already, or is paused, is SKIPPED.

    \b
    Examples:
      cncopagent web-01
      cncopagent "Web server, nightly" db
      cncopagent -a --email ops@example.org
      cncopagent -t rsync -n      which would run in which order, and what they would transfer
    """
    settings = config or layout.settings
    if debug:
        _log_to(layout, settings)
    order = Order(jobs, alljobs=alljobs, kind=kind, email=email)
    status = run_order(layout, order, settings, dry_run=dry_run)
    _LOG.debug("exit status %s", status)
    return status


def _log_to(layout: Layout, settings: Path) -> None:
    """Say everything that is done, on stderr and in a log of the day beside those of the runs."""
    from cncopctl.edges.configuration_file import read_configuration
    from cncopctl.edges.debug_log import open_debug_log

    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    try:
        days = read_configuration(settings).defaults.days_of_logs
        handlers.append(logging.StreamHandler(open_debug_log(layout.logs, "cncopagent", days)))
    except OSError as error:
        click.echo(f"no log of it: {error.filename}: {error.strerror}", err=True)
    for handler in handlers:
        handler.setFormatter(_Readable("%(asctime)s %(name)s: %(message)s"))
        _LOG.addHandler(handler)
    _LOG.setLevel(logging.DEBUG)
    _LOG.debug("cncopagent %s, Python %s: %s", __version__, sys.version.split()[0], sys.argv[1:])
    _LOG.debug("settings: %s; jobs: %s; logs: %s", settings, layout.compiled_jobs, layout.logs)


class _Readable(logging.Formatter):
    """Titles and phrases are others' words: nothing of them drives a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        from cncopctl.core.faults import printable

        return "\n".join(printable(line) for line in super().format(record).splitlines())


def main() -> int:
    """Run cncopagent and return its exit status."""
    return run_program(command, "cncopagent")


if __name__ == "__main__":
    sys.exit(main())
