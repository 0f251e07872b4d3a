"""Reading the Markdown of docs/: headings, paragraphs, lists, tables and fenced code, as far as we write it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from blocks import Block, Bullet, Code, Entry, Heading, Paragraph

_ITEM = re.compile(r"(?P<mark>[-*]|\d+\.) +(?P<text>.*)")
_RULE = re.compile(r"[\s|:-]+")
_CELL = re.compile(r"(?<!\\)\|")


def read(text: str) -> tuple[Block, ...]:
    """The blocks of a document below its title; headings of the second level become sections."""
    blocks = tuple(_blocks(text.splitlines()[1:]))
    return blocks if isinstance(blocks[0], Heading) else (Heading("Description"), *blocks)


def _blocks(lines: list[str]) -> Iterator[Block]:
    place = 0
    while place < len(lines):
        line = lines[place]
        if not line.strip():
            place += 1
            continue
        end = _end(lines, place)
        if line.startswith("#"):
            marks, _, words = line.partition(" ")
            yield Heading(words, max(len(marks) - 1, 1))
        elif line.startswith("```"):
            yield Code("\n".join(lines[place + 1 : end - 1]))
        elif line.startswith("|"):
            yield from _table(lines[place:end])
        elif found := _ITEM.match(line):
            rest = [part.strip() for part in lines[place + 1 : end]]
            mark = found["mark"] if found["mark"][0].isdigit() else "•"
            yield Bullet(" ".join([found["text"], *rest]), mark)
        else:
            yield Paragraph(" ".join(part.strip() for part in lines[place:end]))
        place = end


def _end(lines: list[str], begin: int) -> int:
    """The line after the block that begins at `begin`."""
    if lines[begin].startswith("#"):
        return begin + 1
    if lines[begin].startswith("```"):
        return next(number for number in range(begin + 1, len(lines)) if lines[number] == "```") + 1
    end = begin + 1
    while end < len(lines) and lines[end].strip() and not _begins(lines[end], lines[begin]):
        end += 1
    return end


def _begins(line: str, before: str) -> bool:
    """Whether `line` begins a block of its own right after `before`."""
    if line.startswith("|"):
        return not before.startswith("|")
    return line.startswith(("#", "```")) or bool(_ITEM.match(line))


def _table(lines: list[str]) -> Iterator[Block]:
    """A row becomes an entry: a terminal is too narrow for most tables."""
    rows = [
        [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().strip("|"))] for line in lines
    ]
    header = rows[0]
    for row in rows[1:]:
        if all(_RULE.fullmatch(cell) for cell in row):
            continue
        named = [
            f"{name}: {cell}" if name and number > 1 else cell
            for number, (name, cell) in enumerate(zip(header, row, strict=True))
            if cell and number
        ]
        yield Entry(row[0], "; ".join(named))
