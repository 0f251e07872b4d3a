"""Listening to a program that runs, until it has ended."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Mapping

Hear = Callable[[bytes], None]

# Seconds for what a program had said when it ended. What it leaves behind may go on talking for ever.
_REST = 1.0


def listen(process: int, voices: Mapping[int, Hear], seconds: float | None = None) -> bool:
    """Pass on what comes from descriptors until the process has ended, and what it had said by then.

    What it leaves behind may hold them open for ever: that is systemd's to end, not ours to wait for.

    Args:
        process: its id; it is a child that nobody has waited for yet.
        voices: who hears what comes from which descriptor.
        seconds: how long to listen at most; None for as long as it lasts.

    Returns False where it has not ended in time.
    """
    limit = None if seconds is None else time.monotonic() + seconds
    has_ended = False
    ended = os.pidfd_open(process)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            for descriptor, hear in voices.items():
                selector.register(descriptor, selectors.EVENT_READ, hear)
            # By the clock, not by silence: a program that never stops talking has its time limit, too.
            while limit is None or time.monotonic() < limit:
                events = selector.select(None if limit is None else max(0.0, limit - time.monotonic()))
                heard = [_pass_on(key, selector) for key, _ in events if key.data]
                if any(key.data is None for key, _ in events):
                    if not any(heard):
                        return True
                    limit = limit if has_ended else time.monotonic() + _REST
                    has_ended = True
            return has_ended
    finally:
        os.close(ended)


def _pass_on(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> bool:
    """Pass on what there is to read, or stop listening where that is over."""
    data = os.read(key.fd, 65536)
    if data:
        key.data(data)
    else:
        selector.unregister(key.fd)
    return bool(data)
