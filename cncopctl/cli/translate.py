"""`cncopctl translate`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cncopctl.cli.answers import print_documents, print_sentences
from cncopctl.cli.lines import LONGEST, lines_of
from cncopctl.cli.options import json_option
from cncopctl.core.errors import UsageError
from cncopctl.core.question import Circumstances, Question, answer, read_question, unreadable
from cncopctl.core.schedule import Dialect, Dst
from cncopctl.core.schedule.zones import checked_zone
from cncopctl.edges.machine import machine_id, time_zone

if TYPE_CHECKING:
    from cncopctl.core.crontab import Entry

_REFUSED = 10
_NEXT = 5
_WITH_USERS = ("/etc/crontab", "/etc/cron.d/")


@click.command("translate")
@click.argument("expressions", nargs=-1, metavar="[EXPRESSION|FILE]...")
@click.option(
    "--from",
    "source",
    type=click.Choice(["crontab"]),
    help="What is named are crontabs, whole files (- is standard input).",
)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read questions, one a line, as described above.")
@click.option(
    "--timezone", "zone", metavar="ZONE", help="The zone of schedules that name none (this machine's)."
)
@click.option(
    "--dialect",
    type=click.Choice([each.value for each in Dialect]),
    default=Dialect.CRON.value,
    help="quartz: seconds first, weekdays from Sunday as 1, a year last.",
)
@click.option(
    "--dst",
    type=click.Choice([each.value for each in Dst]),
    default=Dst.CRON.value,
    help="When the clocks change: as cron does, or skip what they skip.",
)
@click.option("--job", metavar="ID", help="Choose H and ~ as for this job of this machine.")
@click.option(
    "--user-field", is_flag=True, help="Crontabs have a user before each command, as in /etc/cron.d."
)
@click.option(
    "--next",
    "count",
    metavar="N",
    type=click.IntRange(0, 10_000),
    help="Show so many next runs (5; none with --stdin).",
)
@click.option("--prove", is_flag=True, help="Have systemd say when the lines elapse, and compare.")
@json_option
def command(
    expressions: tuple[str, ...],
    *,
    source: str | None,
    from_stdin: bool,
    zone: str | None,
    dialect: str,
    dst: str,
    job: str | None,
    user_field: bool,
    count: int | None,
    prove: bool,
    as_json: bool,
) -> int:
    """Translate schedules to systemd's calendar lines that elapse at exactly the same instants.

    Each EXPRESSION is a cron string: minute, hour, day of month, month, day of week, and seconds, if any, last;
    or a macro such as @daily. What systemd cannot say exactly is refused, with what to write instead.

    With --stdin a line is such a string, or a JSON object with the keys of a schedule in a profile (cron and
    timezone; date, interval; year, month, day, week, day_of_week, hour, minute, second; start_date, end_date,
    dst), and job, dialect and id, which comes back with the answer. Each line has its answer, in its place.

    Exit status 10: something was refused, and all others were translated; or a proof failed.

    \b
    Examples:
      cncopctl translate '30 2 * * MON-FRI' --timezone Europe/Berlin
      cncopctl translate '0 3 L * *' '0 6 * * FRI#2' --next 12 --prove
      cncopctl translate --dialect quartz '0 0 12 ? * 6L'
      cncopctl translate --from crontab /etc/crontab
      echo '{"cron": "30 2 * * *", "timezone": "Asia/Tokyo"}' | cncopctl translate --stdin --json
    """
    here = Circumstances(
        datetime.now(UTC),
        machine_id(),
        checked_zone(zone) if zone else _own_zone(),
        job,
        Dialect(dialect),
        Dst(dst),
    )
    batches = _asked(expressions, source, from_stdin=from_stdin, user_field=user_field)
    shown = count if count is not None else 0 if from_stdin else _NEXT
    print_answers = print_documents if as_json else print_sentences
    good = True
    for questions in batches:
        answers = [answer(question, here) for question in questions]
        good &= print_answers(answers, shown, here.now, prove=prove)
        sys.stdout.flush()
    return 0 if good else _REFUSED


def _asked(
    words: tuple[str, ...], source: str | None, *, from_stdin: bool, user_field: bool
) -> Iterator[list[Question]]:
    """The questions of the command line, of crontabs or of standard input, in lists to be answered together."""
    if from_stdin and (source or words):
        raise click.UsageError("--stdin takes neither expressions nor --from")
    if from_stdin:
        return _asked_on_stdin()
    if source:
        return iter([list(_asked_by_crontabs(words or ("-",), user_field=user_field))])
    if not words:
        raise click.UsageError("nothing to translate\nhint: cncopctl translate '30 2 * * MON-FRI'")
    return iter([[Question(expression) for expression in _whole(words)]])


def _own_zone() -> str | None:
    """This machine's zone; UTC needs no name, since it has no changes to steer around."""
    zone = time_zone()
    return None if zone == "UTC" else zone


def _whole(words: tuple[str, ...]) -> tuple[str, ...]:
    """The expressions of the command line; five or six bare words are one whose quotes were forgotten."""
    if len(words) in (5, 6) and not any(
        " " in word or "\t" in word or word.startswith("@") for word in words
    ):
        return (" ".join(words),)
    return words


def _asked_on_stdin() -> Iterator[list[Question]]:
    """The questions of standard input, those together that came together."""
    for lines in lines_of(sys.stdin.fileno()):
        yield [_question_of(line) for line in lines]


def _question_of(line: bytes) -> Question:
    if len(line) > LONGEST:
        return unreadable(
            None, f"the line is longer than {LONGEST} bytes", "a schedule fits one line of text"
        )
    try:
        return read_question(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        text = line.decode(errors="backslashreplace")
        return unreadable(text, f"byte {error.start} of the line is no UTF-8", "write plain ASCII")


def _asked_by_crontabs(names: Iterable[str], *, user_field: bool) -> Iterator[Question]:
    """The questions of whole crontabs, each with its line and command."""
    from cncopctl.core.crontab import read_crontab

    for name in names:
        with_users = user_field or name.startswith(_WITH_USERS)
        for entry in read_crontab(_text_of(name), user_field=with_users):
            yield _question_of_entry(entry, name)


def _question_of_entry(entry: Entry, name: str) -> Question:
    about = {"file": name, "line": entry.line, "user": entry.user, "command": entry.command}
    known = {key: value for key, value in about.items() if value not in (None, "")}
    if entry.missing:
        hint = (
            "write minute hour day-of-month month day-of-week "
            + ("user " * (entry.user is not None or entry.missing == "user"))
            + "command"
        )
        return unreadable(entry.schedule, f"the line has no {entry.missing}", hint, known)
    return Question(entry.schedule, entry.zone, about=known, warnings=entry.warnings)


def _text_of(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}", "name a crontab, or - for standard input") from error
    return raw.decode("utf-8-sig", errors="backslashreplace")
