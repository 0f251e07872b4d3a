"""Start of a console session: `python3 -I -S .../cncopctl/console/__main__.py --system`, as systemd starts it.

Without site, which costs as long as all the rest, neither our package nor pystemd can be found. So the package's
own place is added here, and site is made up for once the user has the banner.
"""

from __future__ import annotations

import os
import sys

if not __package__:
    # abspath: systemd gives the whole path; a person need not.
    sys.path.insert(0, os.path.abspath(__file__).rpartition("/cncopctl/")[0])  # noqa: PTH100 - no pathlib yet

if __name__ == "__main__":
    is_greeted = False
    if sys.argv[1:] == ["--system"]:
        from cncopctl.console.greeting import greeting

        try:
            is_greeted = os.write(1, greeting()) > 0
        except OSError:
            sys.exit(0)  # whoever has connected is gone again
    if sys.flags.no_site:
        import site

        site.main()
    from cncopctl.console.main import run

    sys.exit(run(sys.argv[1:], is_greeted=is_greeted))
