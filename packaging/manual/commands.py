"""Pages of the programs, from what --help is made from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import cast

import click
from blocks import Block, Code, Entry, Heading, Page, Paragraph

from cncopctl.cli.main import cncopctl
from cncopctl.core import faults  # noqa: F401 - its errors count, too
from cncopctl.core.errors import CncopError

PROGRAM = cast("click.Group", cncopctl)
_INTERVAL = re.compile(r"\s+(\[[^]]*<=?[^]]*\])$")


def command_pages() -> Iterator[Page]:
    """A page for cncopctl, and one for each of its commands."""
    top = click.Context(PROGRAM, info_name="cncopctl", **PROGRAM.context_settings)
    names = PROGRAM.list_commands(top)
    yield _top_page(top, names)
    for name in names:
        command = PROGRAM.get_command(top, name)
        if command and not command.hidden:
            context = click.Context(command, info_name=name, parent=top)
            yield _page(f"cncopctl-{name}", context, ("cncopctl(8)", "cncop-profile(5)"))


def command_page(program: str, command: click.Command) -> Page:
    """A page for a program of one command."""
    context = click.Context(command, info_name=program, **command.context_settings)
    return _page(program, context, ("cncopctl(8)", "cncop-profile(5)", "cncop3.ini(5)"))


def _top_page(top: click.Context, names: list[str]) -> Page:
    page = _page(
        "cncopctl", top, ("cncop-profile(5)", "cncop-schedule(5)", "cncop3.ini(5)", "cncop.target(7)")
    )
    entries = [Entry(f"**cncopctl-{name}**(8)", _summary(top, name)) for name in names]
    statuses = [Entry(f"`{status}`", meaning) for status, meaning in exit_statuses().items()]
    blocks = [*page.blocks, Heading("Commands"), *entries, Heading("Exit status"), *statuses, *_environment()]
    return Page(page.name, 8, page.summary, tuple(blocks), page.see_also)


def _summary(top: click.Context, name: str) -> str:
    command = PROGRAM.get_command(top, name)
    return command.get_short_help_str(200) if command else ""


def exit_statuses() -> dict[int, str]:
    """What each exit status says, by the classes of errors that end with it."""
    own = {
        0: "All is well.",
        1: "A bug of cncop's; the traceback belongs into a report of it.",
        2: "Wrong usage.",
    }
    own[3] = "There is something to do (`--dry-run`), or a job that was run did not end OK."
    found = {
        error.exit_status: " ".join(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].split())
        for error in CncopError.__subclasses__()
    }
    return dict(sorted({**found, **own, 130: "Interrupted."}.items()))


def _environment() -> list[Block]:
    return [
        Heading("Environment"),
        Entry("`NO_COLOR`", "If it is set, nothing is coloured."),
        Entry(
            "`XDG_CONFIG_HOME`, `XDG_STATE_HOME`, `XDG_DATA_HOME`, `XDG_CACHE_HOME`, `XDG_RUNTIME_DIR`",
            "Where an installation of a user's own (`--user`) has its files, as the XDG Base Directory Specification "
            "says.",
        ),
    ]


def _page(name: str, context: click.Context, see_also: tuple[str, ...]) -> Page:
    summary, *rest = _paragraphs(context.command)
    examples = [block for block in rest if isinstance(block, Code)]
    blocks: list[Block] = [Heading("Synopsis"), *_synopses(context), Heading("Description")]
    blocks += [block for block in rest if not isinstance(block, Code)] or [Paragraph(_words(summary))]
    blocks += _options(context)
    if isinstance(context.command, click.Group) and context.parent:
        for inner in _inner(context):
            blocks += [Heading(inner.command_path, 2), *_paragraphs(inner.command), *_options(inner, level=0)]
    if examples:
        blocks += [Heading("Examples"), *examples]
    return Page(name, 8, as_summary(_words(summary)), tuple(blocks), see_also)


def _inner(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            if command := group.get_command(context, name):
                yield click.Context(command, info_name=name, parent=context)


def _synopses(context: click.Context) -> Iterator[Block]:
    contexts = list(_inner(context)) if context.parent else []
    for each in contexts or [context]:
        usage = " ".join(each.get_usage().split()).removeprefix(f"Usage: {each.command_path}")
        yield Paragraph(f"`{each.command_path}`{usage}")


def _paragraphs(command: click.Command) -> list[Block]:
    r"""The help text: what stands below a \b is code, under the heading that its first line may be."""
    blocks: list[Block] = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if not paragraph.startswith("\b"):
            blocks.append(Paragraph(" ".join(paragraph.split())))
            continue
        lines = paragraph.splitlines()[1:]
        code = lines[1:] if not lines[0].startswith(" ") and len(lines) > 1 else lines
        blocks.append(Code(inspect.cleandoc("\n".join(["", *code]))))
    return blocks


def _options(context: click.Context, level: int = 1) -> Iterator[Block]:
    records = [parameter.get_help_record(context) for parameter in context.command.get_params(context)]
    entries = [_option(*record) for record in records if record]
    if entries and level:
        yield Heading("Options")
    yield from entries


def _option(term: str, text: str) -> Entry:
    names = ", ".join(f"`{part}`" for part in term.split(", "))
    return Entry(names, _INTERVAL.sub(r" \1", text) or "See above.")


def _words(block: Block) -> str:
    return block.text if isinstance(block, (Paragraph, Code)) else ""


def as_summary(sentence: str) -> str:
    """A sentence as apropos(1) wants it: no full stop, and the first letter small unless it is a name."""
    first = sentence.partition(". ")[0].rstrip(".")
    return first[0].lower() + first[1:]
