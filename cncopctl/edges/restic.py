"""Running restic on one repository: the history under every PULL job.

The password is read by restic itself from `--password-file`; it is in no argument and no environment. How
programs are run is an argument, so that an agent can show their progress and pass signals on to them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from cncopctl.core.engines import restic as reports
from cncopctl.core.engines.diagnosis import Diagnosis
from cncopctl.core.engines.snapshots import Snapshot, job_tag, parse_snapshots
from cncopctl.core.errors import CncopError

if TYPE_CHECKING:
    from pathlib import Path

OnMessage = Callable[[dict[str, Any]], None]

_PROGRESS_A_SECOND = "4"
_SPARSE_RESTORE = (0, 15)  # restic 0.15 learnt `restore --sparse` and `backup --no-scan`
_NO_SCAN = (0, 15)


class ResticError(CncopError):
    """restic failed, or its repository is not there; `transient` where trying again would help."""

    exit_status = 12

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.phrase, diagnosis.hint)
        self.transient = diagnosis.transient


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ran to its end; `errors` is the last part of what it wrote to stderr."""

    status: int
    errors: str


class Runner(Protocol):
    """Runs a program to its end, giving each line of its stdout to `on_line`."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        on_line: Callable[[bytes], None],
        cwd: Path | None,
        env: Mapping[str, str],
    ) -> Ended: ...


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
    """

    directory: Path
    password_file: Path
    cache_directory: Path | None = None
    runner: Runner = field(default=run_quietly, compare=False)

    def exists(self) -> bool:
        """Whether a repository was completely created here."""
        return (self.directory / "config").is_file()

    def ensure(self) -> bool:
        """Create the repository where there is none; whether it was created.

        It is made beside its place and moved there whole, since `restic init` writes a key before the
        config and would, killed in between, leave what is no repository and cannot become one.
        """
        if self.exists():
            return False
        making = self.directory.with_name(f".{self.directory.name}.new")
        shutil.rmtree(making, ignore_errors=True)
        replace(self, directory=making).create()
        try:
            making.rename(self.directory)
        except OSError as error:
            raise ResticError(
                Diagnosis(
                    f"{self.directory} is in the way of the repository: {error.strerror}",
                    "it is not a restic repository; move it away",
                )
            ) from error
        return True

    def create(self) -> None:
        """Create the repository here and now, which can be interrupted half-way: see `ensure`."""
        self._run("init", "--quiet")

    def remove_stale_locks(self) -> None:
        """Remove the locks that dead processes left; those of living ones stay (restic-unlock(1)).

        Without any lock file restic is not asked: deriving its key takes half a second.
        """
        locks = self.directory / "locks"
        if locks.is_dir() and any(locks.iterdir()):
            self._run("unlock")

    def backup(
        self, directory: Path, *, host: str, tags: Iterable[str], on_message: OnMessage
    ) -> reports.BackupSummary:
        """Snapshot what is in `directory`; the snapshot's root is the content of the directory.

        Raises:
            ResticError: there is no snapshot. One that restic could only make in part is removed again.
        """
        summaries: list[reports.BackupSummary] = []

        def read(message: dict[str, Any]) -> None:
            if summary := reports.backup_summary(message):
                summaries.append(summary)
            on_message(message)

        tagged = [word for tag in tags for word in ("--tag", tag)]
        quick = ["--no-scan"] if self._version() >= _NO_SCAN else []
        command = ["backup", "--json", "--host", host, *tagged, *quick, "."]
        ended = self._start(command, on_message=read, cwd=directory)
        if ended.status == reports.INCOMPLETE:
            for summary in summaries:
                self._run("forget", summary.snapshot_id)
        self._raise_failed(ended)
        if not summaries:
            raise ResticError(Diagnosis("restic ended well, but named no snapshot"))
        return replace(summaries[-1], snapshot_id=self._whole_id(summaries[-1].snapshot_id))

    def _whole_id(self, short_id: str) -> str:
        """The whole id: restic 0.14 reports the first eight digits of a new snapshot's."""
        found = [file.name for file in (self.directory / "snapshots").glob(f"{short_id}*")]
        return found[0] if len(found) == 1 else short_id

    def snapshots(self, job_id: str) -> list[Snapshot]:
        """The job's snapshots, oldest first; none where there is no repository yet."""
        if not self.exists():
            return []
        text = self._output("snapshots", "--json", "--no-lock", "--tag", job_tag(job_id))
        return parse_snapshots(text)

    def missing(self, snapshot_id: str, paths: Iterable[str]) -> list[str]:
        """Those of `paths`, from the root of the backup, that are not in the snapshot."""
        lost = {reports.as_listed(path): path for path in paths}

        def read(message: dict[str, Any]) -> None:
            lost.pop(message.get("path", ""), None)

        asked = ["/" + path.strip("/") for path in lost.values()]
        self._raise_failed(self._start(["ls", "--json", "--no-lock", snapshot_id, *asked], on_message=read))
        return list(lost.values())

    def restore(self, snapshot_id: str, to: Path, *, paths: Iterable[str], on_message: OnMessage) -> None:
        """Write the snapshot, or only `paths` of it, into `to`; overwrites, never deletes."""
        include = [word for path in paths for word in ("--include", reports.include_pattern(path))]
        sparse = ["--sparse"] if self._version() >= _SPARSE_RESTORE else []
        command = ["restore", "--json", "--no-lock", *sparse, "--target", str(to), *include, snapshot_id]
        self._raise_failed(self._start(command, on_message=on_message))

    def forget(self, job_id: str, keep: Mapping[str, int | str]) -> int:
        """Remove the job's snapshots that no rule keeps, and their data; how many were removed.

        The snapshots of the job are one group, wherever the repository was mounted when they were made.
        """
        rules = [word for name, value in keep.items() for word in (f"--keep-{name}", str(value))]
        if not rules:
            return 0
        removed: list[int] = []

        def read(line: bytes) -> None:
            removed.extend(reports.forgotten(line))

        command = ["forget", "--json", "--tag", job_tag(job_id), "--group-by", "", *rules, "--prune"]
        self._raise_failed(self._start(command, on_line=read))
        return sum(removed)

    def check(self, *, read_percent: int, on_message: OnMessage) -> None:
        """Verify the repository's structure, and that a random part of its data reads back unchanged."""
        subset = [f"--read-data-subset={read_percent}%"] if read_percent else []
        self._raise_failed(self._start(["check", *subset], on_message=on_message))

    def opens(self) -> None:
        """Raise ResticError unless the repository opens with this password. Writes nothing."""
        self._output("cat", "config", "--no-lock")

    def _version(self) -> tuple[int, int]:
        lines: list[bytes] = []
        self.runner([_program(), "version"], on_line=lines.append, cwd=None, env=_environment())
        return reports.version(b"\n".join(lines).decode(errors="replace"))

    def _run(self, *words: str) -> None:
        self._raise_failed(self._start(list(words)))

    def _output(self, *words: str) -> str:
        lines: list[bytes] = []
        self._raise_failed(self._start(list(words), on_line=lines.append))
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

        cache = ["--cache-dir", str(self.cache_directory)] if self.cache_directory else ["--no-cache"]
        where = ["--repo", str(self.directory), "--password-file", str(self.password_file)]
        return self.runner([_program(), *where, *cache, *words], on_line=read, cwd=cwd, env=_environment())

    def _raise_failed(self, ended: Ended) -> None:
        if ended.status != 0:
            raise ResticError(reports.diagnose(ended.status, ended.errors, str(self.directory)))


def snapshots(repository: Path, password_file: Path, job_id: str) -> list[Snapshot]:
    """The snapshots of a job in `repository`, oldest first; none where it was never created.

    Raises:
        ResticError: restic is not installed, or the repository does not open.
    """
    return Repository(repository, password_file).snapshots(job_id)


def _program() -> str:
    program = shutil.which("restic")
    if program is None:
        raise ResticError(Diagnosis("restic is not installed", "install it with: apt install restic"))
    return program


def _environment() -> dict[str, str]:
    """Our environment without RESTIC_ variables, which would override what we ask for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESTIC_")}
    return kept | {"RESTIC_PROGRESS_FPS": _PROGRESS_A_SECOND, "LC_ALL": "C.UTF-8"}
