"""What an agent costs above its bare engines: one large file and many small ones, first and second backup.

    python -m benchmarks agents                     with 5 GB and 100,000 files, or as these variables say:
    CNCOP_BENCH_LARGE    bytes of the large file: 5000000000, 200M
    CNCOP_BENCH_SMALL    number of small files; 0 leaves out either of them
    CNCOP_BENCH_AGENTS   words such as "sftp cifs"
    CNCOP_BENCH_ROUNDS   first backups, each into a new destination (1)
    CNCOP_BENCH_SECONDS  second backups in each round (5)
    TMPDIR               where all of it lies, five times over

Bare is what one would write into a script for the same: the engine with the options that are needed for that,
`restic init` where there is no repository, `restic backup`, and `restic forget --prune` for a job with a
retention; into a directory and a repository of its own. Each run is paired with one of the other side, which of
them goes first changes from pair to pair, and the ratio is the median of the pairs'. Afterwards both mirrors
have to be the source, and both repositories have to have every snapshot, with every file. Servers are those of
the contract tests, on loopback. CPU is user and system time of the agent or the script with all that it starts,
without that of the servers.
"""

from __future__ import annotations

import contextlib
import filecmp
import getpass
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from contract_servers import ftp_daemon, smb_daemon, ssh_daemon  # noqa: E402 - found only now

UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}
GOALS = {"large": 1.05, "small": 1.15}
PASSWORD = "benchmark"  # noqa: S105
KEEP = {"last": 30, "daily": 7}
"""A retention that removes nothing here: most runs of most jobs have nothing to remove."""


def asked(name: str, default: str) -> int:
    """A number from the environment; K, M and G are thousands."""
    text = os.environ.get(f"CNCOP_BENCH_{name}", default)
    return int(text[:-1]) * UNITS[text[-1]] if text[-1:] in UNITS else int(text)


LARGE, SMALL = asked("LARGE", "5G"), asked("SMALL", "100000")
ROUNDS, SECONDS = asked("ROUNDS", "1"), asked("SECONDS", "5")
AGENTS = os.environ.get("CNCOP_BENCH_AGENTS", "rsync sftp ftp cifs").split()


@dataclass
class Way:
    """How an agent and its bare engine get at a tree: a source, a credential, and rclone's configuration."""

    source: Callable[[Path], str]
    credential: bytes
    known_hosts: bytes = b""
    configuration: str = ""
    root: str = ""


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds."""

    wall: float
    cpu: float


@contextmanager
def way(agent: str, directory: Path) -> Iterator[Way]:
    """A server for an agent, on loopback, and how both sides get at it; its files are in `directory`."""
    user = getpass.getuser()
    match agent:
        case "rsync":
            yield Way(str, b"")
        case "sftp":
            with ssh_daemon(directory / "sshd") as sshd:
                place = f"type = sftp\nhost = 127.0.0.1\nport = {sshd.port}\nuser = {user}\n"
                place += f"key_file = {sshd.private_key}\nknown_hosts_file = {sshd.known_hosts}\n"
                # Else it runs md5sum by a shell for each file, a hundred times as slow.
                place += "disable_hashcheck = true\nshell_type = none\n"
                url = f"sftp://{user}@127.0.0.1:{sshd.port}"
                yield Way(
                    lambda path: f"{url}{path}",
                    sshd.private_key.read_bytes(),
                    sshd.known_hosts.read_bytes(),
                    place,
                )
        case "ftp":
            with ftp_daemon(directory / "ftpd") as ftpd:
                place = f"type = ftp\nhost = 127.0.0.1\nport = {ftpd.port}\nuser = anonymous\n"
                # vsftpd lists no name that begins with a dot unless it is asked to.
                place += f"pass = {obscured(ftpd.password)}\nwriting_mdtm = true\nforce_list_hidden = true\n"
                url = f"ftp://anonymous@127.0.0.1:{ftpd.port}"
                yield Way(lambda path: f"{url}{path}", ftpd.password.encode(), b"", place)
        case _:
            with smb_daemon(directory / "smbd") as smbd:
                place = f"type = smb\nhost = 127.0.0.1\nport = {smbd.port}\nuser = backup\n"
                place += f"pass = {obscured(smbd.password)}\n"
                url = f"smb://backup@127.0.0.1:{smbd.port}/files"
                yield Way(lambda path: f"{url}{path}", smbd.password.encode(), b"", place, "files")


def obscured(password: str) -> str:
    """A password as rclone's configuration has it."""
    done = subprocess.run(
        ["rclone", "obscure", "-"], input=password, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def make_large(where: Path) -> None:
    """A directory with one file of LARGE bytes, of which no block is like another."""
    where.mkdir()
    block = os.urandom(1 << 20)
    with (where / "large").open("wb") as file:
        for number in range(LARGE >> 20):
            file.write(number.to_bytes(8, "big") + block[8:])


def make_small(where: Path) -> None:
    """A tree of SMALL files of 200 to 2,000 bytes, a hundred in each directory."""
    for number in range(SMALL):
        directory = where / f"{number // 1000:03}" / f"{number // 100 % 10}"
        if number % 100 == 0:
            directory.mkdir(parents=True)
        (directory / f"{number:06}").write_bytes(os.urandom(200 + number % 1800))


class Ours:
    """The agent, as the dispatcher runs it: with a request, credentials and somebody who reads its progress."""

    def __init__(self, agent: str, way: Way, source: Path, directory: Path) -> None:
        self._agent, self._way, self._source, self._directory = agent, way, source, directory
        self.destination, credentials = directory / "destination", directory / "credentials"
        self.destination.mkdir(parents=True)
        credentials.mkdir()
        self.mirror, self.repository = self.destination / "mirror", self.destination / "repository"
        self.password = credentials / "repository-password"
        self.password.write_text(PASSWORD)
        (credentials / "login").write_bytes(way.credential or b"none")
        (credentials / "login").chmod(0o400)
        (credentials / "ssh-known-hosts").write_bytes(way.known_hosts)

    def run(self, *, is_kept: bool) -> None:
        """One backup, with a retention or without."""
        job = {"id": "bench", "type": self._agent.upper(), "direction": "PULL"}
        job |= {"source": self._way.source(self._source), "destination": str(self.destination)}
        job |= {"credential": "login"} if self._way.credential else {}
        request = {"contract": 1, "action": "backup", "run_id": "bench", "attempt": 1}
        request |= {"job": job | ({"keep": KEEP} if is_kept else {})}
        reader, writer = os.pipe()
        environment = os.environ | {
            "CREDENTIALS_DIRECTORY": str(self._directory / "credentials"),
            "CNCOP_RESULT": str(self._directory / "result"),
            "CNCOP_PROGRESS_FD": str(writer),
        }
        program = str(ROOT / "agents" / f"backupagent{self._agent}")
        listener = threading.Thread(target=lambda: open(reader, "rb").read())  # noqa: PTH123, SIM115
        listener.start()
        try:
            call([program], input=json.dumps(request).encode(), env=environment, pass_fds=[writer])
        finally:
            os.close(writer)
            listener.join()


class Bare:
    """The engines, as a script would run them."""

    def __init__(self, way: Way, source: Path, directory: Path) -> None:
        self._way, self._source, self._directory = way, source, directory
        self.mirror, self.repository = directory / "mirror", directory / "repository"
        self.mirror.mkdir(parents=True)
        self.password = directory / "password"
        self.password.write_text(PASSWORD)
        (directory / "rclone.conf").write_text(f"[there]\n{way.configuration}")

    def run(self, *, is_kept: bool) -> None:
        """One backup, with a retention or without."""
        call(self._transfer())
        if not self.repository.exists():
            restic(self, "init")
        restic(self, "backup", ".", cwd=self.mirror)
        if is_kept:
            rules = [word for name, value in KEEP.items() for word in (f"--keep-{name}", str(value))]
            restic(self, "forget", "--prune", *rules)

    def _transfer(self) -> list[str]:
        if not self._way.configuration:
            return ["rsync", "-aHAXS", "--numeric-ids", "--delete", f"{self._source}/", f"{self.mirror}/"]
        place = f"there:{self._way.root}{self._source}"
        command = ["rclone", "sync", "--create-empty-src-dirs"]
        command += ["--config", str(self._directory / "rclone.conf"), place, str(self.mirror)]
        # vsftpd fails a file that is read in parts: bare rclone could not do it at all.
        return command + (["--multi-thread-streams=0"] if "type = ftp" in self._way.configuration else [])


def restic(side: Ours | Bare, *words: str, cwd: Path | None = None) -> bytes:
    """What restic says of the repository of one side."""
    where = ["--no-cache", "--repo", str(side.repository), "--password-file", str(side.password)]
    return call(["restic", *where, *words], cwd=cwd)


def call(command: list[str], **how: object) -> bytes:
    """Run a program and return its stdout; the benchmark ends where it fails."""
    done = subprocess.run(command, capture_output=True, check=False, **how)  # type: ignore[call-overload]
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return bytes(done.stdout)


def cost(run: Callable[[], None]) -> Cost:
    """What `run` takes: seconds on the wall, and of CPU with all programs that it starts."""
    os.sync()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


@dataclass
class Pairs:
    """Costs of runs of ours, each with that of a bare one."""

    pairs: list[tuple[Cost, Cost]]

    def add(self, ours: Ours, bare: Bare, number: int, *, is_kept: bool) -> None:
        """Run both; who comes first, which may find less in the page cache, changes from pair to pair."""
        sides = [ours, bare] if number % 2 else [bare, ours]
        costs = {id(side): cost(lambda side=side: side.run(is_kept=is_kept)) for side in sides}  # type: ignore[misc]
        self.pairs.append((costs[id(ours)], costs[id(bare)]))

    def row(self, agent: str, kind: str, run: str) -> str:
        """Medians of it, and how far ratios range."""
        ratios = sorted(ours.wall / bare.wall for ours, bare in self.pairs)
        ours, bare = ([pair[side] for pair in self.pairs] for side in (0, 1))
        figures = [median(cost.wall for cost in side) for side in (ours, bare)]
        figures += [median(ratios), ratios[0], ratios[-1]]
        figures += [median(cost.cpu for cost in side) for side in (ours, bare)]
        words = f"{agent:6} {kind:6} {run:20} {len(ratios):4}"
        words += "{:9.2f} {:9.2f} {:7.2f} {:6.2f} {:5.2f} {:9.2f} {:9.2f}".format(*figures)
        goal = GOALS[kind]
        return f"{words} {goal:6.2f}  {'met' if median(ratios) <= goal else 'not met'}"


HEADING = (
    f"{'agent':6} {'files':6} {'run':20} {'runs':>4}{'agent s':>9} {'bare s':>9} {'ratio':>7}"
    f" {'least':>6} {'most':>5} {'agent CPU':>9} {'bare CPU':>9} {'goal':>6}"
)


def measure(agent: str, kind: str, source: Path, scratch: Path) -> None:
    """Print what first and second backup cost, and the second one of a job with a retention."""
    rows = {name: Pairs([]) for name in ("first", "second", "second, retention")}
    for number in range(ROUNDS):
        directory = scratch / f"{kind}-{agent}"
        directory.mkdir()
        with way(agent, directory) as how:
            ours = Ours(agent, how, source, directory / "ours")
            bare = Bare(how, source, directory / "bare")
            rows["first"].add(ours, bare, number, is_kept=False)
            for again in range(SECONDS):
                rows["second"].add(ours, bare, again, is_kept=False)
            for again in range(SECONDS):
                rows["second, retention"].add(ours, bare, again, is_kept=True)
            for side in (ours, bare):
                verify(side, source, 1 + 2 * SECONDS)
        shutil.rmtree(directory)
    for name, pairs in rows.items():
        if pairs.pairs:
            print(pairs.row(agent, kind, name), flush=True)


def verify(side: Ours | Bare, source: Path, runs: int) -> None:
    """End the benchmark unless a side has done all of its work."""
    what = type(side).__name__
    wanted = sorted(path.relative_to(source) for path in source.rglob("*"))
    if sorted(path.relative_to(side.mirror) for path in side.mirror.rglob("*")) != wanted:
        sys.exit(f"{what}: the mirror has other names than the source")
    files = [str(path) for path in wanted if (source / path).is_file()]
    _, differing, failed = filecmp.cmpfiles(source, side.mirror, files, shallow=False)
    if differing or failed:
        sys.exit(f"{what}: {len(differing) + len(failed)} files of the mirror differ from the source")
    snapshots = json.loads(restic(side, "snapshots", "--json", "--no-lock"))
    told = json.loads(restic(side, "stats", "--json", "--no-lock", "--mode=restore-size", "latest"))
    size = sum((source / path).stat().st_size for path in files)
    if (len(snapshots), told["total_size"]) != (runs, size):
        sys.exit(f"{what}: {len(snapshots)} snapshots of {runs}, the latest of {told['total_size']} bytes")


def main() -> None:
    """Measure every agent with both trees."""
    print(HEADING, flush=True)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cncop-bench-")))
        trees = [("large", make_large, LARGE), ("small", make_small, SMALL)]
        for kind, make, amount in trees:
            if amount:
                make(scratch / kind)
                for agent in AGENTS:
                    measure(agent, kind, scratch / kind, scratch)
                shutil.rmtree(scratch / kind)
