"""Pages as Markdown, for those who read the manual as files."""

from __future__ import annotations

from collections.abc import Iterator

from blocks import Block, Bullet, Code, Entry, Heading, Page, Paragraph


def written(page: Page) -> str:
    """The page's source."""
    blocks = [f"# {page.name}({page.section})", page.summary[0].upper() + page.summary[1:] + "."]
    blocks += [text for block in page.blocks for text in _block(block)]
    if page.see_also:
        blocks += ["## See also", ", ".join(page.see_also)]
    return "\n\n".join(blocks) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * (level + 1)} {text}"
        case Paragraph(text):
            yield text
        case Code(text):
            yield f"```\n{text}\n```"
        case Entry(term, text):
            yield f"{term}\n: {text}"
        case Bullet(text, mark):
            yield f"{'-' if mark == '•' else mark} {text}"
