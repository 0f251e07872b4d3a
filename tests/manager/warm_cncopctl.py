"""cncopctl with its imports done: hundreds of syncs in a row need not wait for them.

One request a line on stdin, the arguments as JSON. For each, a child is forked, which runs cncopctl as its own
entry point does; told are two lines of JSON: the child's pid at once, and its status when it has ended (negative
for a signal) with all that it printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile

import jinja2.ext  # noqa: F401 - these are only imported when a sync needs them
import jsonschema.validators  # noqa: F401
import tomli_w  # noqa: F401

import cncopctl.cli.sync_profile
import cncopctl.edges.schema
import cncopctl.edges.systemd
import cncopctl.verbs.render  # noqa: F401
from cncopctl.cli.main import main


def run(arguments: list[str]) -> None:
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if not pid:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            sys.argv = ["cncopctl", *arguments]
            status = main()
            sys.stdout.flush()
            os._exit(status)
        print(json.dumps(pid), flush=True)
        # Reaped only once another request comes: until then a signal to the pid can reach nobody else.
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended
        output.seek(0)
        said = output.read().decode(errors="backslashreplace")
        status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        print(json.dumps([status, said]), flush=True)


if __name__ == "__main__":
    for line in sys.stdin:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
        run(json.loads(line))
