"""Reading one field: a list of values, ranges, steps and chosen values.

    list     element ("," element)*
    element  ("*" | "?" | value | value "-" value | "H" | "H(" value "-" value ")" | value "~" value) ["/" n]

What only the day fields know (L, W, #) is read by `dayfields`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cncopctl.core.schedule.errors import ScheduleError
from cncopctl.core.schedule.fields import DAY

if TYPE_CHECKING:
    from cncopctl.core.schedule.fields import Field
    from cncopctl.core.schedule.seed import Seed

HASHED = re.compile(r"H(?:\((\w+)-(\w+)\))?", re.ASCII)


class Term(NamedTuple):
    """One element of a list and where it stands in the field's text, upper-cased."""

    text: str
    position: int

    def after(self, count: int) -> Term:
        """Return what follows the first `count` characters."""
        return Term(self.text[count:], self.position + count)


class Values(NamedTuple):
    """What a field means: the mask of its values, and where other programs read it otherwise."""

    mask: int
    warnings: tuple[str, ...] = ()


@lru_cache(maxsize=8192)
def read_values(text: str, field: Field, seed: Seed) -> Values:
    """Return the values that `text` gives to `field`.

    Raises:
        ScheduleError: `text` is no list of this field; `position` counts from its first character.
    """
    mask = 0
    warnings: tuple[str, ...] = ()
    for term in terms(text, field):
        values = read_element(term, field, seed)
        mask |= values.mask
        warnings += values.warnings
    return Values(mask, warnings)


def terms(text: str, field: Field) -> list[Term]:
    """Return the elements of a comma-separated list; empty ones are refused."""
    found = []
    position = 0
    for part in text.upper().split(","):
        if not part:
            raise ScheduleError(
                f"{field.name}: nothing stands beside the comma in {text!r}",
                "remove the comma",
                field=field.name,
                position=min(position, len(text) - 1),
            )
        found.append(Term(part, position))
        position += len(part) + 1
    return found


def read_element(term: Term, field: Field, seed: Seed) -> Values:
    """Return the values of one element of a list."""
    base, slash, step = term.text.partition("/")
    first = Term(base, term.position)
    if not slash:
        return plain(first, field, seed)
    count = read_step(Term(step, term.position + len(base) + 1), field)
    if is_chosen(base):
        sequence = chosen_range(first, field)
        return Values(field.mask(sequence[seed.choose(field.name, min(count, len(sequence))) :: count]))
    if base == "*":
        return Values(field.mask(field.everything()[::count]))
    if "-" in base:
        values = read_range(first, field)
        return Values(field.mask(values[::count]), wrap_warning(first, field, values))
    start = read_value(first, field)
    warning = f"{field.name}: {term.text} is read as {base}-{field.high}/{step}; cron(8) refuses it"
    return Values(field.mask(list(range(start, field.high + 1, count))), (warning,))


def plain(term: Term, field: Field, seed: Seed) -> Values:
    """Return the values of an element without a step."""
    text = term.text
    if text.isdigit() and text.isascii():
        return Values(field.mask([read_value(term, field)]))
    if text == "*" or (text == "?" and (field is DAY or field.is_weekday())):
        return Values(field.mask(field.everything()))
    if is_chosen(text):
        sequence = chosen_range(term, field)
        return Values(field.mask([sequence[seed.choose(field.name, len(sequence))]]))
    if "-" in text:
        values = read_range(term, field)
        return Values(field.mask(values), wrap_warning(term, field, values))
    return Values(field.mask([read_value(term, field)]))


def is_chosen(text: str) -> bool:
    """Return whether the element is one whose value is chosen by hashing."""
    return "~" in text or HASHED.fullmatch(text) is not None


def chosen_range(term: Term, field: Field) -> list[int]:
    """Return the values that a chosen element may take."""
    if hashed := HASHED.fullmatch(term.text):
        if hashed[1] is None:
            return list(range(field.low, field.spread + 1))
        inner = term.after(2)
        return read_range(Term(inner.text[:-1], inner.position), field)
    low, _, high = term.text.partition("~")
    first = Term(low or str(field.low), term.position)
    last = Term(high or str(field.spread), term.position + len(low) + 1)
    return run(read_value(first, field), read_value(last, field), field)


def read_range(term: Term, field: Field) -> list[int]:
    """Return the values of `a-b` in order, round the circle where a is after b."""
    low, _, high = term.text.partition("-")
    start = read_value(Term(low, term.position), field)
    stop = read_value(Term(high, term.position + len(low) + 1), field)
    return run(start, stop, field)


def run(start: int, stop: int, field: Field) -> list[int]:
    """Return start..stop, round the field's circle where start is after stop."""
    if start > stop and start >= field.low + field.cycle:
        start -= field.cycle  # Sunday as 7 begins the week when it begins a range: 7-3 is SUN-WED
    if start <= stop:
        return list(range(start, stop + 1))
    return [*range(start, field.low + field.cycle), *range(field.low, stop + 1)]


def wrap_warning(term: Term, field: Field, values: list[int]) -> tuple[str, ...]:
    """Return a warning when a range goes round the circle: cron(8) silently sets nothing there."""
    if values[0] <= values[-1]:
        return ()
    return (f"{field.name}: {term.text} goes round the end of its range; cron(8) never runs it",)


def read_step(term: Term, field: Field) -> int:
    """Return the number behind a slash."""
    if not term.text or not (term.text.isascii() and term.text.isdigit()):
        raise refusal(
            term,
            field,
            f"{term.text!r} is no step" if term.text else "a step must follow the slash",
            "write */5",
        )
    digits = term.text.lstrip("0")
    if not digits:
        raise refusal(term, field, "a step of 0 never comes round", "write a step of at least 1")
    return int(digits) if len(digits) < 5 else 10_000


def read_value(term: Term, field: Field) -> int:
    """Return the number that a value, or its name, stands for."""
    text = term.text
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        number = int(digits) if len(digits) < 6 else -1
        if not field.low <= number <= field.high:
            raise refusal(term, field, f"{digits} is not in {field.low}..{field.high}", limits(field))
        return number
    named = field.names.get(text)
    if named is None:
        raise refusal(term, field, unreadable(text), limits(field))
    return named


def unreadable(text: str) -> str:
    """Return what is wrong with a value that is neither number nor name."""
    return f"{text!r} is not understood" if text else "a value is missing"


def limits(field: Field) -> str:
    """Return what may be written in a field."""
    names = tuple(field.names)
    numbers = f"write {field.low} to {field.high}"
    return f"{numbers} or {names[0]} to {names[-1]}" if names else numbers


def refusal(term: Term, field: Field, message: str, hint: str = "") -> ScheduleError:
    """Return the error that points at `term`."""
    return ScheduleError(f"{field.name}: {message}", hint, field=field.name, position=term.position)
