"""Who uses the console, and what that allows."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from cncopctl.core.configuration import Console
from cncopctl.core.layout import Layout, Scope
from cncopctl.edges.peer import is_member, name_of, peer_uid, uids_connected_to

# Sessions that all those who may only look can have at a time: the rest of the socket's are for those who may
# do more, so that nobody can keep an administrator out by doing nothing.
_MOST_ONLOOKERS = 112


@dataclass(frozen=True, slots=True)
class User:
    """The one at the other end, with a name for people, and whether to look and to change things is allowed."""

    uid: int
    name: str
    may_look: bool
    may_change: bool


def find_user(layout: Layout, console: Console, descriptor: int) -> User | None:
    """The user at the other end of the connection, or the one who has started us at a terminal.

    None where it cannot be told for certain who it is.
    """
    uid = _uid(descriptor)
    if uid is None:
        return None
    if layout.scope is Scope.SYSTEM:
        may_change = _may_change(console, uid)
        return User(uid, name_of(uid), may_change or console.look == "everyone", may_change)
    is_own = uid == os.geteuid()
    return User(uid, name_of(uid), is_own, is_own)


def may_still_change(layout: Layout, console: Console, user: User) -> bool:
    """Whether the user may change things now: a session may last longer than a membership."""
    return user.may_change and (layout.scope is not Scope.SYSTEM or _may_change(console, user.uid))


def _may_change(console: Console, uid: int) -> bool:
    return uid == 0 or is_member(uid, console.group)


def _uid(descriptor: int) -> int | None:
    try:
        connection = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return os.getuid()  # no socket: a terminal, a pipe, a file
    with connection:
        return peer_uid(connection)


def is_crowded(console: Console, descriptor: int) -> bool:
    """Whether those who may only look have as many sessions as they can have."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            uids = uids_connected_to(connection.getsockname()[1])
    except OSError:
        return False
    known: dict[int, bool] = {0: True}
    for uid in uids:
        if uid not in known:
            known[uid] = is_member(uid, console.group)
    return sum(not known[uid] for uid in uids) > _MOST_ONLOOKERS
