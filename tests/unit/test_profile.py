"""Profiles: what is valid means what it says, and which files are read."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from cncopctl.core.guard import Guard, Then
from cncopctl.core.job import Commands, Direction, JobType, Limits, Notification, Priority, Retention
from cncopctl.core.role import Role
from cncopctl.edges.profile_files import ProfileFile, find_profile_files, parse_profile_file

from .builders import faults_of, job_from, job_table, job_toml, profile_from


def test_what_a_job_leaves_out_has_its_default() -> None:
    job = job_from()
    assert (job.title, job.description, job.type, job.direction) == (
        "web-01",
        "",
        JobType.RSYNC,
        Direction.PULL,
    )
    assert (job.enabled, job.catch_up, job.priority) == (True, True, Priority.LOW)
    assert (job.max_retries, job.retry_interval) == (3, timedelta(minutes=1))
    assert (job.timeout, job.random_delay) == (timedelta(days=1), timedelta(0))
    assert job.destination == "/var/lib/cncop/backups/web-01"
    assert (job.exclude, job.credential, job.commands) == ((), "", Commands())
    assert (job.keep, job.limits) == (Retention(), Limits())
    assert job.file == "profile.toml"


def test_what_a_job_says_is_what_it_means() -> None:
    job = job_from(
        title='" 100% \\\\ 🐘 "',
        schedule='["0 1 * * *", { cron = "0 2 * * *", timezone = "UTC" }]',
        timezone='"Asia/Tokyo"',
        destination='"/srv/backup"',
        exclude='["*.tmp", " "]',
        credential='"web-01"',
        timeout='"1h 30m"',
        keep="{ daily = 7, yearly = 2 }",
        limits='{ cpu = 50, memory = "2G", io_weight = 10, bandwidth = "10M" }',
        run_before='"dump"',
        enabled="false",
    )
    assert job.title == " 100% \\ 🐘 "
    assert [schedule.schedule.zone for schedule in job.schedules] == ["Asia/Tokyo", "UTC"]
    assert (job.destination, job.exclude, job.credential) == ("/srv/backup", ("*.tmp", " "), "web-01")
    assert (job.timeout, job.enabled) == (timedelta(minutes=90), False)
    assert job.keep.rules() == {"daily": 7, "yearly": 2}
    assert job.limits == Limits(cpu=50, memory=2**31, io_weight=10, bandwidth=10 * 2**20)
    assert job.commands == Commands(before="dump")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('{ to = "a@b.example" }', Notification(("a@b.example",), ("failure", "recovery"))),
        ('{ to = ["a@b", "c@d", "a@b"], on = "always" }', Notification(("a@b", "c@d"), ("always",))),
    ],
)
def test_who_is_told_and_when(written: str, meant: Notification) -> None:
    assert job_from(notify=written).notify == meant
    assert job_from().notify is None


def test_jobs_come_in_the_order_of_reading() -> None:
    files = {
        "profile.toml": job_toml(id='"z"') + job_table(id='"m"'),
        "jobs.d/a.toml": job_toml(id='"a"'),
    }
    profile = profile_from(files)
    assert list(profile.jobs) == ["z", "m", "a"]
    assert profile.jobs["a"].file == "jobs.d/a.toml"


@pytest.mark.parametrize(
    ("files", "role"),
    [
        ({"profile.toml": "schema = 1"}, Role.LOCAL),
        ({"profile.toml": "schema = 1\n[device]\nrole = 'REMOTE'"}, Role.REMOTE),
        ({"profile.toml": "schema = 1", "jobs.d/a.toml": "schema = 1\ndevice.role = 'REMOTE'"}, Role.REMOTE),
    ],
)
def test_the_role_of_the_device(files: dict[str, str | bytes], role: Role) -> None:
    assert profile_from(files).role is role


def test_ten_thousand_jobs_are_read() -> None:
    jobs = "".join(job_table(id=f'"job-{number}"') for number in range(10_000))
    values, faults = parse_profile_file(ProfileFile("profile.toml", f"schema = 1\n{jobs}".encode()))
    assert (len(values["job"]), faults) == (10_000, ())


def found(base: Path) -> list[tuple[str, str]]:
    """Names and faults of the profile files below `base`."""
    files = find_profile_files(base / "profile.toml", base / "jobs.d")
    return [(file.name, file.fault.what if file.fault else "") for file in files]


def test_profile_files_are_the_hubs_and_then_ones_own_by_name(tmp_path: Path) -> None:
    (tmp_path / "jobs.d").mkdir()
    for name in ("profile.toml", "jobs.d/b.toml", "jobs.d/a.toml", "jobs.d/.#a.toml", "jobs.d/a.toml~"):
        (tmp_path / name).write_text("schema = 1")
    assert found(tmp_path) == [("profile.toml", ""), ("jobs.d/a.toml", ""), ("jobs.d/b.toml", "")]


def test_no_profile_is_no_file(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_what_cannot_be_read_is_a_fault_and_never_a_profile_without_jobs(tmp_path: Path) -> None:
    own = tmp_path / "jobs.d"
    own.mkdir()
    (tmp_path / "profile.toml").symlink_to("nowhere")
    (own / "dir.toml").mkdir()
    (own / "new\nline.toml").write_text("schema = 1")
    os.mkfifo(own / "pipe.toml")
    assert found(tmp_path) == [
        ("profile.toml", "cannot be read: No such file or directory"),
        ("jobs.d/dir.toml", "is not a file"),
        (
            "jobs.d/new\nline.toml",
            "has a name whose character 11 is U+000A, which cannot stand in a unit file",
        ),
        ("jobs.d/pipe.toml", "is not a file"),
    ]


def test_a_file_in_place_of_the_directory_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "jobs.d").write_text("")
    assert found(tmp_path) == [("jobs.d", "cannot be read: Not a directory")]


def test_a_file_of_fifty_megabytes_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_bytes(b"#" * 50_000_000)
    assert found(tmp_path) == [("profile.toml", "is larger than 16 MiB")]


def test_a_job_says_how_its_snapshots_stay_are_guarded_and_are_drilled() -> None:
    job = job_from(
        keep='{ last = 3, within = "1y 6mon 2w 3d 12h" }',
        guard='{ then = "error", shrink = 20 }',
        sample="5",
        max_age='"2d"',
        min_files="10",
    )
    assert job.keep.rules() == {"last": 3, "within": "1y6m17d12h"}
    assert job.guard == Guard(Then.ERROR, shrink=20)
    told = job.compiled()
    expected = {"sample": 5, "max_age": 172800, "min_files": 10, "guard": job.guard.document()}
    assert {key: told[key] for key in expected} == expected
    assert job_from(guard='"off"').guard == Guard(Then.OFF, Then.OFF)
    assert not {"guard", "sample", "max_age", "min_files"} & job_from().compiled().keys()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("keep", '{ within = "30m" }', 'keep.within: "30m" is not written as it must be'),
        ("guard", '"loud"', 'guard: "loud" '),
        ("guard", "{ shrink = 100 }", "guard.shrink: 100 is more than 99"),
        ("guard", "3", "guard: 3 is not text in quotes or a table"),
        ("max_age", '"2 years"', 'max_age: "2 years" is not'),
    ],
)
def test_unfit_values_of_retention_guard_and_drill_are_faults(key: str, value: str, said: str) -> None:
    (fault,) = faults_of({"profile.toml": job_toml(**{key: value})})
    assert said in str(fault)
    assert fault.remedy


@pytest.mark.parametrize(
    ("first", "second", "faulty"),
    [
        ("/srv/a", "/srv/a/", "b"),
        ("/srv/a", "/srv/a/b", "b"),
        ("/srv/a/b", "/srv/a", "a"),
        ("/srv/a", "/srv/ab", ""),
    ],
)
def test_two_jobs_never_share_a_destination(first: str, second: str, faulty: str) -> None:
    files = {
        f"{name}.toml": job_toml(id=f'"{name}"', destination=f'"{destination}"')
        for name, destination in (("a", first), ("b", second))
    }
    faults = faults_of(files)
    assert [fault.job for fault in faults] == ([f'"{faulty}"'] if faulty else [])
    assert all("go already" in fault.what and fault.key == "destination" for fault in faults)


def test_a_schedule_is_judged_also_where_something_else_is_wrong() -> None:
    written = job_toml(id='"a/b"', schedule='["61 2 * * *", "30 2 * * *"]')
    first, second = faults_of({"profile.toml": written})
    assert first.key == "id"
    assert str(second) == 'profile.toml: job "a/b": schedule 1: minute: 61 is not in 0..59'
    for unreadable in ("5", '{ minut = "3" }', "[[]]", None):
        assert len(faults_of({"profile.toml": job_toml(id='"a/b"', schedule=unreadable)})) >= 2
