"""Running restic on one repository: the history under every PULL job.

The password is read by restic itself from `--password-file`; it is in no argument and no environment. How
programs are run is an argument, so that an agent can show their progress and pass signals on to them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cncopctl.core.engines import restic as reports
from cncopctl.core.engines.diagnosis import Diagnosis
from cncopctl.core.engines.running import Ended, Runner
from cncopctl.core.engines.snapshots import Snapshot, job_tag, parse_snapshots
from cncopctl.core.errors import CncopError

OnMessage = Callable[[dict[str, Any]], None]

CREATE = ("init", "--quiet")

_PROGRESS_A_SECOND = "4"
_SPARSE_RESTORE = (0, 15)  # restic 0.15 learnt `restore --sparse` and `backup --no-scan`
_NO_SCAN = (0, 15)


class ResticError(CncopError):
    """restic failed, or its repository is not there; `transient` where trying again would help."""

    exit_status = 12

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.phrase, diagnosis.hint)
        self.transient = diagnosis.transient


def run_quietly(
    command: Sequence[str], *, on_line: Callable[[bytes], None], cwd: Path | None, env: Mapping[str, str]
) -> Ended:
    """The plain runner: collects the output, then hands it over."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    for line in done.stdout.splitlines():
        on_line(line)
    return Ended(done.returncode, done.stderr.decode(errors="surrogateescape"))


@dataclass(frozen=True, slots=True)
class Repository:
    """A restic repository in a directory of this machine.

    `cache_directory` is None to do without: for a repository on a local disk a cache is a second copy of
    what can be read as quickly (100,000 small files: 6.6 s without, 12.0 s with, measured with restic 0.14).
    `version_note` is a file that remembers which version the program is, so that it is asked only once.
    `on_warning` hears of what restic passes over: it ends well although parts of a repository cannot be read.
    """

    directory: Path
    password_file: Path
    cache_directory: Path | None = None
    runner: Runner = field(default=run_quietly, compare=False)
    version_note: Path | None = field(default=None, compare=False)
    on_warning: Callable[[str], None] = field(default=lambda _warning: None, compare=False)

    def exists(self) -> bool:
        """Whether a repository was completely created here."""
        return (self.directory / "config").is_file()

    def ensure(self, *, is_begun: bool = False) -> bool:
        """Create the repository where there is none; whether it was created.

        It is made beside its place and moved there whole, since `restic init` writes a key before the
        config and would, killed in between, leave what is no repository and cannot become one. `is_begun` says
        that the runner is making it already.
        """
        if self.exists():
            return False
        making = self.making()
        if not is_begun:
            shutil.rmtree(making.directory, ignore_errors=True)
        making.create()
        try:
            making.directory.rename(self.directory)
        except OSError as error:
            self._refuse_remains()
            phrase = f"{self.directory} is in the way of the repository: {error.strerror}"
            raise ResticError(Diagnosis(phrase, "it is not a restic repository; move it away")) from error
        return True

    def making(self) -> Repository:
        """The repository where it is made."""
        return replace(self, directory=self.directory.with_name(f".{self.directory.name}.new"))

    def create(self) -> None:
        """Create the repository here and now, which can be interrupted half-way: see `ensure`."""
        self._run(*CREATE)

    def remove_stale_locks(self) -> None:
        """Remove the locks that dead processes left; those of living ones stay (restic-unlock(1)).

        Without any lock file restic is not asked: deriving its key takes half a second. A lock whose process
        number another program has got meanwhile, restic takes for a living one; we look closer.
        """
        if not self.is_locked():
            return
        self._run("unlock")
        left = self._lock_ids()
        if left and all(self._is_dead(lock) for lock in left):
            self._run("unlock", "--remove-all")

    def is_locked(self) -> bool:
        """Whether there is any lock, of a living process or a dead one."""
        return bool(self._lock_ids())

    def _lock_ids(self) -> list[str]:
        """The locks there are. What else is beside them, a killed restic was about to make one of."""
        locks = self.directory / "locks"
        names = [path.name for path in locks.iterdir()] if locks.is_dir() else []
        return [name for name in names if re.fullmatch("[0-9a-f]{64}", name)]

    def _is_dead(self, lock_id: str) -> bool:
        """Whether a lock was left by a process of this machine that is dead, whoever has its number now.

        restic takes a zombie for a living process; a container's init may never reap it (proc(5), status).
        """
        lock = reports.parse_lock(self._output("cat", "lock", lock_id, "--no-lock"))
        if lock is None or lock.hostname != socket.gethostname():
            return False
        try:
            process = Path(f"/proc/{lock.pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False  # nobody's, which restic knows, or hidden from us
        return not process.startswith("Name:\trestic\n") or "\nState:\tZ" in process

    def backup(
        self, directory: Path, *, host: str, tags: Iterable[str], on_message: OnMessage, parent: str = ""
    ) -> reports.BackupSummary:
        """Snapshot what is in `directory`; the snapshot's root is the content of the directory.

        Files are read only where they differ from those of `parent`; "" is the last snapshot of that host.

        Raises:
            ResticError: there is no snapshot. One that restic could only make in part is removed again.
        """
        summaries: list[reports.BackupSummary] = []

        def read(message: dict[str, Any]) -> None:
            if summary := reports.backup_summary(message):
                summaries.append(summary)
            on_message(message)

        ended = self._start(self.backup_words(host, tags, parent), on_message=read, cwd=directory)
        if ended.status == reports.INCOMPLETE:
            for summary in summaries:
                self._run("forget", summary.snapshot_id)
        self.raise_failed(ended)
        if not summaries:
            raise ResticError(Diagnosis("restic ended well, but named no snapshot"))
        return replace(summaries[-1], snapshot_id=self._whole_id(summaries[-1].snapshot_id))

    def backup_words(self, host: str, tags: Iterable[str], parent: str) -> list[str]:
        """How restic is asked for a backup of the directory in which it is started."""
        tagged = [word for tag in tags for word in ("--tag", tag)]
        quick = ["--no-scan"] if self._version() >= _NO_SCAN else []
        base = ["--parent", parent] if self.has_snapshot(parent) else []
        return ["backup", "--json", "--host", host, *tagged, *quick, *base, "."]

    def has_snapshot(self, snapshot_id: str) -> bool:
        """Whether a snapshot of that whole id is there."""
        return bool(snapshot_id) and (self.directory / "snapshots" / snapshot_id).is_file()

    def _whole_id(self, short_id: str) -> str:
        """The whole id: restic 0.14 reports the first eight digits of a new snapshot's."""
        found = [file.name for file in (self.directory / "snapshots").glob(f"{short_id}*")]
        return found[0] if len(found) == 1 else short_id

    def snapshots(self, job_id: str) -> list[Snapshot]:
        """The job's snapshots, oldest first; none where there is no repository yet, not even a damaged one."""
        if not self.exists():
            self._refuse_remains()
            return []
        lines: list[bytes] = []
        ended = self._start(
            ["snapshots", "--json", "--no-lock", "--tag", job_tag(job_id)], on_line=lines.append
        )
        self.raise_failed(ended)
        self._tell_unread(ended)
        return parse_snapshots(b"\n".join(lines).decode(errors="replace"))

    def _tell_unread(self, ended: Ended) -> None:
        for name in reports.unread_snapshots(ended.errors):
            self.on_warning(self._damaged(f"snapshot {name[:8]} cannot be read"))

    def _damaged(self, what: str) -> str:
        return f"the repository at {self.directory} is damaged: {what}"

    def _refuse_remains(self) -> None:
        """What is left of a repository without the file that opens it is not the same as none yet."""
        if any((self.directory / name).is_dir() for name in ("data", "snapshots", "keys")):
            phrase = self._damaged("without its file config it does not open")
            raise ResticError(Diagnosis(phrase, "put that file back from a copy; keep all else as it is"))

    def walk(
        self,
        snapshot_id: str,
        paths: Sequence[str] = (),
        *,
        recursive: bool = True,
        on_node: Callable[[reports.Node], None],
    ) -> None:
        """Hand over what is in a snapshot, or only `paths` of it with what is below them, in its order.

        Without `recursive`, of a directory only itself and what is directly in it.
        """

        def read(message: dict[str, Any]) -> None:
            if node := reports.parse_node(message):
                on_node(node)

        options = ["--recursive"] if recursive else []
        asked = ["/" + path.strip("/") for path in paths or ([] if recursive else [""])]
        command = ["ls", "--json", "--no-lock", *options, snapshot_id, *asked]
        self.raise_failed(self._start(command, on_message=read))

    def diff(
        self, older: str, newer: str, *, metadata: bool, on_change: Callable[[reports.Change], None]
    ) -> None:
        """Hand over what differs from one snapshot to another."""

        def read(message: dict[str, Any]) -> None:
            if change := reports.parse_change(message):
                on_change(change)

        options = ["--metadata"] if metadata else []
        command = ["diff", "--json", "--no-lock", *options, older, newer]
        self.raise_failed(self._start(command, on_message=read))

    def find(self, job_id: str, patterns: Sequence[str]) -> list[tuple[str, reports.Node]]:
        """What matches shell patterns in any snapshot of the job, with the snapshot's id."""
        if not self.exists():
            return []
        words = ["find", "--json", "--no-lock", "--tag", job_tag(job_id), "--", *patterns]
        unread, answer = reports.split_answer(self._output(*words))
        for name in unread:
            self.on_warning(self._damaged(f"snapshot {name[:8]} could not be looked through"))
        return reports.parse_matches(answer)

    def restore(
        self,
        snapshot_id: str,
        to: Path,
        *,
        paths: Iterable[str],
        on_message: OnMessage,
        shown: Path | None = None,
    ) -> None:
        """Write the snapshot, or only `paths` of it, into `to`, which messages call `shown`; never deletes."""
        include = [word for path in paths for word in ("--include", reports.include_pattern(path))]
        sparse = ["--sparse"] if self._version() >= _SPARSE_RESTORE else []
        command = ["restore", "--json", "--no-lock", *sparse, "--target", str(to), *include, snapshot_id]
        ended = self._start(command, on_message=on_message)
        if ended.status != 0:
            where = str(self.directory)
            raise ResticError(reports.diagnose_restore(ended.status, ended.errors, where, str(shown or to)))

    def forget(
        self, job_id: str, keep: Mapping[str, int | str], *, dry_run: bool = False
    ) -> reports.Retained:
        """Remove the job's snapshots that no rule keeps, and their data; with `dry_run` only say which.

        The snapshots of the job are one group, wherever the repository was mounted when they were made; those
        that the guard suspects have a host of their own, and so are counted apart.
        """
        rules = [word for name, value in keep.items() for word in (f"--keep-{name}", str(value))]
        found: list[reports.Retained] = []
        if not rules:
            return reports.Retained()

        def read(line: bytes) -> None:
            if retained := reports.parse_retained(line):
                found.append(retained)

        how = ["--dry-run", "--no-lock"] if dry_run else ["--prune"]
        command = ["forget", "--json", "--tag", job_tag(job_id), "--group-by", "host", *rules, *how]
        ended = self._start(command, on_line=read)
        self.raise_failed(ended)
        self._tell_unread(ended)
        return found[0] if found else reports.Retained()

    def check(self, *, part: int, of: int, on_message: OnMessage) -> None:
        """Verify the repository's structure, and that the given part of its data reads back unchanged.

        It takes no lock of restic's, which would keep backups from beginning: what is added meanwhile does no
        harm, since snapshots are read before the index. Callers see to it that nothing is removed meanwhile.
        """
        subset = "--read-data" if of == 1 else f"--read-data-subset={part}/{of}"
        self.raise_failed(self._start(["check", "--no-lock", subset], on_message=on_message))

    def size(self) -> int:
        """Bytes of data in the repository."""
        directories = (self.directory / "data").iterdir() if self.exists() else ()
        return sum(
            entry.stat().st_size
            for directory in directories
            if directory.is_dir()
            for entry in os.scandir(directory)
        )

    def opens(self) -> None:
        """Raise ResticError unless the repository opens with this password. Writes nothing."""
        self._output("cat", "config", "--no-lock")

    def command(self, *words: str) -> list[str]:
        """The command that has restic do `words` here, for callers that run it themselves."""
        cache = ["--cache-dir", str(self.cache_directory)] if self.cache_directory else ["--no-cache"]
        where = ["--repo", str(self.directory), "--password-file", str(self.password_file)]
        return [_program(), *where, *cache, *words]

    def raise_failed(self, ended: Ended) -> None:
        """Say why restic did not end with 0.

        Raises:
            ResticError: it did not.
        """
        if ended.status != 0:
            raise ResticError(reports.diagnose(ended.status, ended.errors, str(self.directory)))

    def _version(self) -> tuple[int, int]:
        """The program's version, asked of it once, and again when it is another file."""
        program = _program()
        status = Path(program).stat()
        this: list[str | int] = [program, status.st_ino, status.st_size, status.st_mtime_ns]
        if known := _noted_version(self.version_note, this):
            return known
        lines: list[bytes] = []
        self.runner([program, "version"], on_line=lines.append, cwd=None, env=environment())
        version = reports.version(b"\n".join(lines).decode(errors="replace"))
        if self.version_note:
            with suppress(OSError):
                aside = self.version_note.with_name(f".{self.version_note.name}.new")
                aside.write_text(json.dumps({"program": this, "version": version}), encoding="utf-8")
                aside.replace(self.version_note)
        return version

    def _run(self, *words: str) -> None:
        self.raise_failed(self._start(list(words)))

    def _output(self, *words: str) -> str:
        lines: list[bytes] = []
        self.raise_failed(self._start(list(words), on_line=lines.append))
        return b"\n".join(lines).decode(errors="replace")

    def _start(
        self,
        words: list[str],
        *,
        on_message: OnMessage | None = None,
        on_line: Callable[[bytes], None] | None = None,
        cwd: Path | None = None,
    ) -> Ended:
        def read(line: bytes) -> None:
            if on_line:
                on_line(line)
            elif on_message and (message := reports.parse_line(line)):
                on_message(message)

        return self.runner(self.command(*words), on_line=read, cwd=cwd, env=environment())


def _noted_version(note: Path | None, program: list[str | int]) -> tuple[int, int] | None:
    try:
        document = json.loads(note.read_bytes()) if note else {}
        major, minor = document["version"] if document["program"] == program else ("", "")
        return int(major), int(minor)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _program() -> str:
    program = shutil.which("restic")
    if program is None:
        raise ResticError(Diagnosis("restic is not installed", "install it with: apt install restic"))
    return program


def environment() -> dict[str, str]:
    """For restic: our environment without RESTIC_ variables, which would override what we ask for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESTIC_")}
    return kept | {"RESTIC_PROGRESS_FPS": _PROGRESS_A_SECOND, "LC_ALL": "C.UTF-8"}
