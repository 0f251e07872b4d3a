"""What a run says: the same lines go into its log and into the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from cncopctl.core.log_line import OURS, Level, Lines, LogLine, end_text, visible
from cncopctl.core.run import Run
from cncopctl.edges.journal import RUN_ENDED, Journal
from cncopctl.edges.run_log import RunLog

# An agent that says more than this has lost its mind: the disk is for backups.
_MOST = 256 * 1024 * 1024


class RunOutput:
    """Everything that one step of a run says; a context manager.

    A log that cannot be written keeps no backup from being made: the journal still has the lines, and `fault`
    says what is wrong, "" where nothing is. `path` is the log's, "" where there is none.
    """

    def __init__(self, journal: Journal, path: Path | None, opener: Callable[[], RunLog] | None) -> None:
        self._journal = journal
        self._log: RunLog | None = None
        self._voices: list[tuple[str, Lines]] = []
        self._left, self._dropped = _MOST, 0
        self.path, self.fault = str(path or ""), ""
        try:
            self._log = opener() if opener else None
        except OSError as error:
            self._give_up(error)
        if self._log:
            self.path = str(self._log.path)

    @classmethod
    def begin(cls, directory: Path, job_id: str, run_id: str, now: datetime) -> Self:
        """The output of a run that begins now, with a log of its own in `directory`."""
        return cls(_journal(job_id, run_id), None, lambda: RunLog.create(directory, now))

    @classmethod
    def resume(cls, path: str, job_id: str, run_id: str) -> Self:
        """The output of a later step of a run, whose log is at `path`; "" for a run that has none."""
        log = Path(path) if path else None
        return cls(_journal(job_id, run_id), log, (lambda: RunLog.reopen(log)) if log else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def say(self, text: str, level: Level = Level.INFO, **fields: str) -> None:
        """Say one line of our own; `fields` go with it into the journal."""
        self._tell(OURS, level, [visible(" ".join(text.split("\n")))], fields)

    def voice(self, source: str) -> Callable[[bytes], None]:
        """What takes the output of a program as it comes, under that name (lower case and underscores)."""
        lines = Lines()
        self._voices.append((source, lines))

        def hear(data: bytes) -> None:
            self._pass_on(source, lines.feed(data))

        return hear

    def sync(self) -> None:
        """Return when the log would survive a power cut, as far as it can be written."""
        if self._log:
            try:
                self._log.sync()
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Say what is left of unfinished lines, and close the log."""
        for source, lines in self._voices:
            self._pass_on(source, lines.rest())
        self._voices.clear()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.say(f"{dropped:,} more lines were left out", Level.WARN)
        if self._log:
            self._log.close()
            self._log = None
        self._journal.close()

    def _pass_on(self, source: str, lines: Sequence[str]) -> None:
        if self._left <= 0:
            self._dropped += len(lines)
            return
        self._left -= sum(map(len, lines))
        self._tell(source, Level.INFO, lines, {})

    def _tell(self, source: str, level: Level, texts: Sequence[str], fields: dict[str, str]) -> None:
        now = datetime.now().astimezone()
        if self._log and texts:
            try:
                self._log.write(LogLine(now, level, source, text) for text in texts)
            except OSError as error:
                self._give_up(error)
        for text in texts:
            self._journal.send(text, level, {"CNCOP_SOURCE": source, **fields})

    def _give_up(self, error: OSError) -> None:
        """A log with a hole is better than one in which nobody notices it: nothing more is written to it."""
        if self._log:
            self._log.close()
            self._log = None
        self.fault = f"the log cannot be written: {error.filename or self.path}: {error.strerror}"
        self._journal.send(self.fault, Level.ERROR)


def _journal(job_id: str, run_id: str) -> Journal:
    return Journal({"CNCOP_JOB": job_id, "CNCOP_RUN": run_id})


def tell_end(output: RunOutput, run: Run) -> None:
    """Say how the run has ended: what to look at first, then its outcome, which is the last line of every log."""
    for warning in run.warnings:
        output.say(f"warning: {warning}", Level.WARN)
    if run.hint:
        output.say(f"hint: {run.hint}", Level.NOTE)
    facts = {
        "OUTCOME": run.outcome,
        "ATTEMPTS": run.attempts,
        "FILES": run.files,
        "BYTES": run.bytes,
        "SNAPSHOT": run.snapshot,
        "SECONDS": round((run.ended - run.started).total_seconds(), 3) if run.ended else "",
        "LOG": run.log,
    }
    fields = {f"CNCOP_{name}": str(value) for name, value in facts.items() if value not in ("", None)}
    text = end_text(run.job, run.outcome, run.phrase)
    output.say(text, Level.of(run.outcome), MESSAGE_ID=RUN_ENDED, **fields)
    output.sync()
