"""What an agent costs above its bare engines: one large file and many small ones, first and second backup.

    python -m benchmarks agents                     with 5 GB and 100,000 files, or as these variables say:
    CNCOP_BENCH_LARGE  bytes of the large file      CNCOP_BENCH_SMALL  number of small files
    CNCOP_BENCH_AGENTS  words such as "sftp cifs"   TMPDIR  where all of it lies, four times over

Bare is the engine as one would call it, and then `restic backup`, into a directory and a repository of its
own. Servers are those of the contract tests, on loopback.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from contract_servers import ftp_daemon, smb_daemon, ssh_daemon  # noqa: E402 - found only now

LARGE = int(os.environ.get("CNCOP_BENCH_LARGE", 5 * 10**9))
SMALL = int(os.environ.get("CNCOP_BENCH_SMALL", 100_000))
AGENTS = os.environ.get("CNCOP_BENCH_AGENTS", "rsync sftp ftp cifs").split()
GOALS = {"large": 1.05, "small": 1.15}
PASSWORD = "benchmark"  # noqa: S105


@dataclass
class Way:
    """How an agent and its bare engine get at a tree: a source, a credential, and rclone's configuration."""

    source: Callable[[Path], str]
    credential: bytes
    known_hosts: bytes = b""
    configuration: str = ""
    root: str = ""


@contextmanager
def way(agent: str, directory: Path) -> Iterator[Way]:
    user = getpass.getuser()
    match agent:
        case "rsync":
            yield Way(str, b"")
        case "sftp":
            with ssh_daemon(directory / "sshd") as sshd:
                place = f"type = sftp\nhost = 127.0.0.1\nport = {sshd.port}\nuser = {user}\n"
                place += f"key_file = {sshd.private_key}\nknown_hosts_file = {sshd.known_hosts}\n"
                # Else it runs md5sum by a shell for each file, a hundred times as slow.
                place += "disable_hashcheck = true\n"
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
                place += f"pass = {obscured(ftpd.password)}\nwriting_mdtm = true\n"
                url = f"ftp://anonymous@127.0.0.1:{ftpd.port}"
                yield Way(lambda path: f"{url}{path}", ftpd.password.encode(), b"", place)
        case _:
            with smb_daemon(directory / "smbd") as smbd:
                place = f"type = smb\nhost = 127.0.0.1\nport = {smbd.port}\nuser = backup\n"
                place += f"pass = {obscured(smbd.password)}\n"
                url = f"smb://backup@127.0.0.1:{smbd.port}/files"
                yield Way(lambda path: f"{url}{path}", smbd.password.encode(), b"", place, "files")


def obscured(password: str) -> str:
    done = subprocess.run(
        ["rclone", "obscure", "-"], input=password, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def make_large(where: Path) -> None:
    where.mkdir()
    block = os.urandom(1 << 20)
    with (where / "large").open("wb") as file:
        for number in range(LARGE >> 20):
            file.write(number.to_bytes(8, "big") + block[8:])


def make_small(where: Path) -> None:
    for number in range(SMALL):
        directory = where / f"{number // 1000:03}" / f"{number // 100 % 10}"
        if number % 100 == 0:
            directory.mkdir(parents=True)
        (directory / f"{number:06}").write_bytes(os.urandom(200 + number % 1800))


def agent_run(agent: str, way: Way, source: Path, directory: Path) -> None:
    credentials, destination = directory / "credentials", directory / "destination"
    if not destination.exists():
        destination.mkdir(parents=True)
        credentials.mkdir()
        (credentials / "repository-password").write_text(PASSWORD)
        (credentials / "login").write_bytes(way.credential or b"none")
        (credentials / "login").chmod(0o400)
        (credentials / "ssh-known-hosts").write_bytes(way.known_hosts)
    job = {"id": "bench", "type": agent.upper(), "direction": "PULL", "source": way.source(source)}
    job |= {"destination": str(destination)} | ({"credential": "login"} if way.credential else {})
    request = {"contract": 1, "action": "backup", "run_id": "bench", "attempt": 1, "job": job}
    environment = os.environ | {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "CNCOP_RESULT": str(directory / "result"),
    }
    program = str(ROOT / "agents" / f"backupagent{agent}")
    subprocess.run(
        [program], input=json.dumps(request).encode(), env=environment, check=True, capture_output=True
    )


def bare_run(way: Way, source: Path, directory: Path) -> None:
    mirror, repository, password = directory / "mirror", directory / "repository", directory / "password"
    if not mirror.exists():
        mirror.mkdir(parents=True)
        password.write_text(PASSWORD)
        (directory / "rclone.conf").write_text(f"[there]\n{way.configuration}")
        restic(repository, password, "init", cwd=directory)
    if way.configuration:
        place = f"there:{way.root}{source}"
        command = ["rclone", "sync", "--config", str(directory / "rclone.conf"), place, str(mirror)]
        # vsftpd fails a file that is read in parts: bare rclone could not do it at all.
        command += ["--multi-thread-streams=0"] if "type = ftp" in way.configuration else []
    else:
        command = ["rsync", "-aHAXS", "--delete", f"{source}/", f"{mirror}/"]
    subprocess.run(command, check=True, capture_output=True)
    restic(repository, password, "backup", ".", cwd=mirror)


def restic(repository: Path, password: Path, *words: str, cwd: Path) -> None:
    where = ["--no-cache", "--repo", str(repository), "--password-file", str(password)]
    subprocess.run(["restic", *where, *words], cwd=cwd, check=True, capture_output=True)


def seconds(run: Callable[[], None]) -> float:
    os.sync()
    began = time.monotonic()
    run()
    return time.monotonic() - began


def measure(agent: str, kind: str, source: Path, directory: Path) -> None:
    """Print times of first and second backup, bare and ours in turn."""
    with way(agent, directory) as how:
        ours, bare = directory / "ours", directory / "bare"
        for number in ("first", "second"):
            theirs = seconds(lambda: bare_run(how, source, bare))
            mine = seconds(lambda: agent_run(agent, how, source, ours))
            told = f"{mine / theirs:.2f} of the bare engines (goal {GOALS[kind]})"
            print(f"{agent:6} {kind:6} {number:7} {mine:8.2f} s, bare {theirs:8.2f} s: {told}", flush=True)


def main() -> None:
    """Measure every agent with both trees."""
    with tempfile.TemporaryDirectory(prefix="cncop-bench-") as scratch:
        for kind, make in (("large", make_large), ("small", make_small)):
            source = Path(scratch, kind)
            make(source)
            for agent in AGENTS:
                directory = Path(scratch, f"{kind}-{agent}")
                directory.mkdir()
                measure(agent, kind, source, directory)
                shutil.rmtree(directory)
            shutil.rmtree(source)
