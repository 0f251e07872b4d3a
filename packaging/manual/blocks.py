"""What a page of the manual is made of, before it is written as roff or as Markdown.

Text within blocks is marked up as in Markdown: `code`, **strong**, *stressed*, [words](address).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section (`level` 1) or of one within it (2)."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Lines as they are typed or printed."""

    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A term, and what is to be said of it."""

    term: str
    text: str


@dataclass(frozen=True, slots=True)
class Bullet:
    """One of a list; `mark` is what stands before it."""

    text: str
    mark: str = "•"


Block = Heading | Paragraph | Code | Entry | Bullet


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the manual; `summary` is the line that apropos(1) shows."""

    name: str
    section: int
    summary: str
    blocks: tuple[Block, ...]
    see_also: tuple[str, ...] = ()
