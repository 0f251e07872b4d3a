"""`python -I -S .../cncopctl/dispatcher/__main__.py [--system|--user|--root=DIR] STEP JOB`: one step of a run.

`recover`, without a job, closes the runs that were cut off. Not for people: they start the job's service, or use
`cncopctl runjob`.

Without site, a third of the time that starting Python takes, our own package is not found: its place is added here.
"""

import os
import sys

if not __package__:
    sys.path.insert(0, os.path.abspath(__file__).rpartition("/cncopctl/")[0])  # noqa: PTH100 - no pathlib yet

if __name__ == "__main__":
    from cncopctl.dispatcher.steps import main

    sys.exit(main(sys.argv[1:]))
