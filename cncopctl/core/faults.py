"""What is wrong with a profile or configuration, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cncopctl.core.errors import CncopError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a user has to mend: where it is, what is wrong and what to write instead."""

    file: str
    what: str
    remedy: str = ""
    job: str = ""
    key: str = ""

    def __str__(self) -> str:
        """The place from the outside in, then the fault: `profile.toml: job "web-01": title: …`."""
        place = [self.file]
        if self.job:
            place.append(f"job {self.job}")
        if self.key:
            place.append(self.key)
        return ": ".join([*place, self.what])


class ProfileError(CncopError):
    """The profile or configuration is not valid; `faults` has all that was found, in reading order."""

    exit_status = 10

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` was probably meant to be, or "" where none is near."""
    import difflib  # the dispatcher, which starts often, has nothing to guess

    candidates = list(known)
    folded = {candidate.casefold(): candidate for candidate in candidates}
    begun = [name for name in folded if len(word) > 1 and name.startswith(word.casefold())]
    found = begun[:1] or difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def shown(value: object, limit: int = 60) -> str:
    """`value` as a message quotes it: as TOML writes it, without control characters, shortened."""
    text = _as_toml(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _as_toml(value: object, depth: int = 3) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{printable(value)}"'
        case list():
            return f"[{', '.join(_as_toml(item, depth - 1) for item in value)}]" if depth else "[…]"
        case dict():
            pairs = (f"{printable(str(key))} = {_as_toml(item, depth - 1)}" for key, item in value.items())
            return f"{{ {', '.join(pairs)} }}" if depth else "{…}"
        case _:
            return str(value)


def printable(text: str) -> str:
    """`text` with everything that could drive a terminal written as an escape, and bytes that are no UTF-8."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    """A byte that could not be decoded stands in for itself as one of 128 surrogates (PEP 383)."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()
