"""The user at the other end of a connection: told by the kernel, for this very connection, or not at all."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cncopctl.edges import peer

ENDS = [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET, "127.0.0.1", "::ffff:127.0.0.1"),
]


@contextmanager
def connected(family: int, host: str, to: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection: the one that connected, and the one that was accepted."""
    with socket.create_server((host, 0), family=family) as server:
        client = socket.create_connection((to, server.getsockname()[1]))
        accepted, _ = server.accept()
        with client, accepted:
            yield client, accepted


@pytest.mark.parametrize(("family", "host", "to"), ENDS, ids=["IPv4", "IPv6", "IPv4 by IPv6"])
def test_the_peer_is_found_also_half_closed_and_not_once_it_has_left(family: int, host: str, to: str) -> None:
    with connected(family, host, to) as (client, accepted):
        assert peer.peer_uid(accepted) == os.getuid()
        assert peer.uids_connected_to(accepted.getsockname()[1]) == [os.getuid()]
        client.shutdown(socket.SHUT_WR)
        assert (peer.peer_uid(accepted), peer.has_left(accepted)) == (os.getuid(), False)
        client.close()
        assert (peer.peer_uid(accepted), peer.has_left(accepted)) == (None, True)


def test_a_peer_that_has_reset_the_connection_is_nobody_though_its_words_are_still_there() -> None:
    with connected(*ENDS[0]) as (client, accepted):
        client.sendall(b"STOPSERVER\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert (peer.peer_uid(accepted), peer.has_left(accepted)) == (None, True)


@pytest.mark.parametrize(("family", "host", "to"), ENDS, ids=["IPv4", "IPv6", "IPv4 by IPv6"])
def test_the_listing_of_proc_tells_the_same(family: int, host: str, to: str) -> None:
    with connected(family, host, to) as (client, accepted):
        us, them = (peer._address(name) for name in (accepted.getsockname(), accepted.getpeername()))
        (end,) = [end for end in peer._listed() if (end.local, end.remote) == (them, us)]
        assert (end, end.is_held()) == (peer._find(them, us), True)
        assert end.inode == os.fstat(client.fileno()).st_ino


def test_what_is_no_tcp_connection_has_no_peer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer.peer_uid(ours) is None
        theirs.shutdown(socket.SHUT_WR)
        assert not peer.has_left(ours)
        theirs.close()
        assert peer.has_left(ours)


def test_a_user_whom_our_user_namespace_does_not_know_is_nobody() -> None:
    # All of them have one number there (user_namespaces(7)), which some account may have as well.
    program = """
import os, socket
from cncopctl.edges import peer
with socket.create_server(("127.0.0.1", 0)) as server:
    client = socket.create_connection(server.getsockname())
    accepted = server.accept()[0]
us, them = peer._address(accepted.getsockname()), peer._address(accepted.getpeername())
print(peer._find(them, us).uid == os.getuid(), peer.peer_uid(accepted))
"""
    argv = ["unshare", "--user", "--", sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "True None\n"


def test_root_is_in_its_own_group_and_nobody_in_one_that_is_not_there() -> None:
    assert peer.is_member(0, "root")
    assert not peer.is_member(0, "no-such-group")
    assert not peer.is_member(4_000_000_000, "root")
    assert (peer.name_of(0), peer.name_of(4_000_000_000)) == ("root", "4000000000")
