"""Telling systemd how a run comes on: sd_notify(3) without a library."""

from __future__ import annotations

import contextlib
import os
import socket


def notify_status(text: str) -> None:
    """Show `text` as the service's status; nothing happens where systemd does not listen.

    A status that cannot be delivered is not worth a failure of the run.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    line = " ".join(text.split())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(name)
        channel.send(f"STATUS={line}".encode("utf-8", "replace"))
