"""Telling systemd how a run comes on, and giving it things to keep: sd_notify(3) without a library."""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket

_BARRIER_SECONDS = 5.0


def notify_status(text: str) -> None:
    """Show `text` as the service's status; nothing happens where systemd does not listen.

    A status that cannot be delivered is not worth a failure of the run.
    """
    _send(f"STATUS={' '.join(text.split())}")


def extend_timeout(seconds: int) -> None:
    """Let the present step of the service take so much longer, whatever its time limit (EXTEND_TIMEOUT_USEC=)."""
    _send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}")


def hand_over(descriptor: int, name: str) -> bool:
    """Have systemd keep `descriptor` open until the service has ended; False where it does not.

    It stays open whatever becomes of the service's processes, and is closed when the service is inactive or has
    failed (systemd.service(5), FileDescriptorStoreMax=). The barrier waits until systemd has it: what comes
    from a process that is gone by then would be dropped (sd_notify_barrier(3), systemd 246).
    """
    if not _send(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", descriptor):
        return False
    ours, theirs = os.pipe()
    try:
        sent = _send("BARRIER=1", theirs)
    finally:
        os.close(theirs)
    try:
        poll = select.poll()
        poll.register(ours, select.POLLHUP)
        return sent and bool(poll.poll(_BARRIER_SECONDS * 1000))
    finally:
        os.close(ours)


def was_handed(name: str) -> bool:
    """Whether systemd has given this process a descriptor of that name back (sd_listen_fds_with_names(3))."""
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid())
    return is_ours and name in os.environ.get("LISTEN_FDNAMES", "").split(":")


def _send(message: str, descriptor: int | None = None) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    target = f"\0{address[1:]}" if address.startswith("@") else address
    rights = [] if descriptor is None else [_rights(descriptor)]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(target)
        channel.sendmsg([message.encode("utf-8", "replace")], rights)
        return True
    return False


def _rights(descriptor: int) -> tuple[int, int, array.array[int]]:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor])
