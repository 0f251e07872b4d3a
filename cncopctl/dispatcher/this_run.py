"""The run that this process is a step of."""

from __future__ import annotations

import os
from functools import cache


@cache
def run_id() -> str:
    """The run's id: the service's invocation, or one of our own where systemd did not start us."""
    if given := os.environ.get("INVOCATION_ID"):
        return given
    import uuid  # seldom needed

    return uuid.uuid4().hex
