"""The life of an agent written in Python: read the request, do it, leave the result, end with its status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from cncopctl.agentkit.failure import AgentError, ExitStatus, Terminated
from cncopctl.agentkit.progress import Progress
from cncopctl.agentkit.request import Action, Request, parse_request
from cncopctl.agentkit.result import Result, write_result
from cncopctl.core.errors import CncopError

Perform = Callable[[Request, Progress], Result]
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(actions: Mapping[Action, Perform]) -> int:
    """Perform what stdin asks for; the exit status, and the result beside it.

    Whatever goes wrong foreseeably ends as a phrase and a hint; anything else is a bug, which ends with a
    traceback on stderr and a result that says so.
    """
    # What an agent makes it needs to its end: looking for garbage among 100,000 files costs more than it finds.
    gc.set_threshold(100_000, 50, 50)
    for number in _STOPPING:
        signal.signal(number, _terminate)
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    status, result = _perform(actions)
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    return _leave(result, status)


def end(status: int) -> NoReturn:
    """End with `status`, and leave it to the kernel to take the memory back, which has many files in it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _terminate(_number: int, _frame: object) -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise Terminated


def _perform(actions: Mapping[Action, Perform]) -> tuple[ExitStatus, Result]:
    try:
        request = parse_request(sys.stdin.buffer.read())
        perform = actions.get(request.action)
        if perform is None:
            raise AgentError(f"this agent cannot {request.action}", exit_status=ExitStatus.USAGE)
        return ExitStatus.OK, perform(request, Progress.from_environment())
    except AgentError as error:
        return error.exit_status, Result(error.phrase, hint=error.hint, **error.told)
    except CncopError as error:
        status = ExitStatus.RERUN if getattr(error, "transient", False) else ExitStatus.ERROR
        return status, Result(error.message, hint=error.hint)
    except Terminated:
        return ExitStatus.TERMINATED, Result("stopped before it was done")
    except OSError as error:
        return ExitStatus.ERROR, Result(_os_phrase(error))
    except Exception as error:
        _leave(Result(f"a bug in the agent: {type(error).__name__}: {error}"), ExitStatus.ERROR)
        raise


def _os_phrase(error: OSError) -> str:
    where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"


def _leave(result: Result, status: ExitStatus) -> int:
    """Write the result, and say on stderr what it says."""
    path = os.environ.get("CNCOP_RESULT")
    with suppress(OSError):
        for warning in result.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(result.phrase, file=sys.stderr)
        if result.hint:
            print(f"hint: {result.hint}", file=sys.stderr)
    if path:
        try:
            write_result(result, Path(path))
        except OSError as error:
            print(f"the result cannot be written: {_os_phrase(error)}", file=sys.stderr)
            return status or ExitStatus.ERROR
    return status
