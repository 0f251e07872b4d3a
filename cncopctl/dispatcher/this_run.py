"""The run that this process is a step of."""

from __future__ import annotations

import os
import uuid
from functools import cache


@cache
def run_id() -> str:
    """The run's id: the service's invocation, or one of our own where systemd did not start us."""
    return os.environ.get("INVOCATION_ID") or uuid.uuid4().hex
