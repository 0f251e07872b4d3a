"""mail-test: a mail that only shows that mail arrives, or what keeps it from arriving."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mail_server import SmtpServer, free_port


def mail_test(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "cncopctl.cli.main", "mail-test", f"--root={root}", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def settings(root: Path, port: int) -> None:
    (root / "Config").mkdir(exist_ok=True)
    text = f"[mail]\nmail_server = 127.0.0.1\nmail_port = {port}\nmail_security = none\n"
    (root / "Config/cncop3.ini").write_text(text)


def test_it_arrives(tmp_path: Path) -> None:
    with SmtpServer() as server:
        settings(tmp_path, server.port)
        done = mail_test(tmp_path, "ops@example.org")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "127.0.0.1 has taken a mail to ops@example.org: look whether it arrives\n"
        (mail,) = server.received
    assert mail.subject == f"Test: mail from cncop on {os.uname().nodename}"


def test_what_is_wrong_is_told_with_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    settings(tmp_path, port)
    done = mail_test(tmp_path, "ops@example.org")
    assert done.returncode == 14
    assert done.stderr.splitlines() == [
        f"cncopctl: Connection refused (mail server 127.0.0.1:{port})",
        "hint: look at [mail] in cncop3.ini: mail_server, mail_port",
    ]


def test_without_a_server_it_says_what_to_set(tmp_path: Path) -> None:
    done = mail_test(tmp_path, "ops@example.org")
    assert done.returncode == 10
    assert "[mail] mail_server: is not set" in done.stderr


def test_an_address_that_is_none(tmp_path: Path) -> None:
    assert mail_test(tmp_path, "ops").returncode == 2
