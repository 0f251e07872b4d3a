"""Mail about runs: when one is due, and what it says.

It is read at three in the morning, on a telephone: the outcome comes first, then why, then what to do; the rest is
there to be looked up. Titles, phrases and logs come from others: each is cut to a bound and made printable, so
that the size of a mail and the meaning of its headers are ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from cncopctl.core.errors import UsageError
from cncopctl.core.faults import printable, shown
from cncopctl.core.outcome import Outcome
from cncopctl.core.run import Run
from cncopctl.core.spans import show_size, show_span

if TYPE_CHECKING:
    from cncopctl.core.configuration import Mail

FAILURE, RECOVERY, ALWAYS = "failure", "recovery", "always"

# As the profile's schema has it; what mail servers take, without quoted and international local parts.
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,180}[A-Za-z0-9])?"
)
# Bounds in characters; a mail without its log is a few thousand.
_TITLE, _SUBJECT, _LINE, _TEXT = 60, 150, 300, 600
_WARNINGS, _PAGES = 20, 20
# How many runs before it a mail looks at.
MOST_BEFORE = 50
_SEVERITY = (Outcome.ERROR, Outcome.ABORTED, Outcome.RERUN, Outcome.SKIPPED, Outcome.OK)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is one: to whom, what about, what it says, and which run it tells of.

    `id` makes its Message-ID: a letter that is sent twice is known as the same. `run` and `log` are "" where it tells
    of several.
    """

    id: str
    to: tuple[str, ...]
    subject: str
    text: str
    written: datetime
    outcome: str = ""
    job: str = ""
    run: str = ""
    log: str = ""

    def document(self) -> dict[str, Any]:
        """The letter as JSON has it."""
        return {**asdict(self), "to": list(self.to), "written": self.written.isoformat()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The letter that `document` made of it.

        Raises:
            ValueError, KeyError, TypeError: it is not such a document.
        """
        texts = {key: document[key] for key in ("id", "subject", "text", "outcome", "job", "run", "log")}
        to, written = tuple(document["to"]), datetime.fromisoformat(document["written"])
        if not all(isinstance(text, str) for text in (*to, *texts.values())) or written.tzinfo is None:
            raise TypeError("a member is of the wrong kind")
        return cls(to=to, written=written, **texts)


@dataclass(frozen=True, slots=True)
class Telling:
    """What a mail tells of a run besides the run itself.

    `before` has the job's newest runs before it, newest first, without those that were skipped, None where they are
    not known; `tail` has the last lines of its log. `untold` failures since the last mail were not worth one; the
    next that is the same is after `repeat`, if that is known.
    """

    run: Run
    before: Sequence[Run] | None = ()
    tail: Sequence[str] = ()
    untold: int = 0
    repeat: timedelta | None = None


def occasion(on: Collection[str], run: Run, before: Run | None) -> str:
    """Which of the occasions that are asked for this run is; "" where nobody is to be told.

    A run that was skipped is none, since nothing has run; `before` is the last one that was not skipped.
    """
    if run.outcome is None or run.outcome is Outcome.SKIPPED:
        return ""
    if run.outcome.is_failure():
        found = FAILURE
    else:
        found = RECOVERY if before and before.outcome and before.outcome.is_failure() else ALWAYS
    return found if found in on or ALWAYS in on else ""


def check_address(text: str) -> str:
    """`text`, which is an address.

    Raises:
        UsageError: it is none that a mail server would take.
    """
    if not _ADDRESS.fullmatch(text):
        raise UsageError(f"{shown(text)} is no mail address", "write one such as ops@example.org")
    return text


def obstacle(settings: Mail, credentials: Collection[str]) -> tuple[str, str]:
    """Why nobody can be told by mail with these settings and stored credentials, and what to do; "" if they can."""
    if not settings.server:
        return "no mail server is set", "set mail_server under [mail] in cncop3.ini"
    if settings.user and not settings.credential:
        return (
            f"mail_user {settings.user} has no password",
            "name its credential: mail_credential in cncop3.ini",
        )
    if settings.user and settings.credential not in credentials:
        store = f"store it with: cncopctl credential set {settings.credential}"
        return f"the mail server's password, {settings.credential}, is not stored", store
    return "", ""


def letter_of_run(telling: Telling, to: Sequence[str], host: str, now: datetime) -> Letter:
    """The mail that tells `to` of one run that has ended on `host`."""
    run = telling.run
    return Letter(
        id=run.id,
        to=tuple(to),
        subject=_subject(telling, host),
        text=_joined(_page(telling, host)),
        written=now,
        outcome=str(run.outcome),
        job=run.job,
        run=run.id,
        log=run.log,
    )


def letter_of_runs(
    tellings: Sequence[Telling], letter_id: str, to: Sequence[str], host: str, now: datetime
) -> Letter:
    """The mail that tells `to` of the runs that somebody has asked for, of one or of many."""
    if len(tellings) == 1:
        letter = letter_of_run(tellings[0], to, host, now)
        return Letter(**{**_fields(letter), "id": letter_id})
    worst = min((telling.run.outcome or Outcome.ERROR for telling in tellings), key=_SEVERITY.index)
    return Letter(
        id=letter_id,
        to=tuple(to),
        subject=_cut(f"{worst}: {_count(tellings)} on {host}", _SUBJECT),
        text=_joined(_pages(tellings, host)),
        written=now,
        outcome=str(worst),
    )


def trial_letter(letter_id: str, to: str, host: str, now: datetime) -> Letter:
    """A mail that somebody has asked for to see whether mail arrives."""
    text = f"Mail from the backup jobs of {host} arrives here.\n"
    return Letter(letter_id, (to,), f"Test: mail from cncop on {_line(host, 100)}", text, now)


def _fields(letter: Letter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in Letter.__slots__}


def _count(tellings: Sequence[Telling]) -> str:
    bad = [telling.run.job for telling in tellings if telling.run.outcome is not Outcome.OK]
    if not bad:
        return f"all {len(tellings)} jobs ended OK"
    return f"{len(tellings) - len(bad)} of {len(tellings)} jobs ended OK, not {', '.join(bad)}"


def _subject(telling: Telling, host: str) -> str:
    run = telling.run
    again = run.outcome is Outcome.OK and _failures(telling.before) > 0
    why = f": {run.phrase}" if run.outcome is not Outcome.OK else ""
    return _line(f"{run.outcome}{' again' if again else ''}: {_name(run)} on {host}{why}", _SUBJECT)


def _name(run: Run) -> str:
    return run.job if run.title in ("", run.job) else f"{_cut(run.title, _TITLE)} ({run.job})"


def _joined(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _pages(tellings: Sequence[Telling], host: str) -> Iterator[str]:
    """First a line for each run, then everything about each that did not end OK."""
    yield f"On {_line(host, 100)}: {_line(_count(tellings), _TEXT)}"
    yield ""
    for telling in tellings:
        yield f"  {telling.run.outcome!s:<8} {telling.run.job}: {_line(telling.run.phrase, _LINE)}"
    bad = [telling for telling in tellings if telling.run.outcome is not Outcome.OK]
    for telling in bad[:_PAGES]:
        yield from ("", "-" * 72, "")
        yield from _page(telling, host)


def _page(telling: Telling, host: str) -> Iterator[str]:
    """Everything about one run: outcome, why, what to do, then the facts."""
    run = telling.run
    yield f"{run.outcome}: {_line(_name(run), _LINE)}: {_line(run.phrase, _TEXT)}"
    yield ""
    if run.outcome is not Outcome.OK:
        yield "What to do"
        yield from (f"  {line}" for line in _advice(run))
        yield ""
    for name, value in _facts(telling, host):
        yield f"{name:<10} {_line(value, _TEXT)}"
    yield from _section("Warnings", run.warnings[:_WARNINGS], len(run.warnings))
    yield from _section("Last lines of the log", telling.tail, len(telling.tail))


def _advice(run: Run) -> Iterator[str]:
    if run.hint:
        yield _line(run.hint, _TEXT)
    commands = {"why": "what is known of it, and when it runs next", "runjob": "run it again, now"}
    yield from (f"{f'cncopctl {command} {run.job}':<40} {what}" for command, what in commands.items())


def _facts(telling: Telling, host: str) -> Iterator[tuple[str, str]]:
    run = telling.run
    yield "Job", _name(run)
    yield "Machine", host
    yield "Began", show_time(run.started)
    if run.ended:
        yield "Ended", f"{show_time(run.ended)}, after {show_span(run.ended - run.started)}"
    if run.attempts > 1:
        yield "Attempts", str(run.attempts)
    if past := _past(telling):
        yield "Before", past
    if telling.untold:
        yield (
            "Not mailed",
            f"{telling.untold} failure{'' if telling.untold == 1 else 's'} since the last mail",
        )
    if telling.repeat and run.outcome is not Outcome.OK:
        yield "Next mail", f"while it fails like this: in {show_span(telling.repeat)} at the earliest"
    if run.snapshot:
        yield "Snapshot", run.snapshot
    if run.files or run.bytes:
        yield "Backup", f"{run.files:,} files, {show_size(run.bytes)}"
    yield "Run", run.id
    if run.log:
        yield "Log", run.log


def _past(telling: Telling) -> str:
    """How it went before: what turns one failure into a story."""
    before, count = telling.before, _failures(telling.before)
    if before is None:
        return ""
    if not before:
        return "this was its first run"
    good = next((run for run in before if run.outcome is Outcome.OK), None)
    last = f"last OK {show_time(good.ended or good.started)}" if good else "never OK as far as is known"
    last += f", snapshot {good.snapshot[:8]}" if good and good.snapshot else ""
    if telling.run.outcome is Outcome.OK:
        return f"failed {count} time{'' if count == 1 else 's'} in a row; {last}" if count else last
    more = "more than " if count >= MOST_BEFORE else ""
    return f"{more}{count + 1 if not more else count} failures in a row; {last}" if count else last


def _failures(before: Sequence[Run] | None) -> int:
    """How many of the newest runs have failed in a row."""
    before = before or ()
    good = (number for number, run in enumerate(before) if not (run.outcome and run.outcome.is_failure()))
    return next(good, len(before))


def _section(heading: str, lines: Sequence[str], count: int) -> Iterator[str]:
    if lines:
        yield from ("", heading)
        yield from (f"  {_line(line, _LINE)}" for line in lines)
        if count > len(lines):
            yield f"  … and {count - len(lines)} more"


def show_time(at: datetime) -> str:
    """An instant as mails have it, in local time with its zone: they are read elsewhere."""
    return f"{at.astimezone():%a %Y-%m-%d %H:%M:%S %Z}"


def _line(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters, none of which means anything to a terminal or a header."""
    return _cut(printable(text[: limit + 1]), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def mail_name(run_id: str, at: datetime) -> str:
    """Name of the queued mail's file; names sort by age."""
    return f"MAIL-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{run_id}.json"
