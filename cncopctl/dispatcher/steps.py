"""The steps of a run: which one the arguments ask for, and what becomes of its errors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cncopctl.core.errors import CncopError, UsageError
from cncopctl.core.layout import Layout, Scope
from cncopctl.edges.compiled_jobs import read_compiled_job
from cncopctl.verbs.choose_layout import choose_layout

STEPS = ("gate", "before", "run", "after", "close", "recover")

# ExecCondition= takes 1 to 254 for "skip this run" and 255 for "something is wrong" (systemd.service(5)).
BROKEN_GATE = 255


def main(arguments: Sequence[str]) -> int:
    """Do one step and return its exit status."""
    step = arguments[-2] if len(arguments) > 1 else ""
    try:
        if arguments and arguments[-1] == "recover":
            from cncopctl.dispatcher.recover import recover

            return recover(_understand([*arguments, ""])[0])
        layout, job_id = _understand(arguments)
        return _do(step, layout, job_id)
    except CncopError as error:
        print(f"cncop: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return BROKEN_GATE if step == "gate" else error.exit_status
    except OSError as error:
        print(f"cncop: {error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
        return BROKEN_GATE if step == "gate" else 1


def _understand(arguments: Sequence[str]) -> tuple[Layout, str]:
    if len(arguments) < 2 or arguments[-2] not in STEPS:
        raise UsageError(f"a step is one of {', '.join(STEPS)}", "cncopctl runjob JOB runs a job")
    option = arguments[0] if len(arguments) > 2 else ""
    if option.startswith("--root="):
        return choose_layout(None, Path(option.removeprefix("--root=")), os.environ), arguments[-1]
    scope = Scope(option.removeprefix("--")) if option in ("--system", "--user") else None
    return choose_layout(scope, None, os.environ), arguments[-1]


def _do(step: str, layout: Layout, job_id: str) -> int:
    job = read_compiled_job(layout.compiled_jobs, job_id)
    match step:
        case "gate":
            from cncopctl.dispatcher.gate import gate

            return gate(layout, job)
        case "run":
            from cncopctl.dispatcher.run import run

            gc.enable()
            return run(layout, job)
        case "close":
            from cncopctl.dispatcher.close import close

            return close(layout, job)
        case _:
            from cncopctl.dispatcher.user_commands import after, before

            return before(layout, job) if step == "before" else after(layout, job)
