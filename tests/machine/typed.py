"""What documents tell people to type: their ```console blocks, as commands with what they are said to print."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# "# " is root's prompt, "$ " anybody's, "web-01# " that of root on another machine.
_PROMPT = re.compile(r"^(?P<host>[\w-]+)?(?P<who>[#$]) (?P<words>.*)$")
_HERE = re.compile(r"<<'(\w+)'")
# In what is printed this stands for anything, within a line or for whole lines.
ANYTHING = "…"


@dataclass(frozen=True)
class Typed:
    """One command: on which machine ("" for this one), whether as root, what, and what it prints."""

    place: str
    host: str
    is_root: bool
    command: str
    prints: tuple[str, ...]

    def mismatch(self, output: str) -> str:
        """Where `output` is not what was said, less the blanks that align columns; "" where it is.

        A command that is said to print nothing may print.
        """
        pattern = "".join(_pattern(line) for line in self.prints)
        if not self.prints or re.fullmatch(pattern, _squeezed(f"{output.rstrip()}\n")):
            return ""
        return (
            f"{self.place}: {self.command}\n--- said\n" + "\n".join(self.prints) + f"\n--- printed\n{output}"
        )


def _squeezed(text: str) -> str:
    return re.sub(r" +", " ", re.sub(r" +\n", "\n", text))


def _pattern(line: str) -> str:
    """A regular expression for a line that is printed, or for any lines."""
    if line == ANYTHING:
        return "(?:.*\n)*?"
    pattern = re.escape(_squeezed(f"{line}\n"))
    # Between blanks, anything may be nothing as well.
    return pattern.replace(rf"\ {ANYTHING}\ ", " (?:.* )?").replace(ANYTHING, ".*")


def typed_in(document: Path) -> Iterator[Typed]:
    """The commands of a document in their order."""
    for block in _BLOCK.findall(document.read_text("utf-8")):
        yield from _commands(document.name, block.splitlines())


def _commands(place: str, lines: list[str]) -> Iterator[Typed]:
    while lines:
        found = _PROMPT.match(lines.pop(0))
        if not found:
            raise ValueError(f"{place}: a console block begins with a prompt")
        command = found["words"]
        if here := _HERE.search(command):
            end = lines.index(here[1]) + 1
            command, lines = "\n".join([command, *lines[:end]]), lines[end:]
        prints = []
        while lines and not _PROMPT.match(lines[0]):
            prints.append(lines.pop(0))
        yield Typed(place, found["host"] or "", found["who"] == "#", command, tuple(prints))
