"""The documents hang together: what they point to is there, and every command is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest

from cncopctl.cli.main import cncopctl

SOURCE = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(SOURCE)
    for path in (*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md"), SOURCE / "agents/README.md")
)
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(path: Path) -> Iterator[str]:
    """The names by which the headings of a document can be pointed to."""
    for heading in re.findall(r"(?m)^#+ +(.*)$", path.read_text(encoding="utf-8")):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_what_a_document_points_to_is_there(document: Path) -> None:
    own = SOURCE / document
    for path, anchor in _LINK.findall(own.read_text(encoding="utf-8")):
        target = own.parent / path if path else own
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_every_command_is_said_to_be_for_something() -> None:
    program = cast("click.Group", cncopctl)
    table = (SOURCE / "docs/everyday.md").read_text(encoding="utf-8").partition("## ")[0]
    told = set(re.findall(r"`([a-z-]+)[` ]", table))
    assert told >= set(program.list_commands(click.Context(program)))


def test_the_changelog_says_nothing_twice() -> None:
    text = (SOURCE / "CHANGELOG.md").read_text(encoding="utf-8")
    items = [" ".join(item.split()) for item in re.split(r"(?m)^(?=- |#)", text)]
    assert [item for item in items if item and items.count(item) > 1] == []
    assert not [line for line in text.splitlines() if line and not re.match(r"#|- |  \S|[A-Z]", line)]
