"""The console's first words. Nothing is imported for them that Python has not loaded anyway: somebody waits."""

from __future__ import annotations

import os

from cncopctl import __version__


def greeting() -> bytes:
    """The banner: which machine this is, and which version."""
    host = os.uname().nodename
    return f"cncop {__version__} on {host}. HELP shows the commands, QUIT ends.\r\n".encode(
        "ascii", "backslashreplace"
    )
