"""Delivering reports: in the order JE, JS, JF, VIRUS and by age, to where they belong.

That is the archive while no hub is configured. A hub is one more place before it: what it has acknowledged goes
into the archive, what it has not stays where it is, and is tried again by the reporter's timer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cncopctl.core.faults import printable
from cncopctl.core.layout import Layout
from cncopctl.core.report import MOST_BYTES, place_in_order, read_report
from cncopctl.edges.spool import Spool

Say = Callable[[str], None]

# Nobody takes as long to write a report; what is older was left by somebody who was killed.
_HALF_WRITTEN = timedelta(hours=1)


def deliver_reports(layout: Layout, now: datetime, days: int, say: Say, debug: Say) -> list[str]:
    """Hand over all that waits; what could not be done, in sentences.

    Args:
        layout: the installation.
        now: the time.
        days: how many days the archive keeps.
        say: called with what is worth knowing.
        debug: called with what is only worth knowing to who looks for a mistake.

    Raises:
        OSError: the spool cannot be used at all.
    """
    if not layout.messages.is_dir():
        return []  # nothing was ever synced here
    spool = Spool(layout.spool)
    with spool.hold():
        spool.has_woken()
        good, bad = _sorted_out(spool)
        failed = [*spool.archive(good, f"{now.astimezone():%Y-%m-%d}"), *spool.set_aside(list(bad))]
        for name, why in bad.items():
            say(f"{printable(name)} is no report and goes to {spool.aside}: {why}")
        spool.forget_halves((now - _HALF_WRITTEN).timestamp())
        spool.prune(days)
        for name in good:
            debug(f"{name}: to the archive, as no hub is configured")
    return [f"{error.filename or layout.spool}: {error.strerror}" for error in failed]


def _sorted_out(spool: Spool) -> tuple[list[str], dict[str, str]]:
    """The reports that wait, in their order, and what is none, with the reason."""
    good, bad = [], {}
    for name in spool.names():
        try:
            read_report(name, spool.read(name, MOST_BYTES))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            bad[name] = str(error.strerror if isinstance(error, OSError) else error)
        else:
            good.append(name)
    return sorted(good, key=lambda name: (place_in_order(name), name)), bad
