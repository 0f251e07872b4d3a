"""A session over a pipe, without systemd: it answers, survives, and imports little."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from pathlib import Path

import cncopctl

PROGRAM = Path(cncopctl.__file__).parent / "console/__main__.py"


def session(root: Path, said: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    # As systemd starts it; what site would add, the session adds itself.
    argv = [sys.executable, "-I", "-S", *options, str(PROGRAM), f"--root={root}"]
    return subprocess.run(argv, input=said, capture_output=True, check=False, timeout=60)


def test_it_answers_line_by_line_and_in_json(tmp_path: Path) -> None:
    done = session(tmp_path, b"schedules -j\n\ndetails\nrunjob x\nst\nnonsense -j\nquit\nhelp\n")
    banner, schedules, *others, fault, goodbye = done.stdout.decode().splitlines()
    assert banner.startswith("cncop ")
    assert json.loads(schedules) == {"schedules": []}
    assert others == [
        "Nothing is running.",
        "error: an installation under --root has no systemd",
        "hint: use --system or --user",
        'error: there is no command "st"',
        "hint: STOPSERVER must be written in full",
    ]
    assert json.loads(fault) == {"error": 'there is no command "nonsense"', "hint": "see: HELP"}
    assert (goodbye, done.returncode) == ("Goodbye.", 0)
    (noted,) = done.stderr.decode().splitlines()
    assert noted.endswith("): RUNJOB x: failed: an installation under --root has no systemd")


def test_any_bytes_end_it_well(tmp_path: Path) -> None:
    everything = bytes(range(256)) * 50
    done = session(tmp_path, everything + b"\nhelp quit\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"End this session." in done.stdout


def test_a_note_is_one_line_that_drives_no_terminal_and_shows_that_it_is_cut(tmp_path: Path) -> None:
    named = "'\x1b]0;x\x07\u2028' '\x85Nov 21 web cncop: root: STOPSERVER: stopped' " + "y " * 1900
    done = session(tmp_path, f"RUNJOB {named}\n".encode())
    (noted,) = done.stderr.decode().removesuffix("\n").split("\n")
    assert noted.isprintable()
    assert r"RUNJOB \x1b]0;x\x07\u2028 \x85Nov 21" in noted
    assert "y…: failed: " in noted


def test_a_request_of_http_ends_it_without_a_word(tmp_path: Path) -> None:
    done = session(tmp_path, b"POST / HTTP/1.1\r\n\r\nhelp quit\r\n")
    assert done.stdout.count(b"\n") == 1
    assert done.returncode == 0


def test_who_does_not_read_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        reader.connect(server.getsockname())
        with server.accept()[0] as accepted:
            argv = [sys.executable, "-I", "-S", str(PROGRAM), f"--root={tmp_path}"]
            stopped = subprocess.Popen(argv, stdin=accepted.fileno(), stdout=accepted.fileno())
        while select.select([], [reader], [], 1)[1]:  # until it has stopped reading, too
            reader.send(b"HELP RUNJOB\r\n" * 20)
        stopped.terminate()
        # Else it would wait for 15 s; systemd kills it after 20.
        assert stopped.wait(timeout=10) == 0


def test_it_imports_nothing_heavy(tmp_path: Path) -> None:
    done = session(tmp_path, b"SCHEDULES\nDETAILS -j\nHELP\nHELP RUNJOB\nRUNJOB x\n", "-X", "importtime")
    report = [line for line in done.stderr.decode().splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in report}
    assert "cncopctl" in imported
    assert not imported & {
        "click",
        "rich",
        "jinja2",
        "jsonschema",
        "tomli_w",
        "asyncio",
        "argparse",
    }
    assert done.returncode == 0


def test_its_options_are_those_of_the_original(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(PROGRAM), "-?"], capture_output=True, text=True, check=False)
    assert done.stdout.split()[:3] == ["usage:", "cncopscheduler", "[-?]"]
    wrong = subprocess.run([sys.executable, str(PROGRAM), "-x"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (2, "cncopscheduler: there is no option -x")


def test_an_alternate_configuration_file_is_read(tmp_path: Path) -> None:
    other = tmp_path / "other.ini"
    other.write_text("[console]\nlok = group\n")
    done = session(tmp_path, b"quit\n")
    assert b"Warning" not in done.stdout
    argv = [sys.executable, "-I", str(PROGRAM), f"--root={tmp_path}", "-c", str(other)]
    faulty = subprocess.run(argv, input=b"quit\n", capture_output=True, check=False)
    assert b"Warning: other.ini: [console] lok: is no setting that cncop knows" in faulty.stdout
    other.unlink()
    missing = subprocess.run(argv, input=b"quit\n", capture_output=True, check=False)
    assert (missing.returncode, missing.stdout) == (2, b"")
    assert f"there is no file {other}" in missing.stderr.decode()
