"""Where the files that are not Python are: units, agents and Config."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def share(*parts: str) -> Path:
    """A path below the shipped files: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "share"
    return (installed if installed.is_dir() else package.parent).joinpath(*parts)
