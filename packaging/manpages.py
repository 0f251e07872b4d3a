#!/usr/bin/python3
"""Write the manual: manpages.py DIRECTORY, or manpages.py --markdown DIRECTORY.

Everything comes from where the programs have it from: the help texts, the JSON Schema, the table of settings;
and from docs/, so that there is one text for each thing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(SOURCE), str(SOURCE / "packaging/manual")]

import as_markdown  # noqa: E402
import as_roff  # noqa: E402
from blocks import Page  # noqa: E402
from commands import command_pages  # noqa: E402
from formats import profile_page, settings_page  # noqa: E402
from programs import program_pages  # noqa: E402
from prose import read  # noqa: E402

from cncopctl import __version__  # noqa: E402


class Document(NamedTuple):
    """A document of this source tree that is a page of the manual as well."""

    name: str
    section: int
    path: str
    summary: str

    def page(self) -> Page:
        """The document as a page."""
        own = f"{self.name}({self.section})"
        see_also = tuple(name for name in ALL if name != own)
        blocks = read((SOURCE / self.path).read_text("utf-8"))
        return Page(self.name, self.section, self.summary, blocks, see_also)


DOCUMENTS = (
    Document(
        "cncop-tutorial", 7, "docs/tutorial.md", "the first backup and the first restore, in ten minutes"
    ),
    Document("cncop-schedule", 5, "docs/schedules.md", "when jobs run, and how that is written"),
    Document("cncop.target", 7, "docs/units.md", "the units of backup jobs, and what happens in a run"),
    Document("cncop-agents", 7, "agents/README.md", "the programs that perform jobs, and their contract"),
)
ALL = ("cncopctl(8)", "cncop-profile(5)", "cncop-schedule(5)", "cncop3.ini(5)", "cncop.target(7)")


def pages() -> Iterator[Page]:
    """All pages."""
    yield from command_pages()
    yield from program_pages(SOURCE / "pyproject.toml")
    yield profile_page()
    yield settings_page()
    yield from (document.page() for document in DOCUMENTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="write Markdown instead of roff")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    # The same source gives the same pages (reproducible-builds.org, SOURCE_DATE_EPOCH).
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    built = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    for page in pages():
        if arguments.markdown:
            path, text = arguments.directory / f"{page.name}.{page.section}.md", as_markdown.written(page)
        else:
            path = arguments.directory / f"man{page.section}" / f"{page.name}.{page.section}"
            text = as_roff.written(page, f"{built:%Y-%m-%d}", __version__)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
