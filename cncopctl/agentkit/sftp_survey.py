"""Surveying a tree over SFTP: OpenSSH opens the way, as it does for rsync, and we read the directories.

Many requests are under way at once, so that a distant server costs no time for each directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import stat
import struct
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cncopctl.agentkit.engine import end_with_us, find_program, pass_on, stop
from cncopctl.agentkit.failure import AgentError
from cncopctl.agentkit.request import PASSWORD_FILE
from cncopctl.agentkit.stall import SilentError
from cncopctl.agentkit.survey import TOO_LONG, Entry, Kind, Survey, is_too_long
from cncopctl.core.engines.endpoint import Endpoint, Transport
from cncopctl.core.engines.rsync_failures import diagnose
from cncopctl.core.engines.sftp_packets import VERSION, Attributes, PacketError, Reader, Status, request
from cncopctl.core.engines.sftp_packets import Kind as Packet
from cncopctl.core.engines.ssh import ssh_words

if TYPE_CHECKING:
    import signal
    from typing import IO

    from cncopctl.core.engines.rclone_filters import Excludes
    from cncopctl.core.engines.remote import Remote

_UNDER_WAY = 32
_PIPE = 1 << 20
_LARGEST_PACKET = 1 << 24
_CHUNK = 1 << 16
_SHOWN = 100

OnReply = Callable[[int, Reader], None]


class SftpError(Exception):
    """The server answered something with a status that is not OK."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@contextlib.contextmanager
def connected(
    remote: Remote, credential: Path, known_hosts: Path, *, by_password: bool, silence: int
) -> Iterator[Sftp]:
    """A session with the server, which may send nothing for `silence` seconds.

    Host keys that the server proves to have, besides the one that is known, are added to `known_hosts`, which
    is the caller's own: rclone insists on a type of key that need not be the one that the user knows.

    Raises:
        AgentError: there is no way in, in the words of ssh's failures.
    """
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
    words = ssh_words(
        port=remote.port,
        key_file="" if by_password else str(credential),
        known_hosts=str(known_hosts),
        by_password=by_password,
    )
    words += ["-o", "UpdateHostKeys=yes", "-s", "--", remote.login.strip("[]"), "sftp"]
    find_program("ssh", "openssh-client")
    child = subprocess.Popen(
        [*end_with_us(), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        bufsize=0,
        cwd="/",
        env=_environment(credential) if by_password else os.environ | {"LC_ALL": "C.UTF-8"},
        close_fds=False,
        start_new_session=True,
    )
    fcntl.fcntl(cast("IO[bytes]", child.stdin), fcntl.F_SETPIPE_SZ, _PIPE)
    try:
        yield Sftp(child, silence)
    except SilentError as error:
        stop(child, _terminate())
        raise AgentError(f"{remote.place} does not answer", transient=True) from error
    except (PacketError, EOFError, BrokenPipeError) as error:
        _hang_up(child)
        errors.seek(0)
        said = errors.read()
        pass_on(said)
        raise _lost(remote, child.wait(), said.decode(errors="replace"), error) from error
    finally:
        with contextlib.suppress(OSError):
            _hang_up(child)
        stop(child, _terminate())
        errors.close()


def _terminate() -> signal.Signals:
    import signal

    return signal.SIGTERM


def _hang_up(child: subprocess.Popen[bytes]) -> None:
    """Close our side, upon which ssh ends by itself."""
    if child.stdin:
        child.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=10)


def _environment(credential: Path) -> dict[str, str]:
    """Have ssh ask the agent's own executable for the password: it is told here in which file that is."""
    agent = str(Path(sys.argv[0]).resolve())
    asking = {"SSH_ASKPASS": agent, "SSH_ASKPASS_REQUIRE": "force", PASSWORD_FILE: str(credential)}
    return os.environ | asking | {"LC_ALL": "C.UTF-8"}


def _lost(remote: Remote, status: int, errors: str, error: Exception) -> AgentError:
    if "subsystem request failed" in errors:
        return AgentError(f"{remote.place} does not offer SFTP", "have its sshd offer it: Subsystem sftp")
    if isinstance(error, PacketError):
        return AgentError(
            f"{remote.place} prints something at login that is not SFTP",
            "make its shell start-up files silent where there is no terminal",
        )
    endpoint = Endpoint(Transport.SSH, remote.path, remote.host, remote.user, remote.port)
    return AgentError.diagnosed(
        diagnose(status or 255, errors or "Connection closed by the server", endpoint)
    )


class Sftp:
    """A conversation in SFTP.

    Raises:
        EOFError, BrokenPipeError: the server is gone.
        SilentError: it has sent nothing for `silence` seconds.
        PacketError: it speaks something else.
    """

    def __init__(self, child: subprocess.Popen[bytes], silence: int) -> None:
        self._stdin = cast("IO[bytes]", child.stdin)
        self._stdout = cast("IO[bytes]", child.stdout).fileno()
        self._silence = silence
        self._come = bytearray()
        self._number = 0
        self._replies: dict[int, OnReply] = {}
        self._waiting: deque[tuple[Packet, bytes, OnReply]] = deque()
        self._write(request(Packet.INIT, VERSION, b""))
        if self._read().byte() != Packet.VERSION:
            raise PacketError("it is not SFTP that answers")

    def ask(self, kind: Packet, argument: bytes, on_reply: OnReply) -> None:
        """Ask something; `on_reply` gets the type and the fields of the answer once `converse` runs."""
        self._waiting.append((kind, argument, on_reply))

    def converse(self) -> None:
        """Go on until everything that was asked is answered."""
        while self._waiting or self._replies:
            while self._waiting and len(self._replies) < _UNDER_WAY:
                kind, argument, on_reply = self._waiting.popleft()
                self._number += 1
                self._replies[self._number] = on_reply
                self._write(request(kind, self._number, argument))
            reader = self._read()
            answered, number = reader.byte(), reader.number()
            if number not in self._replies:
                raise PacketError("it answers what was not asked")
            self._replies.pop(number)(answered, reader)

    def stat(self, path: bytes) -> Attributes:
        """What the server says of a path, links followed.

        Raises:
            SftpError: it says why it cannot.
        """
        answers: list[Attributes] = []

        def read(kind: int, reader: Reader) -> None:
            if kind != Packet.ATTRS:
                raise failure(reader)
            answers.append(reader.attributes())

        self.ask(Packet.STAT, path, read)
        self.converse()
        return answers[0]

    def _write(self, packet: bytes) -> None:
        view = memoryview(packet)
        while view:
            view = view[self._stdin.write(view) :]

    def _read(self) -> Reader:
        (length,) = struct.unpack(">I", self._take(4))
        if not 0 < length <= _LARGEST_PACKET:
            raise PacketError("that is no length of a packet")
        return Reader(self._take(length))

    def _take(self, count: int) -> bytes:
        """So many bytes, once they have come."""
        while len(self._come) < count:
            if not select.select([self._stdout], [], [], self._silence)[0]:
                raise SilentError
            chunk = os.read(self._stdout, _CHUNK)
            if not chunk:
                raise EOFError
            self._come += chunk
        taken = bytes(self._come[:count])
        del self._come[:count]
        return taken


def failure(reader: Reader) -> SftpError:
    """What a STATUS packet says."""
    return SftpError(reader.number(), reader.text().decode(errors="replace"))


class Surveyor:
    """Reads a tree: directories as they are found, links as they are met."""

    def __init__(self, sftp: Sftp, root: bytes, excludes: Excludes) -> None:
        self._sftp = sftp
        self._root = root
        self._excludes = excludes
        self.survey = Survey()

    def run(self, root: Attributes) -> Survey:
        """The survey of the tree whose root has these attributes."""
        self.survey.entries[""] = _entry(Kind.DIRECTORY, root)
        self._open("")
        self._sftp.converse()
        return self.survey

    def _path(self, below: str) -> bytes:
        return self._root.rstrip(b"/") + b"/" + os.fsencode(below) if below else self._root

    def _open(self, directory: str) -> None:
        def read(kind: int, reader: Reader) -> None:
            if kind == Packet.HANDLE:
                self._next(directory, reader.text())
            else:
                self._note(directory, failure(reader))

        self._sftp.ask(Packet.OPENDIR, self._path(directory), read)

    def _next(self, directory: str, handle: bytes) -> None:
        def read(kind: int, reader: Reader) -> None:
            if kind == Packet.NAME:
                self._next(directory, handle)
                for named in reader.names():
                    self._take(directory, named.name, named.attributes)
                return
            if (error := failure(reader)).status != Status.EOF:
                self._note(directory, error)
            self._sftp.ask(Packet.CLOSE, handle, lambda _kind, _reader: None)

        self._sftp.ask(Packet.READDIR, handle, read)

    def _take(self, directory: str, name: bytes, attributes: Attributes) -> None:
        if name in (b".", b".."):
            return
        if b"/" in name or b"\0" in name or not name:
            raise AgentError(
                f"the server shows a name that no file can have: {os.fsdecode(name)[:_SHOWN]!r}",
                "it is broken, or means harm: ask whoever runs it",
            )
        path = os.fsdecode(name) if not directory else f"{directory}/{os.fsdecode(name)}"
        mode = attributes.mode or 0
        is_directory = stat.S_ISDIR(mode)
        if self._excludes.leave_out(path, is_directory=is_directory):
            return
        if is_directory:
            self.survey.entries[path] = _entry(Kind.DIRECTORY, attributes)
            if is_too_long(path):
                self.survey.unreadable[path] = TOO_LONG
            else:
                self._open(path)
        elif stat.S_ISLNK(mode):
            self._read_link(path, attributes)
        else:
            self.survey.entries[path] = _entry(Kind.FILE if stat.S_ISREG(mode) else Kind.OTHER, attributes)

    def _read_link(self, path: str, attributes: Attributes) -> None:
        def read(kind: int, reader: Reader) -> None:
            if kind == Packet.NAME:
                target = os.fsdecode(reader.names()[0].name)
                self.survey.entries[path] = _entry(Kind.LINK, attributes, target)
            else:
                self._note(path, failure(reader))

        self._sftp.ask(Packet.READLINK, self._path(path), read)

    def _note(self, path: str, error: SftpError) -> None:
        """What has vanished since its directory was read is no failure."""
        if error.status != Status.NO_SUCH_FILE:
            self.survey.unreadable[path] = str(error)
        elif self.survey.entries.get(path):
            del self.survey.entries[path]


def _entry(kind: Kind, attributes: Attributes, target: str | None = None) -> Entry:
    mode = None if attributes.mode is None else stat.S_IMODE(attributes.mode)
    return Entry(kind, attributes.size or 0, mode, attributes.uid, attributes.gid, attributes.mtime, target)


def host_keys(remote: Remote, files: list[Path]) -> bytes:
    """The lines of known_hosts files that are about the server, hashed ones included.

    rclone reads a file as a whole and stops at a line that it does not understand.
    """
    host = remote.host.strip("[]")
    wanted = f"[{host}]:{remote.port}" if remote.port and remote.port != remote.default_port else host
    lines = []
    for path in files:
        done = subprocess.run(
            ["ssh-keygen", "-F", wanted, "-f", str(path)],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        lines += [line for line in done.stdout.splitlines() if line and not re.match(rb"\s*#", line)]
    return b"".join(line + b"\n" for line in lines)
