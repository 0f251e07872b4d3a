r"""The job's excludes, written in rsync's patterns, as filter rules of rclone that leave out exactly the same.

rsync(1), PATTERN MATCHING RULES, is the meaning; rclone takes a regular expression between `{{` and `}}`. Each
pattern becomes an expression for whole paths below the root. What it matches is left out, and, if it is
a directory, all that is in it.

One thing differs: `?` and `[...]` stand for a character here, where rsync takes a byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# POSIX classes, for ASCII as in the C locale (wildmatch.c), in what both kinds of expression know; no slash.
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\x20\x09",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x2e\x30-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x2e\x30-\x7e",
    "punct": r"\x21-\x2e\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\x20\x09-\x0d",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


NOWHERE_ELSE = ("- /{{(.*/)?\\.\\.?}}", "- /{{(.*/)?\\.\\.?}}/**")
"""Rules that leave out what is called `.` or `..`: a server that shows such has rclone write above its target."""


class PatternError(ValueError):
    """A pattern that has no exact translation; says why."""


def exclude_rules(patterns: Iterable[str]) -> list[str]:
    """Filter rules of the job's excludes.

    Raises:
        PatternError: a pattern cannot be translated.
    """
    return [rule for pattern in patterns if pattern for rule in _rules(*expression(pattern))]


def path_rules(paths: Iterable[str]) -> list[str]:
    """Rules that leave out these very files; bytes that are not UTF-8 match any such byte."""
    return [f"- /{{{{{literal(path)}}}}}" for path in paths]


def only_rules(name: str) -> list[str]:
    """Rules that leave a directory with one file; no other directory is looked at, nor made."""
    return ["- /*/**", f"+ /{{{{{literal(name)}}}}}", "- **"]


def _rules(regex: str, directories_only: bool) -> Iterator[str]:
    if not directories_only:
        yield f"- /{{{{{regex}}}}}"
    yield f"- /{{{{{regex}}}}}/**"


@dataclass(frozen=True, slots=True)
class Excludes:
    """The job's excludes, for paths below the root that are at hand."""

    anything: re.Pattern[str]
    directories: re.Pattern[str]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Excludes:
        """What `exclude_rules` leaves out of the same patterns.

        Raises:
            PatternError: a pattern cannot be translated.
        """
        translated = [expression(pattern) for pattern in patterns if pattern]
        return cls(
            _any_of(regex for regex, directories_only in translated if not directories_only),
            _any_of(regex for regex, directories_only in translated if directories_only),
        )

    def leave_out(self, path: str, *, is_directory: bool) -> bool:
        """Whether `path` itself is left out; what is in a directory that is left out needs no question."""
        return bool(self.anything.fullmatch(path) or (is_directory and self.directories.fullmatch(path)))


def _any_of(expressions: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{expression})" for expression in expressions) or r"(?!)")


def expression(pattern: str) -> tuple[str, bool]:
    """A regular expression for paths below the root, and whether only directories are meant.

    It is written in what Go's and Python's expressions have in common.

    Raises:
        PatternError: the pattern cannot be translated.
    """
    directories_only = pattern.endswith("/")
    body = pattern[:-1] if directories_only else pattern
    anchored = body.startswith("/")
    body = body[1:] if anchored else body
    everything_in = body.endswith("/***")
    body = body[:-4] if everything_in else body
    if not body.strip("/") or "//" in body or body.endswith("/"):
        raise PatternError(f"{pattern!r} matches no name")
    if "****" in pattern:
        raise PatternError(f"{pattern!r} has more than three stars in a row")
    if everything_in and not anchored and re.fullmatch(r"\*{2,3}", body):
        return ".*", False
    beginning, rest = _beginning(body, anchored=anchored)
    has_wildcards = re.search(r"[*?\[]", body) is not None
    regex = beginning + ("".join(_translated(rest)) if has_wildcards else literal(rest))
    return regex, directories_only or everything_in


def _beginning(body: str, *, anchored: bool) -> tuple[str, str]:
    """What may come before the pattern: nothing, or directories; and what is left of the pattern.

    A pattern that begins with `**/` matches at the root, too.
    """
    stars = re.match(r"\*{2,}/?", body)
    if anchored:
        return "", body
    if stars is None:
        return r"(?:.+/)?", body
    return (r"(?:.*/)?" if stars[0].endswith("/") else ".*"), body[stars.end() :]


def _translated(body: str) -> Iterator[str]:
    r"""The parts of a pattern that has wildcards, so that `\` is an escape in it."""
    position = 0
    while position < len(body):
        token = re.compile(r"\*+|\?|\[|\\.|.", re.DOTALL).match(body, position)
        assert token  # noqa: S101 - the last alternative is any character
        position = token.end()
        match token[0]:
            case "*":
                yield "[^/]*"
            case "?":
                yield "[^/]"
            case "[":
                translated, position = _bracket(body, position)
                yield translated
            case stars if stars[0] == "*":
                yield ".*"
            case "\\":
                raise PatternError(f"{body!r} ends in a backslash")
            case other:
                yield literal(other[-1])


def _bracket(body: str, start: int) -> tuple[str, int]:
    """A class of characters that begins after its bracket; the expression and where it ends.

    A slash is in no class: wildmatch lets none match one.
    """
    position = start
    negated = body[position : position + 1] in ("!", "^")
    position += negated
    items: list[str] = []
    while True:
        item, position = _class_item(body, position, first=not items)
        if not item:
            break
        items.append(item)
    members = "".join(items)
    return (f"[^/{members}]" if negated else f"(?:[{members}])"), position


def _class_item(body: str, position: int, *, first: bool) -> tuple[str, int]:
    """One member of a class, "" at its end, and where the next one begins."""
    if position >= len(body):
        raise PatternError(f"{body!r} has a [ without its ]")
    if body[position] == "]" and not first:
        return "", position + 1
    if named := re.compile(r"\[:(\w+):\]").match(body, position):
        if named[1] not in _CLASSES:
            raise PatternError(f"there is no class of characters [:{named[1]}:]")
        return _CLASSES[named[1]], named.end()
    low, position = _class_character(body, position)
    if body[position : position + 1] == "-" and body[position + 1 : position + 2] not in ("", "]"):
        high, position = _class_character(body, position + 1)
        if low > high or "/" in (low, high):
            raise PatternError(f"{body!r} has an unfit range {low}-{high}")
        return f"{literal(low)}-{literal(high)}", position
    if low == "/":
        raise PatternError(f"{body!r} has a slash in a class of characters")
    return literal(low), position


def _class_character(body: str, position: int) -> tuple[str, int]:
    if body[position] == "\\" and position + 1 < len(body):
        position += 1
    return body[position], position + 1


def literal(text: str) -> str:
    """An expression for the text itself: no character in it means anything, and there is no } among them."""
    return "".join(_literal_character(character) for character in text)


def _literal_character(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, which Go reads as U+FFFD
        return "\ufffd"
    if character.isalnum() or character == "/" or code > 0x7F:
        return character
    return rf"\x{code:02x}"
