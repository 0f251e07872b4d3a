"""Print `true` and `false` as the user manager begins and ends to reload, until stdin ends; first `ready`."""

from __future__ import annotations

import select
import sys
from typing import Any

from pystemd.dbuslib import DBus

MANAGER = (b"org.freedesktop.systemd1", b"/org/freedesktop/systemd1", b"org.freedesktop.systemd1.Manager")


def tell(message: Any, error: object = None, userdata: object = None) -> None:
    message.process_reply(False)
    print(str(message.body).lower(), flush=True)


def main() -> None:
    with DBus(user_mode=True) as bus:
        bus.match_signal(*MANAGER, b"Reloading", tell)
        bus.call_method(*MANAGER, b"Subscribe", [])
        print("ready", flush=True)
        while True:
            while not bus.process().is_empty():
                pass
            if sys.stdin in select.select([bus.get_fd(), sys.stdin], [], [])[0]:
                break
        while not bus.process().is_empty():
            pass


if __name__ == "__main__":
    main()
