"""rclone as an agent uses it: a private configuration, its log read as it comes, its failures told."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cncopctl.agentkit.engine import Lines, OnOutput, find_program, pass_on, run_engine, started
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.request import Action, Direction, Request
from cncopctl.agentkit.stall import SilentError, Standstill
from cncopctl.core.engines import rclone
from cncopctl.core.engines.endpoint import EndpointError
from cncopctl.core.engines.rclone_failures import NO_ROOM, NOT_TO_BE_DELETED, UNSAID, diagnose
from cncopctl.core.engines.rclone_filters import NOWHERE_ELSE
from cncopctl.core.engines.remote import Protocol, Remote, parse_remote
from cncopctl.core.engines.running import Ended

if TYPE_CHECKING:
    from pathlib import Path

    from cncopctl.agentkit.progress import Progress

CA_CERTIFICATES = "ca-certificates"
"""The credential with certificates of authorities that count besides the system's."""

_ERRORS_KEPT = 1000
_LONGEST_SHOWN = 200
_LITTLE = 4 << 20
"""Bytes free on a disk that is as good as full: what did not fit is taken away again."""
_SECRET = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


class NoConnectionError(AgentError):
    """The server allows fewer connections than were asked for: one may do."""


@dataclass(slots=True)
class Log:
    """What a run of rclone said: errors, what it would have done, and its last figures."""

    errors: list[rclone.LogLine] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    stats: rclone.Stats = field(default_factory=rclone.Stats)
    left_out: int = 0

    @property
    def prose(self) -> str:
        """All errors, one a line."""
        return "\n".join(line.prose for line in self.errors)

    def note(self, line: rclone.LogLine) -> None:
        """Take one line in."""
        if line.stats:
            self.stats = line.stats
        elif line.skipped:
            self.skipped[line.skipped] = self.skipped.get(line.skipped, 0) + 1
        elif line.is_error and line.message and not re.search(NOT_TO_BE_DELETED, line.message):
            if len(self.errors) < _ERRORS_KEPT:
                self.errors.append(line)
            else:
                self.left_out += 1


@dataclass(frozen=True, slots=True)
class Rclone:
    """rclone, ready to talk to one server. Made by `opened`."""

    remote: Remote
    access: rclone.Access
    ways: rclone.Ways
    environment: dict[str, str]
    silence: int
    encode_names: bool = False
    is_sending: bool = False

    def with_ways(self, ways: rclone.Ways) -> Rclone:
        """The same server, talked to in other ways."""
        return replace(self, ways=ways)

    def answer(self, *words: str, rules: Sequence[str] = (), stdin: bytes = b"") -> str:
        """What a short question is answered with; `rules` filter what it is about.

        Raises:
            AgentError: there was no answer.
        """
        with self.asking(*words, rules=rules, stdin=stdin) as answer:
            return answer()

    @contextlib.contextmanager
    def asking(
        self, *words: str, rules: Sequence[str] = (), stdin: bytes = b""
    ) -> Iterator[Callable[[], str]]:
        """Ask, and go on; what is given is called for the answer, which fails as that of `answer` does."""
        said, log = bytearray(), Log()

        def answer() -> str:
            self.raise_failed(finish(said.extend), log)
            return said.decode(errors="replace")

        with (
            self._filtered(words, rules) as asked,
            self._started(asked, log, is_question=True, stdin=stdin) as finish,
        ):
            yield answer

    def transfer(
        self,
        words: Sequence[str],
        rules: Sequence[str],
        on_stats: Callable[[rclone.Stats], None],
        *,
        stdin: bytes = b"",
    ) -> tuple[Ended, Log]:
        """Move files; `rules` filter them."""
        with self.transferring(words, rules, on_stats, stdin=stdin) as finish:
            return finish()

    @contextlib.contextmanager
    def transferring(
        self,
        words: Sequence[str],
        rules: Sequence[str],
        on_stats: Callable[[rclone.Stats], None],
        *,
        stdin: bytes = b"",
    ) -> Iterator[Callable[[], tuple[Ended, Log]]]:
        """Begin to move files, and go on; what is given is called to wait for the end."""
        log = Log()
        with (
            self._filtered(words, rules) as filtered,
            self._started(filtered, log, is_question=False, on_stats=on_stats, stdin=stdin) as finish,
        ):
            yield lambda: (finish(_ignore), log)

    @staticmethod
    @contextlib.contextmanager
    def _filtered(words: Sequence[str], rules: Sequence[str]) -> Iterator[list[str]]:
        """`words`, the first of which is the command, with rules from a file: there may be many.

        Where the files are named, which rclone does not filter, they are from a run that was.
        """
        if any(word.startswith("--files-from") for word in words):
            yield list(words)
            return
        with private_file(rclone.filter_text([*NOWHERE_ELSE, *rules])) as filters:
            yield [words[0], f"--filter-from={filters}", *words[1:]]

    def raise_failed(self, ended: Ended, log: Log) -> None:
        """Raise AgentError unless rclone ended well."""
        if ended.status != rclone.OK or log.errors:
            prose = log.prose
            if self.is_sending and re.search(UNSAID, prose) and self._has_no_room():
                prose = NO_ROOM
            raise AgentError.diagnosed(diagnose(ended.status, prose, self.remote, is_sending=self.is_sending))

    def _refuse_turned_away(self, line: rclone.LogLine) -> None:
        """Stop where an FTP server lets no further connection in: rclone would knock ten times for each file."""
        is_about_connections = self.remote.protocol is Protocol.FTP and self.ways.connections != 1
        if is_about_connections and line.is_error and re.search(r"\b421 ", line.message):
            raise NoConnectionError.diagnosed(diagnose(1, line.message, self.remote))

    def _has_no_room(self) -> bool:
        """Whether the server's disk is full, as it tells where it is asked (statvfs@openssh.com)."""
        asking = replace(self, is_sending=False)
        try:
            place = f"{rclone.THERE}:{self.remote.served_path}"
            return rclone.free(asking.answer("about", "--json", "--", place)) < _LITTLE
        except AgentError:
            return False

    @contextlib.contextmanager
    def _started(
        self,
        words: Sequence[str],
        log: Log,
        *,
        is_question: bool,
        on_stats: Callable[[rclone.Stats], None] = lambda _stats: None,
        stdin: bytes = b"",
    ) -> Iterator[Callable[[OnOutput], Ended]]:
        """rclone at work; it is stopped at the end of the block if nobody has waited for its end."""

        def read(text: bytes) -> None:
            line = rclone.parse_log_line(text)
            _refuse_endless(line)
            self._refuse_turned_away(line)
            log.note(line)
            if line.stats:
                standstill.note(replace(line.stats, errors=0))
                on_stats(line.stats)
            elif line.message and not line.skipped:
                pass_on(line.prose.encode(errors="replace") + b"\n")

        lines = Lines(read)
        text = rclone.configuration(
            self.remote, self.access, self.ways, encode_names=self.encode_names, silence=self.silence
        )
        with private_file(text.encode()) as configuration:
            options = [
                f"--config={configuration}",
                *rclone.common_options(self.ways, is_question=is_question, silence=self.silence),
            ]
            command = [_program(), words[0], *options, *words[1:]]
            with started(command, env=self.environment, stdin=stdin) as engine:
                # rclone waits for each answer by itself, but then tries ten times for each of all files.
                standstill = Standstill(engine.child.pid, 2 * self.silence)

                def finish(on_output: OnOutput) -> Ended:
                    try:
                        ended = engine.follow(on_output, lines.feed)
                    except SilentError as error:
                        raise AgentError(f"{self.remote.place} does not answer", transient=True) from error
                    lines.feed(b"")
                    return ended

                yield finish


def _ignore(_output: bytes) -> None:
    """What a transfer writes to stdout is nothing."""


@contextlib.contextmanager
def private_file(content: bytes) -> Iterator[str]:
    """A path at which we and the programs that we start read `content`, and which nobody else has."""
    descriptor = os.memfd_create("cncop", 0)
    os.set_inheritable(descriptor, True)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _refuse_endless(line: rclone.LogLine) -> None:
    """Stop at the first path that is too long: nothing complete comes of it, and a tree may have no end."""
    if line.is_error and "file name too long" in line.message:
        name = line.name or line.message.partition(" ")[2]
        shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"
        raise AgentError(f"{shown} is longer than a path may be", "exclude it, or look at what is so deep")


def remote_of(request: Request, text: str, role: str) -> Remote:
    """The remote that a job names as its `role`, "source" or "destination".

    Raises:
        AgentError: it is none of the job's type; with what to write.
    """
    try:
        return parse_remote(text, request.job.type)
    except EndpointError as error:
        raise AgentError(f"{role}: {error.message}", error.hint) from error


def is_private_key(path: Path) -> bool:
    """Whether a credential is a private key; it is a password otherwise."""
    with path.open("rb") as file:
        return _SECRET.search(file.read(1 << 12)) is not None


def opened(request: Request, remote: Remote, known_hosts: str, *, encode_names: bool = False) -> Rclone:
    """rclone for `remote`, with what the job's credential opens."""
    name = request.job.credential
    credential = request.credential(name) if name else None
    access = rclone.Access(known_hosts=known_hosts)
    if credential and remote.protocol is Protocol.SFTP and is_private_key(credential):
        access = replace(access, key_file=str(credential))
    elif credential:
        access = replace(access, password=_obscured(credential))
    elif remote.protocol is Protocol.SFTP:
        raise AgentError(
            "the job has no credential",
            "name one in the job, and store a private key or a password: cncopctl credential set NAME",
        )
    elif remote.protocol is Protocol.FTP:
        remote = replace(remote, user=remote.user or "anonymous")
        access = replace(access, password=_obscured_text(b"anonymous@"))
    return Rclone(
        remote,
        access,
        rclone.Ways(),
        _environment(request),
        request.silence,
        encode_names,
        is_sending=request.job.direction is Direction.PUSH and request.action is not Action.RESTORE,
    )


def _obscured(credential: Path) -> str:
    """A password in the form that rclone's configuration wants it in; that form hides it from no one."""
    return _obscured_text(credential.read_bytes().split(b"\n", 1)[0].rstrip(b"\r"))


def _obscured_text(password: bytes) -> str:
    if not password:
        raise AgentError("the password is empty", "store it with: cncopctl credential set NAME")
    said = bytearray()
    # rclone takes a line from a terminal or a pipe alike.
    command = [_program(), "obscure", "-"]
    ended = run_engine(command, on_output=said.extend, env=_plain_environment(), stdin=password + b"\n")
    if ended.status != rclone.OK:
        raise AgentError("rclone cannot take the password", ended.errors.strip())
    return said.decode().strip()


def _environment(request: Request) -> dict[str, str]:
    certificates = request.optional_credential(CA_CERTIFICATES)
    # Go reads the system's directory of certificates besides this file.
    return _plain_environment() | ({"SSL_CERT_FILE": str(certificates)} if certificates else {})


def _plain_environment() -> dict[str, str]:
    """Our environment without rclone's own variables, which would override what we ask for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
    return kept | {"LC_ALL": "C.UTF-8"}


def tell_stats(
    progress: Progress, phase: str, files_known: int | None, bytes_known: int | None
) -> Callable[[rclone.Stats], None]:
    """Turns figures into progress; totals that are not known beforehand grow while rclone looks for files."""
    progress.tell(phase, "copying", bytes_total=bytes_known, files_total=files_known)

    def tell(stats: rclone.Stats) -> None:
        progress.tell(
            phase,
            "copying",
            bytes_done=stats.bytes,
            bytes_total=stats.total_bytes,
            files_done=stats.checks + stats.transfers if files_known else stats.transfers,
            files_total=files_known or stats.total_transfers,
        )

    return tell


def _program() -> str:
    return find_program("rclone", "rclone")
