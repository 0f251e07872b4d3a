"""Read properties of units over D-Bus: a request in JSON on stdin, the answer in JSON on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from pystemd.dbuslib import DBus

SYSTEMD, MANAGER = b"org.freedesktop.systemd1", b"org.freedesktop.systemd1.Manager"


def plain(value: Any) -> Any:
    """`value` for JSON: D-Bus strings are UTF-8, or the bus would not carry them."""
    match value:
        case bytes():
            return value.decode()
        case dict():
            return {plain(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return value


def main() -> None:
    request = json.load(sys.stdin)
    interfaces = {"service": b"Service", "timer": b"Timer", "target": b"Target"}
    answer = {}
    with DBus(user_mode=True) as bus:
        for unit in request["units"]:
            arguments = [(ord("s"), unit.encode())]
            root = b"/org/freedesktop/systemd1"
            path = bus.call_method(SYSTEMD, root, MANAGER, b"LoadUnit", arguments).body
            found: dict[str, Any] = {}
            for kind in (b"Unit", interfaces[unit.rpartition(".")[2]]):
                interface = [(ord("s"), SYSTEMD + b"." + kind)]
                found |= plain(
                    bus.call_method(
                        SYSTEMD, path, b"org.freedesktop.DBus.Properties", b"GetAll", interface
                    ).body
                )
            answer[unit] = {name: found[name] for name in request["properties"] if name in found}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
