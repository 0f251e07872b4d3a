"""The console's first byte against a socket-activated `python3 -c 'print(1)'`, in turns on the same booted machine.

Each connection is cold: nothing of the console is resident. Both Debian releases.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROUNDS, BARE_PORT, PORT = 60, 59199, 59153
TESTS = Path(__file__).resolve().parent.parent / "tests"

BARE_SOCKET = f"[Socket]\nListenStream=127.0.0.1:{BARE_PORT}\nAccept=yes\nTriggerLimitIntervalSec=0\n"
BARE_SERVICE = (
    "[Service]\nStandardInput=socket\nStandardOutput=socket\nExecStart=/usr/bin/python3 -c 'print(1)'\n"
)

# Run in the machine: arguments are rounds and ports; prints milliseconds to the first byte, by port.
CLIENT = """
import json, socket, sys, time
rounds, *ports = map(int, sys.argv[1:])
taken = {port: [] for port in ports}
for _ in range(rounds):
    for port in ports:
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(1)
            taken[port].append((time.perf_counter() - began) * 1000)
            # The next one begins when nothing of this one is left.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        time.sleep(0.1)
print(json.dumps(taken))
"""


def main() -> None:
    """Print medians in milliseconds, and how many times the bare one's ours is."""
    sys.path.insert(0, str(TESTS))
    from machine.image import RELEASES
    from machine.machine import Machine
    from machine.project import build_wheel

    with tempfile.TemporaryDirectory() as directory:
        wheel = build_wheel(Path(directory))
        for release in RELEASES:
            with Machine.boot(release) as machine:
                report(release, measure(machine, wheel))


def measure(machine: Any, wheel: Path) -> dict[str, list[float]]:
    """Milliseconds to the first byte, by port."""
    from machine.console import install_console

    install_console(machine, wheel)
    machine.write("/etc/systemd/system/bare.socket", BARE_SOCKET)
    machine.write("/etc/systemd/system/bare@.service", BARE_SERVICE)
    machine.write("/root/client.py", CLIENT)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "bare.socket")
    machine.run("python3", "/root/client.py", "3", str(BARE_PORT), str(PORT))
    done = machine.run("python3", "/root/client.py", str(ROUNDS), str(BARE_PORT), str(PORT), timeout=300)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def report(release: str, taken: dict[str, list[float]]) -> None:
    bare, ours = taken[str(BARE_PORT)], taken[str(PORT)]
    print(f"{release}: first byte of a cold connection, {ROUNDS} in turns, milliseconds")
    for label, values in (("python3 -c 'print(1)'", bare), ("console", ours)):
        middle, high = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        print(f"  {label:<24} median {middle:6.1f}   95 % within {high:6.1f}   best {min(values):6.1f}")
    print(f"  console / bare           {statistics.median(ours) / statistics.median(bare):.2f}")
