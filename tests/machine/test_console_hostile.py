"""The console against those who mean no good, or no console: raw sockets on booted machines."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .console import RAW, converse, install_console
from .machine import Machine

FUZZER = Path(__file__).with_name("console_fuzzer.py")


@pytest.fixture(scope="module")
def served(machine: Machine, wheel: Path) -> Machine:
    install_console(machine, wheel)
    machine.run("useradd", "--create-home", "stranger")
    machine.copy_in(FUZZER, "/usr/local/lib")
    return machine


@pytest.fixture(autouse=True)
def _nothing_is_left(served: Machine) -> object:
    """After each test no session is there, none has failed, none has crashed, and an honest one is served."""
    yield
    served.run("python3", f"/usr/local/lib/{FUZZER.name}", "wait-until-quiet")
    assert "web-01" in converse(served, "print(ask(begun(), 'SCHEDULES -j'))", user="stranger")
    journal = served.journal("cncop-console@*")
    assert "Traceback" not in journal
    assert "Failed with result" not in journal
    assert served.run("systemctl", "--failed", "--no-legend", "--plain").stdout == ""


@pytest.mark.parametrize("method", ["GET / HTTP/1.1", "POST / HTTP/1.1", "POST /" + "a" * 9000 + " HTTP/1.1"])
def test_a_browser_is_cut_off_at_once_and_changes_nothing(served: Machine, method: str) -> None:
    program = r"""
connection = begun()
body = b"\r\nSTOPSERVER\r\nRUNJOB db\r\n"
connection.sendall(sys.argv[1].encode() + b"\r\nHost: localhost:59153\r\nContent-Type: text/plain\r\n\r\n" + body)
print(repr(until(connection)))
"""
    assert converse(served, program, method) == "b''\n"
    assert served.property("cncop.target", "ActiveState") == "active"
    assert served.property("cncop-job-db.service", "InactiveExitTimestamp") == ""


def test_one_who_leaves_at_once_is_not_taken_for_root(served: Machine) -> None:
    """The kernel shows a socket that nobody has any more as root's, where it is old enough."""
    program = r"""
for linger in (None, struct.pack("ii", 1, 0)):
    for _ in range(20):
        connection = connect()
        if linger:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sendall(b"STOPSERVER\r\nRUNJOB db\r\n")
        connection.close()
"""
    converse(served, program, user="stranger")
    served.run("python3", f"/usr/local/lib/{FUZZER.name}", "wait-until-quiet")
    assert served.property("cncop.target", "ActiveState") == "active"
    assert served.property("cncop-job-db.service", "InactiveExitTimestamp") == ""


def test_root_of_a_user_namespace_is_who_has_made_it(served: Machine) -> None:
    program = "print(os.getuid()); print(ask(begun(), 'STOPSERVER'))"
    argv = ["unshare", "--user", "--map-root-user", "python3", "-c", f"{RAW}\n{program}"]
    said = served.run_as("stranger", *argv).stdout
    assert said.startswith("0\nerror: stranger may not use STOPSERVER\n")


def test_telnet_is_negotiated_and_width_is_taken(served: Machine) -> None:
    program = r"""
connection = begun()
connection.sendall(bytes((255, 251, 31, 255, 250, 31, 0, 200, 0, 50, 255, 240)))   # WILL NAWS, SB NAWS 200 50 SE
connection.sendall(bytes((255, 253, 1, 255, 251, 24, 255, 253, 6)))               # DO ECHO, WILL TTYPE, DO TM
answer = b""
while len(answer) < 12:
    answer += connection.recv(100)
print(list(answer))
print(ask(connection, "SCHEDULES").splitlines()[0].endswith("TITLE"))
connection.sendall(bytes((255, 246)))                                              # AYT
print(until(connection, b"]\r\n"))
connection.sendall(b"QUI" + b"X" + bytes((255, 247)) + b"T\r\0")                   # erase character
print(until(connection).strip())
"""
    said = converse(served, program).splitlines()
    assert said == [
        str([255, 253, 31, 255, 252, 1, 255, 254, 24, 255, 251, 6]),
        "True",
        repr(b"\r\n[cncop: yes]\r\n"),
        repr(b"Goodbye."),
    ]


def test_who_wants_json_never_gets_a_byte_of_telnet(served: Machine) -> None:
    program = r"""
connection = connect()
connection.sendall(b"SCHEDULES -j\nDETAILS -j\nHELP -j\nnonsense -j\nRUNJOB -j nonsense\n")
connection.shutdown(socket.SHUT_WR)
data = until(connection, b"never").decode("ascii")
for line in data.split("cncop> ")[1:-1]:
    print(list(json.loads(line)))
"""
    assert converse(served, program).splitlines() == [
        "['schedules']",
        "['details']",
        "['commands']",
        "['error', 'hint']",
        "['started', 'running', 'paused', 'left_out', 'failed', 'unknown']",
    ]


def test_nothing_of_what_is_received_drives_a_terminal(served: Machine) -> None:
    program = r"""
connection = begun()
everything = bytes(byte for byte in range(255) if byte not in b"\r\n\x03")
for line in (everything, b"\x1b]0;owned\x07", b"RUNJOB \x1b[31mred", "R\u202eUNJOB \U0001f5c4".encode(), b"'"):
    connection.sendall(line + b"\r\n")
    answer = until(connection)
    assert answer.startswith(b"error: ") or b"there is no job" in answer, answer
    assert all(byte >= 32 or byte in b"\r\n" for byte in answer), answer
    assert "\u202e" not in answer.decode(), answer
print(ask(connection, "HELP QUIT").splitlines()[0])
"""
    assert converse(served, program) == "QUIT\n"


def test_lines_have_4_kib_and_no_more(served: Machine) -> None:
    program = r"""
connection = begun()
print(ask(connection, "HELP" + " " * 4088 + "QUIT").splitlines()[0])
print(ask(connection, "HELP" + " " * 4089 + "QUIT").splitlines())
connection.sendall(b"x" * 1_000_000)
print(ask(connection, "").splitlines()[0])
"""
    said = converse(served, program).splitlines()
    long = "error: the line is too long"
    assert said == ["QUIT", str([long, "hint: a line has at most 4096 bytes"]), long]


def test_silence_ends_a_session(served: Machine) -> None:
    served.write("/etc/cncop/cncop3.ini", "[console]\nidle_timeout = 1\n")
    said = converse(served, "connection = begun(); print(until(connection, b'never').decode())")
    assert "Nothing was said for too long" in said
    served.run("rm", "/etc/cncop/cncop3.ini")


def test_a_half_closed_connection_is_answered_to_the_end(served: Machine) -> None:
    program = r"""
connection = connect()
connection.sendall(b"SCHEDULES -j\r\nHELP QUIT")
connection.shutdown(socket.SHUT_WR)
print(until(connection, b"never").decode())
"""
    said = converse(served, program, user="stranger")
    assert '"schedules"' in said
    assert "End this session." in said


def test_many_who_only_look_do_not_keep_root_out(served: Machine) -> None:
    program = r"""
sessions = [connect("127.0.0.1" if number % 2 else "::1") for number in range(150)]
heard = []
for session in sessions:
    data = until(session, b"\n")
    while data and b"cncop> " not in data and b"Refused" not in data:
        data += session.recv(4096) or b"Refused"
    heard.append(data)
print(sum(b"cncop> " in each for each in heard), sum(b"too many" in each for each in heard))
sys.stdout.flush()
sys.stdin.read()
"""
    script = RAW + program
    argv = ["runuser", "-u", "stranger", "--", "python3", "-c", script]
    with served.popen(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdout
        admitted, refused = map(int, held.stdout.readline().split())
        assert admitted <= 112
        assert refused >= 150 - 112
        assert "web-01" in converse(served, "print(ask(begun(), 'SCHEDULES -j'))")
        assert held.stdin
        held.stdin.close()


@pytest.mark.parametrize(
    "arguments",
    [("fuzz", "500"), ("burst", "500"), ("slow-readers", "100")],
    ids=["500 fuzzed sessions", "500 connections at once", "100 slow readers"],
)
def test_floods_are_survived(served: Machine, arguments: tuple[str, str]) -> None:
    served.run("python3", f"/usr/local/lib/{FUZZER.name}", *arguments, timeout=300)
    assert served.property("cncop-console.socket", "ActiveState") == "active"
