"""Pages of the programs beside cncopctl, whichever way they read their options."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
from blocks import Block, Code, Entry, Heading, Page, Paragraph
from commands import as_summary, command_page


def program_pages(project: Path) -> Iterator[Page]:
    """A page for each program that `project` (pyproject.toml) installs, but for cncopctl, which has many."""
    scripts = tomllib.loads(project.read_text("utf-8"))["project"]["scripts"]
    for name, entry in scripts.items():
        if name != "cncopctl":
            yield _page(name, importlib.import_module(entry.partition(":")[0]))


def _page(name: str, module: ModuleType) -> Page:
    for value in vars(module).values():
        if isinstance(value, click.Command) and value.name == name:
            return command_page(name, value)
    for maker in ("parser", "_parser", "build_parser"):
        if hasattr(module, maker):
            parser: argparse.ArgumentParser = getattr(module, maker)()
            return _parser_page(name, parser)
    return _usage_page(name, _printed_help(name, module))


def _printed_help(name: str, module: ModuleType) -> str:
    """What the program prints when it is asked for help."""
    call = (
        f"import sys, {module.__name__} as program; sys.argv = [{name!r}, '--help']; sys.exit(program.main())"
    )
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", call], check=True, capture_output=True, env=variables)
    return done.stdout.decode()


def _usage_page(name: str, printed: str) -> Page:
    """A page out of printed help: usage, a paragraph on what it does, options, examples."""
    usage, text, *rest = printed.strip().split("\n\n")
    summary, _, more = " ".join(text.split()).partition(". ")
    blocks: list[Block] = [
        Heading("Synopsis"),
        Paragraph(f"`{name}`{' '.join(usage.split()).removeprefix('usage: ').removeprefix(name)}"),
        Heading("Description"),
        Paragraph(f"{summary.rstrip('.')}. {more}".rstrip()),
        *(block for part in rest for block in _part(part.splitlines())),
    ]
    return Page(name, 8, as_summary(summary), tuple(blocks), ("cncopctl(8)", "cncop.target(7)"))


def _part(lines: list[str]) -> Iterator[Block]:
    if lines[0].startswith("  -"):
        yield Heading("Options")
        for line in lines:
            term, text = re.split(r" {2,}", line.strip(), maxsplit=1)
            yield Entry(
                re.sub(r"-[-\w?]+", lambda found: f"`{found[0]}`", term), f"{text[:1].upper()}{text[1:]}."
            )
    elif lines[0].endswith(":"):
        yield from (Heading(lines[0].rstrip(":")), Code(textwrap.dedent("\n".join(lines[1:]))))
    else:
        yield Paragraph(" ".join(" ".join(lines).split()))


def _parser_page(name: str, parser: argparse.ArgumentParser) -> Page:
    summary, _, rest = " ".join((parser.description or "").split()).partition(". ")
    first, _, more = summary.rstrip(".").partition(": ")
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ").removeprefix(parser.prog)
    description = f"{more[:1].upper()}{more[1:]}. {rest}" if more else rest or f"{summary}."
    blocks: list[Block] = [
        Heading("Synopsis"),
        Paragraph(f"`{name}`{usage}"),
        Heading("Description"),
        Paragraph(description),
        Heading("Options"),
        *_entries(parser),
    ]
    if parser.epilog:
        title, _, text = parser.epilog.partition(": ")
        blocks += (
            [Heading(title.capitalize()), Paragraph(f"{text[:1].upper()}{text[1:]}.")]
            if text
            else [Paragraph(parser.epilog)]
        )
    return Page(name, 8, as_summary(first), tuple(blocks), ("cncopctl(8)", "cncop.target(7)"))


def _entries(parser: argparse.ArgumentParser) -> Iterator[Block]:
    formatter = parser.formatter_class(prog=parser.prog)
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        if action.help == argparse.SUPPRESS:
            continue
        takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        names = (
            ", ".join(f"`{name}`" for name in action.option_strings) or f"*{action.metavar or action.dest}*"
        )
        text = formatter._expand_help(action) if action.help else "See above."  # noqa: SLF001 - nor for %(default)s
        yield Entry(
            f"{names}{takes if action.option_strings else ''}", f"{text[:1].upper()}{text[1:].rstrip('.')}."
        )
