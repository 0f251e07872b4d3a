"""Credentials on real machines: encrypted for them alone, and in no unit, environment, argument, log or report."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .machine import Machine

MODULE_PASSWORD = "the-Pass_word.of:the,module"  # noqa: S105
PROFILE = """
schema = 1

[[job]]
id = "fetched"
title = "Fetched from a daemon"
type = "RSYNC"
schedule = "30 2 * * *"
source = "rsync://backup@127.0.0.1:8873/files"
credential = "module"
run_after_success = "after"
keep = { last = 9 }

[[job]]
id = "drill"
schedule = "30 5 * * SUN"
actions = [{ action = "verify", of = "fetched", min_files = 1 }]
"""
RSYNCD = """
use chroot = no
uid = root
gid = root
port = 8873
address = 127.0.0.1
pid file = /run/rsyncd.pid
[files]
path = /usr/lib/systemd/system
auth users = backup
secrets file = /etc/rsyncd.secrets
pre-xfer exec = /usr/local/bin/wait-for-test
"""
# The server says that it was asked, and answers when it is told to: between the two the run stands still.
WAIT = "#!/bin/sh\n[ ! -p /run/asked ] || { echo >/run/asked; cat /run/answer; }\n"
# What stands before the engines notes how each was called, then becomes it.
RECORDER = """#!/bin/sh
for what in cmdline environ; do tr '\\\\0' '\\\\n' </proc/$$/$what; done >>/var/lib/cncop/seen
exec /usr/bin/{engine} "$@"
"""
EVERYWHERE = """
journalctl --sync
journalctl --all --no-pager --output=export
cat /etc/systemd/system/cncop* /var/lib/cncop/seen
systemctl show --all cncop-job-fetched.service cncop-job-drill.service
grep -r "" /var/log/cncop /var/spool/cncop /var/lib/cncop /run/cncop /etc/cncop/bin /etc/cncop/profile.toml --text
find /tmp /var/tmp /dev/shm -type f -exec cat {} +
"""


@contextmanager
def stopped_in_the_middle(machine: Machine, *command: str) -> Iterator[None]:
    """A command that starts a run, while that run waits for its server."""
    machine.run("mkfifo", "/run/asked", "/run/answer")
    running = machine.popen(*command, stdout=subprocess.DEVNULL)
    try:
        machine.run("cat", "/run/asked")
        yield
    finally:
        machine.run("rm", "/run/asked")
        machine.run("sh", "-c", "echo >/run/answer")
        assert running.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def server(device: Machine) -> Machine:
    device.write("/etc/rsyncd.secrets", f"backup:{MODULE_PASSWORD}\n", 0o600)
    device.write("/etc/test-rsyncd.conf", RSYNCD)
    device.write("/usr/local/bin/wait-for-test", WAIT, 0o755)
    for engine in ("rsync", "restic"):
        device.write(f"/usr/local/sbin/{engine}", RECORDER.format(engine=engine), 0o755)
    device.run(
        "systemd-run",
        "--unit=test-rsyncd",
        "/usr/bin/rsync",
        "--daemon",
        "--no-detach",
        "--config=/etc/test-rsyncd.conf",
    )
    device.write("/etc/cncop/bin/after", "#!/bin/sh\nenv\n", 0o755)
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "credential", "set", "module", input=MODULE_PASSWORD)
    return device


@pytest.fixture(scope="module")
def synced(server: Machine) -> Machine:
    told = server.run("cncopctl", "sync-profile").stdout
    assert "keep a copy of it elsewhere, see: cncopctl credential show repository-password" in told
    return server


def secrets(machine: Machine) -> list[str]:
    names = ("module", "repository-password")
    return [machine.run("cncopctl", "credential", "show", "--stdout", name).stdout.strip() for name in names]


def test_credentials_are_encrypted_and_units_say_so(synced: Machine) -> None:
    stored = json.loads(synced.run("cncopctl", "credential", "list", "--json").stdout)
    assert stored == [{"name": name, "encrypted": True} for name in ("module", "repository-password")]
    unit = synced.read("/etc/systemd/system/cncop-job-fetched.service")
    for name in ("module", "repository-password"):
        assert f"LoadCredentialEncrypted={name}:/etc/cncop/credentials/{name}.cred" in unit
    assert "LoadCredential=" not in unit
    module, password = secrets(synced)
    assert (module, len(password)) == (MODULE_PASSWORD, 64)
    asked = synced.run("cncopctl", "credential", "show", "module", check=False)
    assert (asked.returncode, asked.stdout, "stdout is no terminal" in asked.stderr) == (2, "", True)


def test_no_secret_is_anywhere_but_where_it_belongs(synced: Machine) -> None:
    known = secrets(synced)
    look = (
        r"""for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\0' '\n' <$f; done 2>/dev/null; true"""
    )
    with stopped_in_the_middle(synced, "cncopctl", "runjob", "fetched"):
        processes = synced.run("sh", "-c", look).stdout
    assert "backupagentrsync" in processes
    assert "--password-file" in processes
    synced.run("cncopctl", "runjob", "drill")
    synced.run("cncopctl", "restore", "fetched", "--to", "/root/restored")
    synced.run("cncopctl", "ls", "fetched")
    everywhere = synced.run("sh", "-c", f"({EVERYWHERE}) | LC_ALL=C tr -c '[:print:]\\n' '?'").stdout
    for where, engine in (
        (processes, "cncopctl/dispatcher"),
        (everywhere, "restic"),
        (everywhere, "CNCOP_OUTCOME=OK"),
    ):
        assert engine in where
    found = [secret[:4] for secret in known for where in (processes, everywhere) if secret in where]
    assert found == []


def test_a_run_a_drill_and_a_restore_had_what_they_needed(synced: Machine) -> None:
    jobs = {job["id"]: job["last_run"] for job in json.loads(synced.run("cncopctl", "jobs", "--json").stdout)}
    assert {name: run["outcome"] for name, run in jobs.items()} == {"fetched": "OK", "drill": "OK"}
    assert " restored in " in jobs["drill"]["phrase"]
    compared = synced.run("diff", "-r", "--no-dereference", "/usr/lib/systemd/system", "/root/restored")
    assert compared.stdout == ""


def test_the_words_of_the_releases_own_restic_are_understood(synced: Machine) -> None:
    """Debian 12 has 0.14, Debian 13 0.18: what they list, find and compare is said in different ways."""

    def told(*words: str) -> Any:
        return json.loads(synced.run("cncopctl", *words, "--json").stdout)

    assert "timers.target" in [node["path"] for node in told("ls", "fetched")["nodes"]]
    below = [node["path"] for node in told("ls", "fetched", "timers.target.wants")["nodes"]]
    assert below
    assert {path.partition("/")[0] for path in below} == {"timers.target.wants"}
    every = told("ls", "fetched", "-R")["nodes"]
    assert {node["type"] for node in every} >= {"file", "dir", "symlink"}
    (found,) = told("find", "fetched", "timers.target")
    assert (found["path"], found["type"], len(found["snapshots"])) == ("timers.target", "file", 1)
    synced.run("touch", "/usr/lib/systemd/system/zz-new")
    synced.run("cncopctl", "runjob", "fetched")
    assert told("diff", "fetched")["changes"] == [{"path": "zz-new", "change": "+"}]
    synced.run("rm", "/usr/lib/systemd/system/zz-new")
    assert [snapshot["reasons"] for snapshot in told("snapshots", "fetched")] == [["last snapshot"]] * 2
    back = told("restore", "fetched", "zz-new", "timers.target.wants", "--to", "/root/some", "-n")
    assert back["files"] == 1
    drill = told("verify", "fetched", "--sample", "1000")["drill"]
    assert (drill["ok"], drill["files"] > 20) == (True, True)


def test_a_credential_stays_what_it_is_when_it_is_set_anew(synced: Machine) -> None:
    before = synced.read("/etc/systemd/system/cncop-job-fetched.service")
    synced.run("cncopctl", "credential", "set", "module", input=MODULE_PASSWORD)
    synced.run("cncopctl", "credential", "set", "--plain", "other", input="not a secret")
    assert json.loads(synced.run("cncopctl", "sync-profile", "--json").stdout)["changed"] is False
    assert synced.read("/etc/systemd/system/cncop-job-fetched.service") == before
    synced.run("cncopctl", "credential", "remove", "other")


def test_what_was_stored_plain_is_encrypted_later_and_units_follow(synced: Machine) -> None:
    synced.run("cncopctl", "credential", "remove", "module")
    synced.run("cncopctl", "credential", "set", "--plain", "module", input=MODULE_PASSWORD)
    synced.run("cncopctl", "sync-profile")
    unit = "/etc/systemd/system/cncop-job-fetched.service"
    assert "\nLoadCredential=module:/etc/cncop/credentials/module\n" in synced.read(unit)
    assert "fetched: OK: " in synced.run("cncopctl", "runjob", "fetched").stdout
    assert synced.run("cncopctl", "credential", "encrypt").stdout == "module is encrypted\n"
    assert "\nLoadCredentialEncrypted=module:" in synced.read(unit)
    assert synced.run("ls", "/etc/cncop/credentials").stdout.split() == [
        "module.cred",
        "repository-password.cred",
    ]
    assert "fetched: OK: " in synced.run("cncopctl", "runjob", "fetched").stdout
    assert synced.run("cncopctl", "credential", "encrypt").stdout == "nothing is stored plain\n"


def test_on_another_machine_the_password_is_put_back_from_its_copy(synced: Machine) -> None:
    _, password = secrets(synced)
    # As after a new installation, with the disk of the backups and a copy of /etc: the machine's key is another.
    synced.run("rm", "/var/lib/systemd/credential.secret")
    lost = synced.run("cncopctl", "snapshots", "fetched", check=False)
    assert lost.returncode == 12
    assert "cannot be decrypted" in lost.stderr
    assert "hint: what is encrypted is good on this machine alone" in lost.stderr
    synced.run("cncopctl", "credential", "set", "--force", "repository-password", input=password)
    synced.run("cncopctl", "credential", "set", "module", input=MODULE_PASSWORD)
    assert len(json.loads(synced.run("cncopctl", "snapshots", "fetched", "--json").stdout)) == 4
    assert "fetched: OK: " in synced.run("cncopctl", "runjob", "fetched").stdout


def test_a_lost_password_is_not_replaced_behind_anybodys_back(synced: Machine) -> None:
    synced.run("cncopctl", "credential", "remove", "--force", "repository-password")
    synced.write("/etc/cncop/profile.toml", PROFILE.replace("Fetched from", "Had from"))
    refused = synced.run("cncopctl", "sync-profile", check=False)
    assert refused.returncode == 12
    assert "/var/backups/cncop/fetched/repository opens with no other" in refused.stderr
