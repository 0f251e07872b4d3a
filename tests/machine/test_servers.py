"""Jobs on servers as real units: in the sandbox of their service, with a user who logs in by key and by password."""

from __future__ import annotations

import pytest

from .machine import Machine

PROFILE = """
schema = 1

[[job]]
id = "by-key"
type = "SFTP"
schedule = "30 2 * * *"
source = "sftp://web@127.0.0.1/home/web/www"
credential = "key"

[[job]]
id = "by-password"
type = "SFTP"
schedule = "30 2 * * *"
source = "sftp://web@127.0.0.1/~/www"
credential = "password"

[[job]]
id = "by-ftp"
type = "FTP"
schedule = "30 2 * * *"
source = "ftp://web@127.0.0.1/~/www"
credential = "password"

[[job]]
id = "away"
type = "SFTP"
direction = "PUSH"
schedule = "30 2 * * *"
source = "/etc/systemd"
destination = "sftp://web@127.0.0.1/~/away"
credential = "key"
"""

PASSWORD = "pass wörd $of the %user"  # noqa: S105

PREPARE = """
useradd --create-home --shell /bin/bash web
install -d -o web -m 755 /home/web/www /home/web/away /home/web/www/empty
cd /home/web/www
echo index > index.html && echo secret > '.häßlich name' && chmod 640 '.häßlich name'
ln -s index.html link && touch -d 2001-02-03T04:05:06Z index.html
chown -hR web:web /home/web
systemctl start ssh vsftpd
install -d -o web -m 700 /home/web/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/key
install -o web -m 600 /root/key.pub /home/web/.ssh/authorized_keys
"""


@pytest.fixture(scope="module")
def served(device: Machine) -> Machine:
    """The device as a server of its own: sshd and vsftpd as Debian has them."""
    device.run("sh", "-euc", PREPARE)
    device.run("chpasswd", input=f"web:{PASSWORD}\n")
    device.run("sh", "-c", "cncopctl credential set key < /root/key")
    device.run("cncopctl", "credential", "set", "password", input=PASSWORD)
    device.write("/etc/cncop/profile.toml", PROFILE)
    device.run("cncopctl", "sync-profile")
    return device


def test_an_unknown_server_is_refused_and_accepted_by_the_command_that_the_hint_shows(
    served: Machine,
) -> None:
    refused = served.run("cncopctl", "check", "by-key", check=False)
    assert refused.returncode == 3
    command = refused.stderr.split("accept it as the user who runs the job: ")[1].strip()
    served.run("sh", "-c", f"mkdir -p -m 700 ~/.ssh; {command}")
    assert "can be read" in served.run("cncopctl", "check", "by-key").stdout


@pytest.mark.parametrize("job", ["by-key", "by-password", "by-ftp"])
def test_a_backup_of_a_server_comes_back(served: Machine, job: str) -> None:
    assert f"{job}: OK: 2 files" in served.run("cncopctl", "runjob", job).stdout
    served.run("cncopctl", "restore", job, "--to", f"/root/{job}")
    served.run("diff", "--recursive", "--no-dereference", "/home/web/www", f"/root/{job}")
    described = ["sh", "-c", 'cd "$1" && find . -mindepth 1 -printf "%P %y %m %u %l %Ts\\n" | sort', "sh"]
    if job != "by-ftp":
        assert served.run(*described, f"/root/{job}").stdout == served.run(*described, "/home/web/www").stdout
    assert served.run("stat", "--format=%Y", f"/root/{job}/index.html").stdout == "981173106\n"


@pytest.mark.parametrize("to", ["/home/web/back", "/home/web/roots"])
def test_a_backup_comes_back_to_where_somebody_else_can_write(served: Machine, to: str) -> None:
    served.run("install", "-d", "-o", "web" if to.endswith("back") else "root", to)
    served.run("cncopctl", "restore", "by-key", "index.html", "--to", to)
    assert served.run("ls", "-A", to).stdout == "index.html\n"
    served.run("cncopctl", "restore", "by-key", "--to", to, "--force")
    served.run("diff", "--recursive", "--no-dereference", "/home/web/www", to)


def test_a_local_directory_is_sent_to_a_server(served: Machine) -> None:
    assert "away: OK: " in served.run("cncopctl", "runjob", "away").stdout
    served.run("diff", "/etc/systemd/system.conf", "/home/web/away/system.conf")


def test_no_password_is_in_a_unit_a_log_or_a_report(served: Machine) -> None:
    places = ["/etc/systemd/system", "/var/log/cncop", "/var/spool/cncop", "/var/lib/cncop/jobs"]
    found = served.run("grep", "--recursive", "--files-with-matches", "--", PASSWORD, *places, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert PASSWORD not in served.run("journalctl", "--no-pager", "--output=verbose").stdout
