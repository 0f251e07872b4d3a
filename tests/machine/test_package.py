"""The Debian package on a booted machine: built, judged, installed, upgraded, removed and purged."""

from __future__ import annotations

import json
import re
import subprocess
from typing import NamedTuple

import pytest

from .debian import Package, Packages, files, give_documentation_back, install, with_version
from .machine import Machine

JOB = """
schema = 1

[[job]]
id = "units"
title = "Units, nightly"
type = "RSYNC"
schedule = "30 2 * * *"
source = "/etc/systemd"
"""


class Before(NamedTuple):
    """A machine's files and failed units before anything of ours is installed."""

    files: set[str]
    failed: str


@pytest.fixture(scope="module")
def built(machine: Machine, packages: Packages) -> Package:
    return packages.of(machine.release)


@pytest.fixture(scope="module")
def before(machine: Machine) -> Before:
    give_documentation_back(machine)
    return Before(files(machine), failed(machine))


@pytest.fixture(scope="module")
def said(machine: Machine, before: Before, built: Package) -> str:
    """What the installation of the package said."""
    return install(machine, built.path)


@pytest.fixture(scope="module")
def synced(machine: Machine, said: str) -> Machine:
    machine.write("/etc/cncop/jobs.d/units.toml", JOB)
    machine.run("cncopctl", "sync-profile")
    return machine


def failed(machine: Machine) -> str:
    return machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout


def units(machine: Machine) -> list[str]:
    listed = machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "cncop*").stdout
    return sorted(line.split()[0] for line in listed.splitlines())


def active_since(machine: Machine, unit: str) -> str:
    assert machine.property(unit, "ActiveState") == "active"
    return machine.property(unit, "ActiveEnterTimestampMonotonic")


def test_lintian_has_nothing_to_say(built: Package) -> None:
    assert built.lintian == ""


def test_its_own_tests_pass(built: Package) -> None:
    assert re.search(r"^life +PASS$", built.autopkgtest, re.MULTILINE), built.autopkgtest


def test_after_install_all_is_up_nothing_failed_and_one_line_says_what_is_next(
    machine: Machine, said: str, before: Before
) -> None:
    assert failed(machine) == before.failed
    assert machine.property("cncop.target", "ActiveState") == "active"
    for unit in ("cncop-sync.timer", "cncop-console.socket", "cncop-reporter.path", "cncop-reporter.timer"):
        assert machine.property(unit, "ActiveState") == "active"
    assert not [unit for unit in units(machine) if unit.startswith("cncop-job-")]
    (line,) = [line for line in said.splitlines() if line.startswith("cncop: ")]
    assert "man cncop-tutorial" in line


def test_without_a_profile_the_weekly_sync_does_nothing(machine: Machine, said: str) -> None:
    machine.run("systemctl", "start", "cncop-sync.service")
    assert machine.property("cncop-sync.service", "ConditionResult") == "no"


def test_directories_have_the_modes_and_owners_that_they_need(machine: Machine, said: str) -> None:
    paths = ["/etc/cncop/credentials", "/var/log/cncop", "/var/lib/cncop", "/run/cncop"]
    told = machine.run("stat", "--format=%n %a %U %G", *paths).stdout.splitlines()
    assert told == [
        "/etc/cncop/credentials 700 root root",
        "/var/log/cncop 750 root adm",
        "/var/lib/cncop 2750 root cncop",
        "/run/cncop 755 root root",
    ]
    assert machine.run("id", "--name", "--groups", "cncop").stdout == "cncop\n"


def test_the_manual_and_completion_are_there(machine: Machine, said: str) -> None:
    pages = machine.run("sh", "-c", "ls /usr/share/man/man*/cncop*").stdout
    assert {"man8/cncopctl.8.gz", "man5/cncop-profile.5.gz", "man7/cncop.target.7.gz"} <= {
        "/".join(line.split("/")[-2:]) for line in pages.splitlines()
    }
    for path in ("bash-completion/completions/cncopctl", "zsh/vendor-completions/_cncopctl"):
        assert "_CNCOPCTL_COMPLETE" in machine.read(f"/usr/share/{path}")
    typed = "source /usr/share/bash-completion/completions/cncopctl; COMP_WORDS=(cncopctl sync); COMP_CWORD=1"
    completed = machine.run(
        "bash", "-c", f"{typed}; _cncopctl_completion cncopctl; echo ${{COMPREPLY[@]}}"
    ).stdout
    assert completed == "sync-profile\n"


def test_a_profile_is_synced_and_its_job_runs(synced: Machine) -> None:
    assert "cncop-job-units.timer" in synced.run("systemctl", "list-timers", "cncop-*").stdout
    assert "units: OK: " in synced.run("cncopctl", "runjob", "-a").stdout


@pytest.mark.parametrize("words", ["jobs", "status", "history", "why units", "schedules", "check-backups"])
def test_a_member_of_the_group_may_look(synced: Machine, words: str) -> None:
    member = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=cncop"]
    assert synced.run(*member, "cncopctl", *words.split(), "--system").stdout != ""


def test_who_forgets_sudo_is_told_so(synced: Machine) -> None:
    somebody = ["env", "HOME=/nonexistent", "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    done = synced.run(*somebody, "cncopctl", "snapshots", "units", check=False)
    hint = "hint: no job of your own is installed; for the system's jobs: the same with sudo"
    assert (done.returncode, done.stderr.splitlines()[1]) == (2, hint)


def test_the_console_answers_over_telnet(synced: Machine) -> None:
    with synced.popen(
        "telnet", "localhost", "59153", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as telnet:
        assert telnet.stdin
        assert telnet.stdout
        telnet.stdin.write("SCHEDULES\nQUIT\n")
        telnet.stdin.flush()
        said = telnet.stdout.read()
    assert re.search(r"^units\b", said, re.MULTILINE), said


def test_the_packaged_sync_finds_nothing_left_to_do(synced: Machine) -> None:
    synced.run("systemctl", "start", "cncop-sync.service")
    assert synced.property("cncop-sync.service", "Result") == "success"
    assert json.loads(synced.run("cncopctl", "sync-profile", "--json").stdout)["steps"] == []


def test_an_upgrade_restarts_nothing_and_keeps_what_there_is(synced: Machine, built: Package) -> None:
    stamp = "/var/lib/systemd/timers/stamp-cncop-job-units.timer"
    synced.write("/etc/cncop/example.toml", "schema = 1  # mine\n")
    timers = ["cncop.target", "cncop-sync.timer", "cncop-job-units.timer"]
    since = [active_since(synced, unit) for unit in timers]
    stamped = synced.run("stat", "--format=%y", stamp, check=False).stdout
    said = install(synced, with_version(built.path, "99.0"))
    assert "cncop: " not in said
    assert [active_since(synced, unit) for unit in timers] == since
    assert synced.read("/etc/cncop/example.toml") == "schema = 1  # mine\n"
    assert synced.run("stat", "--format=%y", stamp, check=False).stdout == stamped
    assert json.loads(synced.run("cncopctl", "jobs", "--json").stdout)[0]["last_run"]["outcome"] == "OK"


def test_an_upgrade_leaves_stopped_what_somebody_has_stopped(synced: Machine, built: Package) -> None:
    synced.run("systemctl", "stop", "cncop.target")
    install(synced, with_version(built.path, "99.1"))
    assert synced.property("cncop.target", "ActiveState") == "inactive"
    assert synced.property("cncop-job-units.timer", "ActiveState") == "inactive"
    synced.run("systemctl", "start", "cncop.target")
    assert synced.property("cncop-job-units.timer", "ActiveState") == "active"


def test_removal_stops_and_removes_every_unit(synced: Machine, before: Before) -> None:
    synced.run("apt-get", "remove", "--yes", "cncop", timeout=120)
    assert units(synced) == []
    assert not [path for path in files(synced) if "/systemd/" in path and "cncop" in path]
    assert failed(synced) == before.failed
    assert synced.read("/etc/cncop/jobs.d/units.toml") == JOB
    assert {"mirror", "repository"} <= set(synced.run("ls", "/var/backups/cncop/units").stdout.split())


def test_installed_again_it_resumes_where_it_was(synced: Machine, built: Package) -> None:
    install(synced, built.path)
    synced.run("cncopctl", "sync-profile")
    assert synced.property("cncop-job-units.timer", "ActiveState") == "active"
    assert json.loads(synced.run("cncopctl", "jobs", "--json").stdout)[0]["last_run"]["outcome"] == "OK"


def test_purge_leaves_backups_what_opens_them_and_what_people_wrote(synced: Machine, before: Before) -> None:
    synced.run("apt-get", "purge", "--yes", "cncop", timeout=120)
    left = {path for path in files(synced) - before.files if not path.startswith("/var/backups/cncop/")}
    assert left == {
        "/etc/cncop",
        "/etc/cncop/credentials",
        "/etc/cncop/credentials/repository-password.cred",
        "/etc/cncop/jobs.d",
        "/etc/cncop/jobs.d/units.toml",
        "/var/backups/cncop",
        # The machine's own key, which systemd made, and without which the password is worth nothing.
        "/var/lib/systemd/credential.secret",
    }
    assert failed(synced) == before.failed
    assert units(synced) == []
