"""What the contract suite needs: every agent there is, a way to ask it, and servers to back up from."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contract_keys import replace_keys
from contract_servers import (
    FtpServer,
    Server,
    SmbServer,
    SshServer,
    ftp_daemon,
    rsync_daemon,
    smb_daemon,
    ssh_daemon,
)
from contract_trees import carried, make_odd_tree, make_odd_tree_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

AGENTS = Path(__file__).parents[2] / "agents"
PASSWORD = "pässword-of-the-repository"  # noqa: S105
DAEMON_PASSWORD = "pass word of the module"  # noqa: S105
FOUND = sorted(path for path in AGENTS.iterdir() if os.access(path, os.X_OK) and path.is_file())


@dataclass
class Outcome:
    """How an agent ended, and all that it left."""

    status: int
    result: dict[str, Any]
    stdout: bytes
    stderr: str
    progress: list[dict[str, Any]] = field(default_factory=list)

    @property
    def phrase(self) -> str:
        return str(self.result.get("phrase"))

    @property
    def hint(self) -> str:
        return str(self.result.get("hint", ""))


class Asker:
    """Asks one agent, as the dispatcher does, about one job."""

    def __init__(self, agent: Path, directory: Path, repository: Path) -> None:
        self.agent = agent
        self.directory = directory
        self.destination = directory / "destination"
        self.destination.mkdir()
        self.empty_repository = repository
        shutil.copytree(repository, self.destination / "repository")
        self.credentials = directory / "credentials"
        self.credentials.mkdir()
        self.give("repository-password", PASSWORD)
        self.job: dict[str, Any] = {
            "id": "web-01",
            "title": "Web server, nightly",
            "type": agent.name.removeprefix("backupagent").upper(),
            "direction": "PULL",
            "source": "",
            "destination": str(self.destination),
            "exclude": [],
            "keep": {},
        }
        self.place = ""
        self.patience = 60  # seconds that an action may take once its progress has ended

    def at(self, path: Path | str) -> str:
        """A path of this machine as the agent reaches it: itself, or through the server of its kind."""
        return f"{self.place}{path}"

    def give(self, name: str, secret: str | bytes) -> None:
        """Hand over a credential."""
        path = self.credentials / name
        path.write_bytes(secret if isinstance(secret, bytes) else secret.encode())
        path.chmod(0o400)

    def carried(self, root: Path) -> dict[str, tuple[Any, ...]]:
        """What of a tree this agent has to bring back."""
        return carried(self.agent.name, root)

    @property
    def mirror(self) -> Path:
        return self.destination / "mirror"

    def request(self, action: str, **more: Any) -> bytes:
        """The request as the agent reads it; `job` changes parts of the job."""
        job = self.job | more.pop("job", {})
        document = {
            "contract": 1,
            "action": action,
            "run_id": "0123abcd4567",
            "attempt": 1,
            "dry_run": False,
            "cache_directory": str(self.directory / "cache"),
            "job": job,
        }
        return json.dumps(document | more).encode()

    def environment(self, result: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "CNCOP_RESULT": str(result),
        }

    def start(
        self,
        request: bytes,
        *,
        through: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the agent on `request`, and leave it running; its result comes to `result`."""
        (self.directory / "result.json").unlink(missing_ok=True)
        child = subprocess.Popen(
            [*through, self.agent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=self.environment(self.directory / "result.json") | dict(env or {}),
            pass_fds=pass_fds,
        )
        assert child.stdin
        child.stdin.write(request)
        child.stdin.close()
        child.stdin = None
        return child

    def finish(self, child: subprocess.Popen[bytes]) -> Outcome:
        """Wait for the agent's end and collect what it left."""
        stdout, stderr = child.communicate(timeout=self.patience)
        path = self.directory / "result.json"
        result = json.loads(path.read_bytes()) if path.exists() else {}
        return Outcome(child.returncode, result, stdout, stderr.decode(errors="replace"))

    def ask_raw(self, request: bytes, **options: Any) -> Outcome:
        return self.finish(self.start(request, **options))

    def ask(self, action: str, **more: Any) -> Outcome:
        """Ask for an action and read its progress."""
        reader, writer = os.pipe()
        child = self.start(
            self.request(action, **more), pass_fds=[writer], env={"CNCOP_PROGRESS_FD": str(writer)}
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as lines:
            progress = [json.loads(line) for line in lines]
        outcome = self.finish(child)
        outcome.progress = progress
        return outcome

    def backup(self, **more: Any) -> Outcome:
        """A backup that has to succeed."""
        outcome = self.ask("backup", **more)
        assert outcome.status == 0, outcome
        return outcome

    def restore(self, to: Path, **wanted: Any) -> Outcome:
        return self.ask("restore", restore={"snapshot": "latest", "to": str(to), "paths": []} | wanted)

    def snapshots(self) -> list[dict[str, Any]]:
        """The repository's snapshots as restic itself lists them; none where there is no repository."""
        if not (self.destination / "repository" / "config").exists():
            return []
        password = self.credentials / "repository-password"
        said = run_restic(self.destination / "repository", password, "snapshots", "--json", "--no-lock")
        listed: list[dict[str, Any]] = json.loads(said)
        return listed


def run_restic(repository: Path, password: Path, *words: str) -> bytes:
    where = ["--no-cache", "--repo", str(repository), "--password-file", str(password)]
    return subprocess.run(["restic", *where, *words], check=True, capture_output=True).stdout


@pytest.fixture(params=FOUND, ids=lambda path: path.name)
def agent(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new repository, made once, which opens quickly."""
    directory = tmp_path_factory.mktemp("empty")
    (directory / "password").write_text(PASSWORD)
    run_restic(directory / "repository", directory / "password", "init")
    master_key = run_restic(directory / "repository", directory / "password", "cat", "masterkey")
    replace_keys(directory / "repository", PASSWORD, master_key)
    return directory / "repository"


@pytest.fixture
def asker_of(tmp_path: Path, empty_repository: Path) -> Callable[[str], Asker]:
    """Makes the agent of a name that has nothing but the repository's password."""
    return lambda name: Asker(AGENTS / name, tmp_path, empty_repository)


@pytest.fixture
def asker(agent: Path, tmp_path: Path, empty_repository: Path, request: pytest.FixtureRequest) -> Asker:
    """One agent, and what lets it in at the server from which it is to read."""
    asker = Asker(agent, tmp_path, empty_repository)
    match agent.name:
        case "backupagentsftp":
            let_in_by_ssh(asker, request.getfixturevalue("sshd"))
        case "backupagentftp":
            let_in_by_ftp(asker, request.getfixturevalue("ftpd"))
        case "backupagentcifs":
            let_in_by_smb(asker, request.getfixturevalue("smbd"))
        case _:
            pass
    return asker


def let_in_by_ssh(asker: Asker, server: SshServer) -> None:
    asker.give("key", server.private_key.read_bytes())
    asker.give("ssh-known-hosts", server.known_hosts.read_bytes())
    asker.job |= {"credential": "key"}
    asker.place = f"sftp://{getpass.getuser()}@127.0.0.1:{server.port}"


def let_in_by_ftp(asker: Asker, server: FtpServer, scheme: str = "ftp") -> None:
    asker.give("login", server.password)
    if server.certificate.exists():
        asker.give("ca-certificates", server.certificate.read_bytes())
        asker.job |= {"type": "FTPS"}
    asker.job |= {"credential": "login"}
    asker.place = f"{scheme}://anonymous@127.0.0.1:{server.port}"


def let_in_by_smb(asker: Asker, server: SmbServer) -> None:
    asker.give("login", server.password)
    asker.job |= {"credential": "login"}
    asker.place = f"smb://backup@127.0.0.1:{server.port}/files"


@pytest.fixture(scope="session")
def odd_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd") / "source"
    make_odd_tree(root)
    return root


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An odd tree for each agent, of what its protocol can name."""
    root = tmp_path_factory.mktemp("trees")
    for path in FOUND:
        make_odd_tree_for(path.name, root / path.name)
    return {path.name: root / path.name for path in FOUND}


@pytest.fixture
def tree(agent: Path, trees: dict[str, Path]) -> Path:
    """The odd tree of this agent."""
    return trees[agent.name]


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "etc" / "ssh").mkdir(parents=True)
    for name, content in {"etc/passwd": "root\n", "etc/ssh/config": "Host *\n", "readme": "hello\n"}.items():
        (root / name).write_text(content)
    return root


@pytest.fixture(scope="session")
def rsyncd(tmp_path_factory: pytest.TempPathFactory, odd_tree: Path) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("rsyncd") / "etc"
    with rsync_daemon(directory, odd_tree, DAEMON_PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_daemon(tmp_path_factory.mktemp("sshd") / "etc") as server:
        yield server


@pytest.fixture(scope="session")
def ftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpServer]:
    with ftp_daemon(tmp_path_factory.mktemp("ftpd") / "etc") as server:
        yield server


@pytest.fixture(scope="session")
def smbd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmbServer]:
    with smb_daemon(tmp_path_factory.mktemp("smbd") / "etc") as server:
        yield server


@pytest.fixture
def ssh_asker(asker: Asker, sshd: SshServer) -> Asker:
    """An agent that may log in at the sshd, and knows its host key."""
    asker.give("key", sshd.private_key.read_bytes())
    asker.give("ssh-known-hosts", sshd.known_hosts.read_bytes())
    asker.job |= {"credential": "key"}
    return asker


def ssh_url(server: SshServer, path: Path | str) -> str:
    return f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}{path}"


@pytest.fixture
def slow_tree(tmp_path: Path) -> Path:
    """A tree that takes four seconds at the speed of `Slow`."""
    root = tmp_path / "slow"
    root.mkdir()
    for number in range(16):
        (root / f"{number:02}").write_bytes(os.urandom(1 << 18))
    return root
