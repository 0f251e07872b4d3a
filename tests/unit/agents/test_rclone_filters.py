"""Excludes: rclone's rules and our own matching leave out what rsync would, which is asked itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cncopctl.core.engines.rclone_filters import Excludes, PatternError, exclude_rules, expression
from cncopctl.core.engines.rsync import exclude_filters

NAMES = ("a", "b", "ab", "foo", "foo.tmp", "a-b", "a{b}", "x}}y", "a b", "[a]", "a*", "a\\b", "A", "#c", ";d")
FILES = [
    *NAMES,
    *(f"dir/{name}" for name in NAMES),
    *(f"{name} dir/a/foo" for name in NAMES),
    *(f"x/dir/deep/{name}/b" for name in NAMES),
]
PIECES = (
    "a",
    "b",
    "ab",
    "foo",
    "dir",
    " ",
    "*",
    "**",
    "?",
    "/",
    "[a-b]",
    "[!a]",
    "[[:alpha:]]",
    ".tmp",
    "\\*",
)
PATTERNS = st.lists(st.sampled_from((*PIECES, "{", "}}", "#", "/***")), min_size=1, max_size=5).map("".join)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("patterns")
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def left_by_rsync(root: Path, patterns: list[str]) -> set[str]:
    words = ["rsync", "-a", "--dry-run", "--out-format=%n", "-8", *exclude_filters(patterns)]
    done = subprocess.run([*words, f"{root}/", "/nowhere/"], capture_output=True, text=True, check=True)
    return {line.replace("\\#134", "\\") for line in done.stdout.splitlines()} - {"./"}


def left_by_rclone(root: Path, patterns: list[str]) -> set[str]:
    words = [
        "rclone",
        "lsf",
        "-R",
        "--config=/dev/null",
        "--filter-from=-",
        f":local,encoding='Slash,Del,Ctl,Dot':{root}",
    ]
    text = "\n".join(exclude_rules(patterns))
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def left_by_us(root: Path, patterns: list[str]) -> set[str]:
    excludes, left = Excludes.of(patterns), set()
    for where, directories, files in os.walk(root):
        below = "" if where == str(root) else f"{os.path.relpath(where, root)}/"
        directories[:] = [
            name for name in directories if not excludes.leave_out(below + name, is_directory=True)
        ]
        left |= {f"{below}{name}/" for name in directories}
        left |= {below + name for name in files if not excludes.leave_out(below + name, is_directory=False)}
    return left


@settings(max_examples=40, deadline=None)
@given(patterns=st.lists(PATTERNS, min_size=1, max_size=3))
def test_all_three_leave_the_same(tree: Path, patterns: list[str]) -> None:
    try:
        exclude_rules(patterns)
    except PatternError:
        return
    expected = left_by_rsync(tree, patterns)
    assert left_by_rclone(tree, patterns) == expected
    assert left_by_us(tree, patterns) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "*.tmp",
        "/foo",
        "foo/",
        "dir/***",
        "**/b",
        "dir/**/b",
        "a?b",
        "[[:upper:]]",
        "x}}y",
        "*{*",
        "/x/*/deep",
        "\\[a]",
    ],
)
def test_patterns_as_people_write_them(tree: Path, pattern: str) -> None:
    expected = left_by_rsync(tree, [pattern])
    assert left_by_rclone(tree, [pattern]) == left_by_us(tree, [pattern]) == expected


@pytest.mark.parametrize("pattern", ["[a", "[[:odd:]]", "[b-a]", "a*\\", "/", "a//b", "a****b", "[a/b]"])
def test_what_has_no_translation_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        expression(pattern)
