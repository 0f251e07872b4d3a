"""What of a mirror is not as a survey tells it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cncopctl.agentkit.survey import Entry, Kind, Survey, differing

if TYPE_CHECKING:
    from pathlib import Path

TIME = 1_700_000_000


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror of `SURVEY`, as rclone leaves it."""
    (tmp_path / "directory").mkdir()
    for name in ("one", "directory/two"):
        (tmp_path / name).write_text("text")
        os.utime(tmp_path / name, (TIME, TIME))
    return tmp_path


@pytest.fixture
def survey() -> Survey:
    file = Entry(Kind.FILE, 4, mtime=TIME)
    directory, link = Entry(Kind.DIRECTORY), Entry(Kind.LINK, target="one")
    entries = {"": directory, "one": file, "directory": directory, "directory/two": file, "link": link}
    return Survey(entries)


def test_an_equal_mirror_differs_in_nothing(mirror: Path, survey: Survey) -> None:
    assert differing(mirror, survey) == []


@pytest.mark.parametrize(
    "entry", [Entry(Kind.FILE, 5, mtime=TIME), Entry(Kind.FILE, 4, mtime=TIME + 1), Entry(Kind.FILE, 4)]
)
def test_size_and_time_count_and_an_unknown_time_is_another(
    mirror: Path, survey: Survey, entry: Entry
) -> None:
    survey.entries["directory/two"] = entry
    assert differing(mirror, survey) == ["directory/two"]


def test_a_missing_file_differs(mirror: Path, survey: Survey) -> None:
    (mirror / "one").unlink()
    assert differing(mirror, survey) == ["one"]


def test_what_copying_files_cannot_mend_is_told_apart(mirror: Path, survey: Survey) -> None:
    survey.entries["empty"] = Entry(Kind.DIRECTORY)
    assert differing(mirror, survey) is None
    del survey.entries["empty"]
    (mirror / "gone").write_text("")
    assert differing(mirror, survey) is None
    (mirror / "gone").unlink()
    survey.entries["one"] = Entry(Kind.DIRECTORY)
    assert differing(mirror, survey) is None
