"""Answers to questions about schedules, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from cncopctl.core.faults import printable
from cncopctl.core.question import Answer
from cncopctl.core.schedule import Schedule, instants_after
from cncopctl.core.schedule.nights import nights
from cncopctl.core.schedule.zones import zone as rules_of
from cncopctl.core.spans import show_span

if TYPE_CHECKING:
    from cncopctl.core.schedule.proof import Difference
    from cncopctl.verbs.prove import Proof

_NIGHTS_AHEAD = timedelta(days=400)


def print_documents(answers: Sequence[Answer], count: int, now: datetime, *, prove: bool) -> bool:
    """Print one JSON object a line, with `count` next runs; return whether nothing was refused or refuted."""
    good, lines = True, []
    for answer, proof in zip(answers, _proofs(answers, now, prove=prove), strict=True):
        document = answer.document()
        if answer.schedule and count:
            document["next"] = [at.isoformat() for at in islice(instants_after(answer.schedule, now), count)]
            document |= _nights(answer.schedule, now)
        if proof:
            document["proof"] = _proof_document(proof)
        good &= not answer.error and (proof is None or proof.holds())
        lines.append(json.dumps(document))
    # Escapes keep what is no Unicode, or drives a terminal, out of the output; so ASCII is all there is.
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return good


def _nights(schedule: Schedule, now: datetime) -> dict[str, Any]:
    found = nights(schedule, now, now + _NIGHTS_AHEAD)
    return {"nights": [night.sentence for night in found]} if found else {}


def _proof_document(proof: Proof) -> dict[str, Any]:
    def shown(difference: Difference) -> dict[str, Any]:
        known = {"base": difference.base, "meant": difference.meant, "elapses": difference.elapses}
        return {key: at.isoformat() if at else None for key, at in known.items()}

    return {
        "holds": proof.holds(),
        "base_times": proof.base_times,
        "differences": [shown(difference) for difference in proof.differences],
    }


def _proofs(answers: Sequence[Answer], now: datetime, *, prove: bool) -> Sequence[Proof | None]:
    """The proof of each answer that has something to prove."""
    if not prove:
        return [None] * len(answers)
    from cncopctl.verbs.prove import prove as proved

    cases = [
        (answer.schedule, answer.translation)
        for answer in answers
        if answer.schedule and answer.translation and answer.translation.oncalendar
    ]
    proofs = iter(proved(cases, now))
    return [
        next(proofs) if answer.translation and answer.translation.oncalendar else None for answer in answers
    ]


def print_sentences(answers: Sequence[Answer], count: int, now: datetime, *, prove: bool) -> bool:
    """Print a paragraph for each answer, refusals to stderr; return whether there was nothing amiss."""
    good = True
    for answer, proof in zip(answers, _proofs(answers, now, prove=prove), strict=True):
        if answer.error:
            _print_refusal(answer)
        else:
            for line in _paragraph(answer, proof, count, now):
                click.echo(printable(line))
        good &= not answer.error and (proof is None or proof.holds())
    return good


def _print_refusal(answer: Answer) -> None:
    """Where it is, what is wrong with it, and what to write instead."""
    if answer.error is None:
        return
    sys.stdout.flush()  # what was translated before stands before it, also where both go to one file
    text = printable(_one_line(answer))
    place = f"line {answer.question.about['line']}: " if "line" in answer.question.about else ""
    click.echo(f"cncopctl: {place}{printable(answer.error.message)}", err=True)
    if text and len(text) < 200:
        click.echo(f"  {text}", err=True)
        if answer.error.position is not None and text == _one_line(answer):
            click.echo(f"  {' ' * answer.error.position}^", err=True)
    if answer.error.hint:
        click.echo(f"hint: {printable(answer.error.hint)}", err=True)


def _paragraph(answer: Answer, proof: Proof | None, count: int, now: datetime) -> Iterator[str]:
    schedule, translation = answer.schedule, answer.translation
    if schedule is None or translation is None:
        return
    yield _heading(answer)
    yield f"  {schedule.explain()}"
    for line in translation.oncalendar:
        yield f"  OnCalendar={line}"
    if translation.on_boot is not None:
        yield f"  OnBootSec={show_span(translation.on_boot)}"
    if translation.on_inactive is not None:
        yield f"  OnUnitInactiveSec={show_span(translation.on_inactive)}"
    for at in islice(instants_after(schedule, now), count):
        yield f"  next     {_local(at, schedule)}  in {show_span(at - now)}"
    if count:
        yield from (f"  clocks   {night.sentence}" for night in nights(schedule, now, now + _NIGHTS_AHEAD))
    if translation.horizon_end:
        yield f"  exact    until {translation.horizon_end:%Y-%m-%d}; syncing renews it"
    yield from (f"  warning  {warning}" for warning in answer.warnings)
    if proof:
        yield from _verdict(proof, schedule)


def _heading(answer: Answer) -> str:
    """What was asked, with the line, user and command of a crontab."""
    about = answer.question.about
    place = f"line {about['line']}: " if "line" in about else ""
    user = f"{about['user']}: " if "user" in about else ""
    command = f"  {user}{about['command']}" if "command" in about else ""
    return f"{place}{_one_line(answer)}{command}"


def _one_line(answer: Answer) -> str:
    """What was asked, each character in its place."""
    return answer.text().replace("\t", " ")


def _local(at: datetime, schedule: Schedule) -> str:
    """An instant on the schedule's own clock, as systemd shows it."""
    local = at.astimezone(rules_of(schedule.zone or "UTC"))
    return f"{local:%a %Y-%m-%d %H:%M:%S %Z}"


def _verdict(proof: Proof, schedule: Schedule) -> Iterator[str]:
    if proof.holds():
        yield f"  proved   systemd elapses at these instants, from {proof.base_times} base times"
    for difference in proof.differences:
        meant, elapses = (
            _local(at, schedule) if at else "nothing" for at in (difference.meant, difference.elapses)
        )
        since = _local(difference.base, schedule)
        yield f"  REFUTED  after {since} the schedule means {meant}, systemd elapses at {elapses}"
