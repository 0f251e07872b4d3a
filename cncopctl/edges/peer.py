"""Who is at the other end of a TCP connection on this machine: the kernel's table of sockets knows.

Loopback authenticates nobody, but both ends of such a connection are sockets of this kernel, which notes for each
the user who made it. The other end is looked up by the connection's four numbers, with sock_diag(7), or in
/proc/net/tcp where the kernel has no sock_diag for TCP.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ID = struct.Struct("=2s2s16s16sI8s")  # struct inet_diag_sockid
_REQUEST = struct.Struct("=IHHIIBBBBI")  # struct nlmsghdr, and inet_diag_req_v2 up to its id
_HEADER = struct.Struct("=IHHII")
_ANSWER = struct.Struct("=BBBB48sIIIII")  # struct inet_diag_msg

_SOCK_DIAG, _BY_FAMILY, _DONE, _ERROR = 4, 20, 3, 2
_REQUESTED, _DUMPED = 0x1, 0x300
_ANY_COOKIE = b"\xff" * 8
_MAPPED = b"\0" * 10 + b"\xff\xff"
_BLOCK = 65536

# TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2 and TCP_CLOSE_WAIT of the kernel's tcp_states.h: ends that may
# still be somebody's. All others have no process behind them.
_HELD = frozenset({1, 4, 5, 8})
_OURS = frozenset({1, 8})

# As /proc/self/uid_map has it where there is no user namespace but the first.
_ALL_USERS = [0, 0, 2**32 - 1]

Address = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class _End:
    """One socket of the kernel's table; `inode` is 0 where no process has it any more."""

    local: Address
    remote: Address
    state: int
    uid: int
    inode: int

    def is_held(self) -> bool:
        """Whether somebody has it: one that nobody has is shown as root's."""
        return self.state in _HELD and self.inode != 0


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end of `connection`; None where that cannot be told for certain.

    An end that its process has closed already is nobody's: the kernel shows it with user 0. And the four numbers
    only name the other end of *this* connection as long as ours stands, which is therefore looked at last: after a
    reset somebody else may have connected from the same port.
    """
    try:
        end = _other_end(connection)
        if end is None or not end.is_held() or _is_anybody(end.uid):
            return None
        return end.uid if _stands(connection) else None
    except OSError:
        return None


def has_left(connection: socket.socket) -> bool:
    """Whether the other end is closed, in both directions; not where it only says nothing more."""
    if connection.family == socket.AF_UNIX:
        poll = select.poll()
        poll.register(connection, 0)
        return bool(poll.poll(0))
    try:
        end = _other_end(connection)
    except OSError:
        return True
    return end is None or not end.is_held()


def _other_end(connection: socket.socket) -> _End | None:
    us, them = _address(connection.getsockname()), _address(connection.getpeername())
    end = _find(them, us)
    return end if end and (end.local, end.remote) == (them, us) else None


def uids_connected_to(port: int) -> list[int]:
    """The users of all connections of this machine to `port`, one for each; [] where that cannot be told."""
    request = _request(socket.AF_INET, ((b"\0" * 4, 0), (b"\0" * 4, port)), _DUMPED)
    request6 = _request(socket.AF_INET6, ((b"\0" * 16, 0), (b"\0" * 16, port)), _DUMPED)
    with contextlib.suppress(OSError):
        ends = [*_ask(request), *_ask(request6)]
        return [end.uid for end in ends if end.remote[1] == port and end.is_held()]
    return []


def name_of(uid: int) -> str:
    """The user's name; the number where there is no such account."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_member(uid: int, group: str) -> bool:
    """Whether the user is in `group`, by the group database (getgrouplist(3)).

    The groups of the process at the other end do not count: they may be older.
    """
    try:
        account = pwd.getpwuid(uid)
        return grp.getgrnam(group).gr_gid in os.getgrouplist(account.pw_name, account.pw_gid)
    except (KeyError, OSError):
        return False


def _is_anybody(uid: int) -> bool:
    """Whether the number stands for every user that our user namespace does not know (user_namespaces(7))."""
    if uid != int(_text("/proc/sys/kernel/overflowuid")):
        return False
    return [int(number) for number in _text("/proc/self/uid_map").split()] != _ALL_USERS


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - no pathlib for what a connection waits for
        return file.read()


def _stands(connection: socket.socket) -> bool:
    """Whether our end is established, though the other may have ended its sending."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _OURS


def _find(local: Address, remote: Address) -> _End | None:
    family = socket.AF_INET if len(local[0]) == 4 else socket.AF_INET6
    try:
        return next(_ask(_request(family, (local, remote), 0)), None)
    except OSError:  # no such socket, or no such table in this kernel: both are ENOENT
        return next((end for end in _listed() if (end.local, end.remote) == (local, remote)), None)


def _request(family: int, numbers: tuple[Address, Address], flags: int) -> bytes:
    (local, local_port), (remote, remote_port) = numbers
    ports = local_port.to_bytes(2, "big"), remote_port.to_bytes(2, "big")
    identity = _ID.pack(*ports, local, remote, 0, _ANY_COOKIE)
    states = sum(1 << state for state in _HELD) if flags else 0xFFFFFFFF
    head = (_REQUEST.size + _ID.size, _BY_FAMILY, _REQUESTED | flags, 1, 0)
    return _REQUEST.pack(*head, family, socket.IPPROTO_TCP, 0, 0, states) + identity


def _ask(request: bytes) -> Iterator[_End]:
    """The sockets that the kernel answers with.

    Raises:
        OSError: it refuses, or there is none (ENOENT).
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as channel:
        channel.settimeout(5)
        channel.sendto(request, (0, 0))
        is_dump = bool(struct.unpack_from("=H", request, 6)[0] & _DUMPED)
        while True:
            block = channel.recv(_BLOCK)
            for kind, body in _messages(block):
                if kind == _ERROR:
                    number = -int.from_bytes(body[:4], "little", signed=True)
                    raise OSError(number, os.strerror(number))
                if kind == _DONE:
                    return
                yield _end(body)
            if not is_dump:
                return


def _messages(block: bytes) -> Iterator[tuple[int, bytes]]:
    while len(block) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(block)
        if length < _HEADER.size:
            return
        yield kind, block[_HEADER.size : length]
        block = block[(length + 3) & ~3 :]


def _end(body: bytes) -> _End:
    family, state, _, _, identity, _, _, _, uid, inode = _ANSWER.unpack_from(body)
    local_port, remote_port, local, remote, _, _ = _ID.unpack(identity)
    size = 4 if family == socket.AF_INET else 16
    return _End(
        (_unmapped(local[:size]), int.from_bytes(local_port, "big")),
        (_unmapped(remote[:size]), int.from_bytes(remote_port, "big")),
        state,
        uid,
        inode,
    )


def _listed() -> Iterator[_End]:
    """All TCP sockets of this network, as /proc shows them (proc_net_tcp in the kernel's documentation)."""
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table, encoding="utf-8") as lines:  # noqa: PTH123
            next(lines, None)
            for line in lines:
                fields = line.split()
                numbers = _listed_address(fields[1]), _listed_address(fields[2])
                yield _End(*numbers, int(fields[3], 16), int(fields[7]), int(fields[9]))


def _listed_address(text: str) -> Address:
    """Addresses are written as 32-bit numbers in the order of this machine's bytes."""
    digits, _, port = text.partition(":")
    parts = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    return _unmapped(struct.pack(f"={len(parts)}I", *parts)), int(port, 16)


def _address(name: object) -> Address:
    """An address of the socket module in bytes, IPv4 as such also where it came by an IPv6 socket.

    Raises:
        OSError: it is none of TCP.
    """
    if not isinstance(name, tuple) or len(name) < 2:
        raise OSError(errno.EAFNOSUPPORT, "no TCP connection")
    host, port = str(name[0]).partition("%")[0], int(name[1])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _unmapped(socket.inet_pton(family, host)), port


def _unmapped(address: bytes) -> bytes:
    return address[12:] if address.startswith(_MAPPED) and len(address) == 16 else address
