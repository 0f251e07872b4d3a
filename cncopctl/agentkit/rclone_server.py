"""A server that rclone works with: how to talk to it, what it shows, and whether it lets us in.

What differs between SFTP, FTP and SMB is here; moving files is the same for all of them. What only one protocol
needs is imported where that is spoken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.agentkit.failure import AgentError, ExitStatus
from cncopctl.agentkit.rclone import CA_CERTIFICATES, Rclone, is_private_key, opened
from cncopctl.agentkit.request import KNOWN_HOSTS, Request
from cncopctl.agentkit.survey import Survey
from cncopctl.core.engines import rclone
from cncopctl.core.engines.rclone_failures import diagnose
from cncopctl.core.engines.remote import Protocol, Remote
from cncopctl.core.engines.sftp_packets import Status

if TYPE_CHECKING:
    from cncopctl.agentkit.sftp_survey import Sftp, SftpError
    from cncopctl.core.engines.rclone_filters import Excludes

_SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class Server:
    """A server. `is_directory` says what the job's place on it is, and fails where it does not let us in.

    `look` surveys the tree there, less what is excluded; None where there is nothing to see but what rclone
    itself sees. `at_once` says that both may go on while rclone works, and do not stand in its way. `shows_all` says
    that the survey has size and time of every file, as rclone compares them.
    """

    rclone: Rclone
    is_directory: Callable[[], bool]
    look: Callable[[Excludes], Survey | None]
    at_once: bool = False
    shows_all: bool = False

    @property
    def remote(self) -> Remote:
        """The job's place."""
        return self.rclone.remote


@contextlib.contextmanager
def reached(request: Request, remote: Remote, *, encode_names: bool = False) -> Iterator[Server]:
    """The server at which a job's `remote` is.

    Raises:
        AgentError: there is no way in, or there is nothing of that name.
    """
    match remote.protocol:
        case Protocol.SFTP:
            with _sftp(request, remote, encode_names=encode_names) as server:
                yield server
        case Protocol.FTP:
            yield _ftp(request, remote, encode_names=encode_names)
        case Protocol.SMB:
            engine = opened(request, remote, "", encode_names=encode_names)
            with _is_directory(engine) as is_directory:
                yield Server(engine, is_directory, lambda _excludes: None, at_once=True)


@contextlib.contextmanager
def _sftp(request: Request, remote: Remote, *, encode_names: bool) -> Iterator[Server]:
    from cncopctl.agentkit import sftp_survey

    with _own_known_hosts(request, remote) as known_hosts:
        engine = opened(request, remote, str(known_hosts), encode_names=encode_names)
        credential = request.credential(request.job.credential)
        root = os.fsencode(remote.served_path or ".")

        def session() -> contextlib.AbstractContextManager[Sftp]:
            by_password = not is_private_key(credential)
            return sftp_survey.connected(
                remote, credential, known_hosts, by_password=by_password, silence=request.silence
            )

        with contextlib.ExitStack() as first:
            sftp = first.enter_context(session())
            try:
                found = sftp.stat(root)
            except sftp_survey.SftpError as error:
                raise _no_such_place(remote, error) from error
            sessions = [sftp]

            def look(excludes: Excludes) -> Survey:
                if sessions:
                    survey = sftp_survey.Surveyor(sessions.pop(), root, excludes).run(found)
                    first.close()
                    return survey
                with session() as again:
                    return sftp_survey.Surveyor(again, root, excludes).run(again.stat(root))

            is_directory = found.is_directory
            yield Server(engine, lambda: is_directory, look, at_once=is_directory, shows_all=is_directory)


def _no_such_place(remote: Remote, error: SftpError) -> AgentError:
    words = "directory not found" if error.status == Status.NO_SUCH_FILE else f"permission denied: {error}"
    return AgentError.diagnosed(diagnose(rclone.NOT_FOUND[0], words, remote))


@contextlib.contextmanager
def _own_known_hosts(request: Request, remote: Remote) -> Iterator[Path]:
    """A file with the host keys of the server that somebody accepted, which may be added to."""
    from cncopctl.agentkit.sftp_survey import host_keys

    credential = request.optional_credential(KNOWN_HOSTS)
    files = [*([credential] if credential else []), Path.home() / ".ssh/known_hosts", _SYSTEM_KNOWN_HOSTS]
    directory = Path(tempfile.mkdtemp(prefix="cncop-"))
    try:
        known_hosts = directory / "known_hosts"
        known_hosts.write_bytes(host_keys(remote, [file for file in files if file.is_file()]))
        yield known_hosts
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _ftp(request: Request, remote: Remote, *, encode_names: bool) -> Server:
    from cncopctl.agentkit import ftp_survey

    engine = opened(request, remote, "", encode_names=encode_names)
    credential = request.credential(request.job.credential) if request.job.credential else None
    lines = credential.read_text(errors="surrogateescape").splitlines() if credential else []
    login = ftp_survey.Login(
        engine.remote.user, (lines or ["anonymous@"])[0], request.optional_credential(CA_CERTIFICATES)
    )
    try:
        with ftp_survey.connected(remote, login) as ftp:
            known = ftp_survey.directory(ftp, remote.served_path)
            if known and remote.served_path.startswith("/"):
                remote = replace(remote, path=known)
                engine = replace(engine, remote=replace(engine.remote, path=known))
            ways = ftp_survey.ways(ftp)  # after which some servers hang up
            if request.attempt > 1:  # what went wrong may have been that the server allows few
                ways = replace(ways, connections=1)
            engine = engine.with_ways(ways)
    except AgentError as error:
        if error.exit_status is not ExitStatus.RERUN:
            with _is_directory(engine) as answer:
                answer()  # rclone's words for what is wrong say more
        raise

    def is_directory() -> bool:
        if known:
            return True
        with _is_directory(engine) as answer:
            return answer()

    def look(excludes: Excludes) -> Survey | None:
        with ftp_survey.connected(remote, login) as ftp:
            survey = ftp_survey.survey(ftp, remote.served_path, excludes)
        # Where it knows MLSD, which is what rclone asks for, it may refuse LIST (550 and the like).
        is_refused = survey.unreadable.get("", "").startswith("5")
        return None if is_refused and not engine.ways.list_hidden else survey

    return Server(engine, is_directory, look)


@contextlib.contextmanager
def _is_directory(engine: Rclone) -> Iterator[Callable[[], bool]]:
    """Ask rclone what the job's place is; what is given is called for the answer, and gives it again."""
    answers: list[bool] = []
    with engine.asking("lsjson", "--stat", "--", f"{rclone.THERE}:{engine.remote.served_path}") as answer:

        def is_directory() -> bool:
            if not answers:
                answers.append(rclone.is_directory(answer()))
            return answers[0]

        yield is_directory
