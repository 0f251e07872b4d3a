"""Reading cncop3.ini."""

from __future__ import annotations

import configparser
from pathlib import Path

from cncopctl.core.configuration import Configuration, build_configuration
from cncopctl.core.faults import Fault, ProfileError, printable

_MOST_BYTES = 1024 * 1024


def read_configuration(path: Path) -> Configuration:
    """What the file at `path` sets; all defaults where there is none.

    Raises:
        ProfileError: with every fault of the file.
    """
    parser = configparser.ConfigParser(
        interpolation=None, default_section="", empty_lines_in_values=False, delimiters=("=",)
    )
    try:
        parser.read_string(_text(path), path.name)
    except configparser.Error as error:
        raise ProfileError([_fault(path.name, error)]) from error
    return build_configuration({name: dict(parser[name]) for name in parser.sections()}, path.name)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ProfileError([Fault(path.name, "is not UTF-8", "save the file as UTF-8")]) from error
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ProfileError([Fault(path.name, what, f"look at: ls -l {path}")]) from error


def _fault(file: str, error: configparser.Error) -> Fault:
    match error:
        case configparser.DuplicateOptionError():
            what = f"line {error.lineno}: {printable(error.option)} is set twice under [{error.section}]"
            return Fault(file, what, "keep one of the two lines")
        case configparser.DuplicateSectionError():
            what = f"line {error.lineno}: the section [{printable(error.section)}] is there twice"
            return Fault(file, what, "put its settings under one heading")
        case configparser.MissingSectionHeaderError():
            what = f"line {error.lineno} stands before any section"
            return Fault(file, what, "begin with a line such as [defaults]")
        case configparser.ParsingError() if error.errors:
            number, line = error.errors[0]
            what = f"line {number} is no setting: {printable(str(line).strip())[:80]}"
            return Fault(file, what, "write: key = value; comments begin with #")
        case _:
            return Fault(file, printable(str(error)), "write: key = value, under a line such as [defaults]")
