"""Input of every kind gets a clear error or works; no manager is needed for an installation under a directory."""

from __future__ import annotations

import os
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import tomli_w

from .installation import CNCOPCTL, Job, job

TOML_HINT = 'hint: text stands in quotes: title = "Web server"; see https://toml.io'


def sync(root: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run sync-profile in a directory; whatever comes of it, it is no traceback."""
    done = subprocess.run(
        [CNCOPCTL, "sync-profile", "--root", root, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.stderr.startswith("cncopctl") or done.returncode == 3
    return done


def said(done: subprocess.CompletedProcess[str]) -> tuple[int, list[str]]:
    return done.returncode, done.stderr.splitlines()


def write(root: Path, content: bytes | str) -> Path:
    path = root / "Config/profile.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def profile(*jobs: Job) -> str:
    return tomli_w.dumps({"schema": 1, "job": list(jobs)})


def made(root: Path) -> set[str]:
    """What lies below `root` but for its configuration."""
    return {path.name for path in root.iterdir()} - {"Config"}


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"id = web", "is not TOML: Invalid value (at line 1, column 6)", TOML_HINT),
        (b"schema = 1\n\xff", "line 2 is not UTF-8 (byte 0xff)", "hint: save the file as UTF-8"),
        (b"#" * 50_000_000, "is larger than 16 MiB", "hint: split it over several files in jobs.d"),
        (b"a = " + b"[" * 100_000, "is nested too deeply", TOML_HINT),
        (b"a." * 10_000 + b"b = 1", "is nested too deeply", TOML_HINT),
        (
            b"a = 0x" + b"f" * 10_000,
            "is not TOML: a whole number has more than the 64 bits that TOML knows",
            TOML_HINT,
        ),
        (b"", "schema is missing", "hint: write: schema = 1"),
    ],
)
def test_a_file_that_is_no_profile_is_status_10_and_nothing_is_made(
    tmp_path: Path, content: bytes, message: str, hint: str
) -> None:
    write(tmp_path, content)
    assert said(sync(tmp_path)) == (10, [f"cncopctl: profile.toml: {message}", hint])
    assert made(tmp_path) <= {"State"}
    assert not (tmp_path / "State/jobs").exists()


def test_all_faults_of_all_files_are_printed_each_with_its_hint(tmp_path: Path) -> None:
    write(tmp_path, profile(job("a/b"), job("c", titel="x")))
    own = tmp_path / "Config/jobs.d"
    own.mkdir()
    (own / "mine.toml").write_text(profile(job("d", schedule="0 25 * * *")))
    (own / "gone.toml").symlink_to("nowhere")
    status, lines = said(sync(tmp_path))
    assert status == 10
    assert [line for line in lines if line.startswith("cncopctl: ")] == lines[::2]
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines[::2]] == [
        "profile.toml",
        "profile.toml",
        "jobs.d/gone.toml",
        "jobs.d/mine.toml",
    ]
    assert all(line.startswith("hint: ") for line in lines[1::2])


def test_no_profile_at_all_is_said_with_a_way_to_begin(tmp_path: Path) -> None:
    status, lines = said(sync(tmp_path))
    assert status == 10
    assert lines[0] == (
        f"cncopctl: {tmp_path}/Config/profile.toml: there is no profile, nor any file in jobs.d"
    )
    way = lines[1].removeprefix("hint: begin with: ")
    subprocess.run(shlex.split(way), check=True)
    assert "no profile" not in sync(tmp_path, "--dry-run").stderr


def test_a_name_that_could_drive_the_terminal_is_printed_as_an_escape(tmp_path: Path) -> None:
    write(tmp_path, 'schema = 1\n"\\u001b[31mred\\n" = 1')
    (tmp_path / "Config/jobs.d").mkdir()
    (tmp_path / "Config/jobs.d/\x1b[31m.toml").write_text("schema = 1")
    done = sync(tmp_path)
    assert done.returncode == 10
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) == 4


@pytest.mark.parametrize("name", ["a b", "100% $x \\", 'it\'s "quoted"', "ü 🐘", "%h", "-x", "~"])
def test_an_installation_may_be_called_anything_that_a_unit_can_say(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    write(root, profile(job("a", schedule=["@daily", "@weekly"])))
    assert sync(root).returncode == 0
    assert sync(root).stdout == f"1 job, nothing to do: {root}/Units matches the profile\n"


@pytest.mark.parametrize("name", [b"new\nline", b"not utf-8 \xff", b"escape \x1b"])
def test_an_installation_that_no_unit_can_name_is_status_12(tmp_path: Path, name: bytes) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    write(root, profile(job("a")))
    status, lines = said(sync(root))
    assert (status, lines[-1]) == (12, "hint: choose directories without it")
    assert made(root) == set()


def test_ten_thousand_jobs_are_synced_and_then_left_alone(tmp_path: Path) -> None:
    write(tmp_path, profile(*(job(f"job-{number}", title=f"Job {number} 100%") for number in range(10_000))))
    done = sync(tmp_path)
    assert said(done) == (0, [])
    assert "10000 jobs" in done.stdout.splitlines()[-1]
    assert len(done.stdout.splitlines()) < 50
    units = [name for name in os.listdir(tmp_path / "Units") if name.startswith("cncop-job-")]
    assert len(units) == 20_000
    assert sync(tmp_path).stdout.startswith("10000 jobs, nothing to do")


def test_a_packaged_target_is_not_installed_again_and_stays_enabled(tmp_path: Path) -> None:
    write(tmp_path, profile(job("a")))
    packaged = tmp_path / "Units/packaged/cncop.target"
    packaged.parent.mkdir(parents=True)
    packaged.write_text("[Unit]\n")
    enabled = tmp_path / "Units/multi-user.target.wants/cncop.target"
    enabled.parent.mkdir()
    enabled.symlink_to(packaged)
    for _ in range(2):
        assert sync(tmp_path).returncode == 0
    assert enabled.is_symlink()
    assert not (tmp_path / "Units/cncop.target").exists()


@pytest.mark.parametrize("place", ["Units", "State", "State/jobs", "Spool", "Config/credentials"])
def test_a_file_where_a_directory_belongs_is_status_12_and_names_it(tmp_path: Path, place: str) -> None:
    write(tmp_path, profile(job("a")))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("")
    status, lines = said(sync(tmp_path))
    assert status == 12
    assert lines[0].startswith(f"cncopctl: {tmp_path}/{place}")
    assert lines[1].startswith("hint: ")


@pytest.mark.parametrize(
    ("option", "message", "hint"),
    [
        ("--jsn", "no such option: --jsn", "did you mean --json?"),
        ("--user", "--root and --user exclude each other", "see: cncopctl sync-profile --help"),
    ],
)
def test_a_wrong_option_is_status_2(tmp_path: Path, option: str, message: str, hint: str) -> None:
    assert said(sync(tmp_path, option)) == (2, [f"cncopctl sync-profile: {message}", f"hint: {hint}"])


def test_faults_of_the_settings_are_told_beside_those_of_the_profile(tmp_path: Path) -> None:
    write(tmp_path, profile(job("a", timeout="0s")))
    settings = tmp_path / "Config/cncop3.ini"
    settings.write_text("[defaults]\nscheduler_prot = 59154\n")
    assert said(sync(tmp_path)) == (
        10,
        [
            "cncopctl: cncop3.ini: [defaults] scheduler_prot: is no setting that cncop knows",
            "hint: did you mean scheduler_port?",
            'cncopctl: profile.toml: job "a": timeout: a run without any time cannot do anything',
            'hint: write how long a run may take, as in timeout = "6h"',
        ],
    )
    assert made(tmp_path) <= {"State"}  # the lock of the sync


def test_settings_take_effect_with_the_next_sync(tmp_path: Path) -> None:
    write(tmp_path, profile(job("a"), job("b", keep={"last": 1})))
    settings = tmp_path / "Config/cncop3.ini"
    sync(tmp_path)
    settings.write_text(
        f"[defaults]\nmax_parallel_jobs = 7\n[repository]\nkeep_daily = 3\ndirectory = {tmp_path}/b\n"
    )
    assert "changed  a" in sync(tmp_path).stdout
    first, second = (tomllib.loads((tmp_path / f"State/jobs/{name}.toml").read_text()) for name in "ab")
    assert first["max_parallel_jobs"] == 7
    assert (first["job"]["keep"], second["job"]["keep"]) == ({"daily": 3}, {"last": 1})
    assert first["job"]["destination"] == f"{tmp_path}/b/a"
