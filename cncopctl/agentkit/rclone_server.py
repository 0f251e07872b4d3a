"""A server that rclone works with: how to talk to it, what it shows, and whether it lets us in.

What differs between SFTP, FTP and SMB is here; moving files is the same for all of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.agentkit import ftp_survey, sftp_survey
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.rclone import CA_CERTIFICATES, Rclone, is_private_key, opened
from cncopctl.agentkit.request import KNOWN_HOSTS, Request
from cncopctl.agentkit.survey import Survey
from cncopctl.core.engines import rclone
from cncopctl.core.engines.rclone_failures import diagnose
from cncopctl.core.engines.remote import Protocol, Remote
from cncopctl.core.engines.sftp_packets import Status

if TYPE_CHECKING:
    from cncopctl.core.engines.rclone_filters import Excludes

_SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has let us in. `is_directory` says what the job's place on it is.

    `look` surveys the tree there, less what is excluded; None where there is nothing to see but what rclone
    itself sees.
    """

    rclone: Rclone
    is_directory: bool
    look: Callable[[Excludes], Survey | None]

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
            yield Server(engine, _is_directory(engine), lambda _excludes: None)


@contextlib.contextmanager
def _sftp(request: Request, remote: Remote, *, encode_names: bool) -> Iterator[Server]:
    with _own_known_hosts(request, remote) as known_hosts:
        engine = opened(request, remote, str(known_hosts), encode_names=encode_names)
        credential = request.credential(request.job.credential)
        root = os.fsencode(remote.served_path or ".")

        def session() -> contextlib.AbstractContextManager[sftp_survey.Sftp]:
            by_password = not is_private_key(credential)
            return sftp_survey.connected(remote, credential, known_hosts, by_password=by_password)

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

            yield Server(engine, found.is_directory, look)


def _no_such_place(remote: Remote, error: sftp_survey.SftpError) -> AgentError:
    words = "directory not found" if error.status == Status.NO_SUCH_FILE else f"permission denied: {error}"
    return AgentError.diagnosed(diagnose(rclone.NOT_FOUND[0], words, remote))


@contextlib.contextmanager
def _own_known_hosts(request: Request, remote: Remote) -> Iterator[Path]:
    """A file with the host keys of the server that somebody accepted, which may be added to."""
    credential = request.optional_credential(KNOWN_HOSTS)
    files = [*([credential] if credential else []), Path.home() / ".ssh/known_hosts", _SYSTEM_KNOWN_HOSTS]
    directory = Path(tempfile.mkdtemp(prefix="cncop-"))
    try:
        known_hosts = directory / "known_hosts"
        known_hosts.write_bytes(sftp_survey.host_keys(remote, [file for file in files if file.is_file()]))
        yield known_hosts
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _ftp(request: Request, remote: Remote, *, encode_names: bool) -> Server:
    engine = opened(request, remote, "", encode_names=encode_names)
    is_directory = _is_directory(engine)
    credential = request.credential(request.job.credential) if request.job.credential else None
    lines = credential.read_text(errors="surrogateescape").splitlines() if credential else []
    login = ftp_survey.Login(
        engine.remote.user, (lines or ["anonymous@"])[0], request.optional_credential(CA_CERTIFICATES)
    )
    with ftp_survey.connected(remote, login) as ftp:
        engine = engine.with_ways(ftp_survey.ways(ftp))

    def look(excludes: Excludes) -> Survey | None:
        if not engine.ways.list_hidden:
            return None
        with ftp_survey.connected(remote, login) as ftp:
            return ftp_survey.survey(ftp, remote.served_path, excludes)

    return Server(engine, is_directory, look)


def _is_directory(engine: Rclone) -> bool:
    path = engine.remote.served_path
    return rclone.is_directory(engine.answer("lsjson", "--stat", "--", f"{rclone.THERE}:{path}"))
