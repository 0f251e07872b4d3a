"""Pages as roff, in the macros of man(7) that groff, mandoc and lexgrog all know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from blocks import Block, Bullet, Code, Entry, Heading, Page, Paragraph

# groff would print typographic look-alikes of these, which nobody can paste into a shell (groff_char(7)).
_LITERAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|(?<![\w*])\*(?P<stressed>[^*\s][^*]*)\*(?![\w*])"
    r"|\[(?P<words>[^]]+)\]\((?P<address>[^)]+)\)"
)


def written(page: Page, date: str, version: str) -> str:
    """The page's source; `date` is ISO 8601."""
    lines = [
        f'.TH "{page.name.upper()}" {page.section} {date} "cncop {version}" "Backup jobs"',
        # Options and paths are not to be divided at the end of a line, nor lines filled with blanks.
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escaped(page.name)} \\- {_escaped(page.summary)}",
        *(line for block in page.blocks for line in _block(block)),
    ]
    if page.see_also:
        lines += [".SH SEE ALSO", ",\n".join(f".BR {_reference(name)}" for name in page.see_also)]
    return "\n".join(lines).replace(",\n.BR", " ,\n.BR") + "\n"


def _reference(name: str) -> str:
    word, _, section = name.partition("(")
    return f"{_escaped(word)} ({section}"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f".SH {_escaped(text.upper())}" if level == 1 else f".SS {_escaped(_plain(text))}"
        case Paragraph(text):
            yield ".PP"
            yield _text(text)
        case Code(text):
            yield from (".PP", ".RS 4", ".EX")
            yield from (_guarded(_escaped(line)) for line in text.splitlines())
            yield from (".EE", ".RE")
        case Entry(term, text):
            yield from (".TP", _text(term), _text(text))
        case Bullet(text, mark):
            yield f'.IP "{mark}" 4'
            yield _text(text)


def _text(text: str) -> str:
    """One line of running text, with its inline markup."""
    done, place = [], 0
    for found in _INLINE.finditer(text):
        done += [_escaped(text[place : found.start()]), _styled(found)]
        place = found.end()
    return _guarded("".join([*done, _escaped(text[place:])]))


def _styled(found: re.Match[str]) -> str:
    if found["words"]:
        # What a manual page cannot follow is named by its words alone; the addresses are of the source tree.
        return _text(found["words"])
    if found["stressed"]:
        return f"\\fI{_escaped(found['stressed'])}\\fP"
    return f"\\fB{_escaped(found['code'] or found['strong'])}\\fP"


def _plain(text: str) -> str:
    return _INLINE.sub(lambda found: next(group for group in found.groups() if group), text)


def _escaped(text: str) -> str:
    return "".join(_LITERAL.get(character, character) for character in text)


def _guarded(line: str) -> str:
    """A line that begins with a dot or an apostrophe would be taken for a request; an empty one for a break."""
    if not line:
        return "\\&"
    return f"\\&{line}" if line[0] in ".'" else line
