"""Which installation is meant. By itself, since what systemd starts often needs no more of an installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cncopctl.core.layout import Layout, Scope


def choose_layout(scope: Scope | None, root: Path | None, environment: Mapping[str, str]) -> Layout:
    """The layout that the options ask for; without any, root's is the system's and others have their own."""
    if root is not None:
        return Layout.directory(root.absolute())
    if scope is None:
        scope = Scope.SYSTEM if os.geteuid() == 0 else Scope.USER
    return Layout.system() if scope is Scope.SYSTEM else Layout.user(environment, Path.home(), os.getuid())
