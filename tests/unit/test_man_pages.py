"""The manual says what the programs do: nothing is missing from it, and man(1) reads it without complaint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest

from cncopctl.cli.main import cncopctl
from cncopctl.core.configuration import SETTINGS
from cncopctl.edges.share import share

SOURCE = Path(__file__).parents[2]
GENERATOR = SOURCE / "packaging/manpages.py"
PROGRAM = cast("click.Group", cncopctl)
COMMANDS = PROGRAM.list_commands(click.Context(PROGRAM))


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as roff."""
    directory = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, GENERATOR, directory], check=True)
    return directory


def shown(page: Path) -> str:
    """The page as a terminal shows it, with hardly a line broken, without what overstrikes."""
    variables = {**os.environ, "MANWIDTH": "1000", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["man", "--warnings", "--encoding=UTF-8", "--local-file", page],
        capture_output=True,
        text=True,
        env=variables,
        check=True,
    )
    assert done.stderr == "", page
    return re.sub(r".\x08", "", done.stdout)


def pages(manual: Path) -> Iterator[Path]:
    return manual.glob("man*/*")


def test_man_reads_every_page_without_a_warning_and_apropos_finds_it(manual: Path) -> None:
    found = sorted(pages(manual))
    for page in found:
        shown(page)
    told = subprocess.run(["lexgrog", *found], capture_output=True, text=True, check=True).stdout
    assert [line.partition(": ")[0] for line in told.splitlines()] == [str(page) for page in found]
    assert all(f': "{page.stem} - ' in told for page in found)


def test_every_program_has_a_page(manual: Path) -> None:
    scripts = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert {*scripts, *(f"cncopctl-{name}" for name in COMMANDS)} <= {page.stem for page in pages(manual)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_the_page_of_its_command(manual: Path, name: str) -> None:
    command = PROGRAM.get_command(click.Context(PROGRAM), name)
    assert command
    text = shown(manual / f"man8/cncopctl-{name}.8")
    for option in command.params:
        for word in (*option.opts, *option.secondary_opts) if isinstance(option, click.Option) else ():
            assert word in text, f"{name}: {word}"


def test_every_key_of_the_profile_and_every_setting_is_explained(manual: Path) -> None:
    schema = json.loads(share("Config", "profile.schema.json").read_text("utf-8"))
    text = shown(manual / "man5/cncop-profile.5")
    for key in (*schema["properties"], *schema["$defs"]["job"]["properties"]):
        assert key == "job" or re.search(rf"^ +{key}\b", text, re.MULTILINE), key
    text = shown(manual / "man5/cncop3.ini.5")
    assert [setting.key for setting in SETTINGS if setting.key not in text] == []


def test_what_is_to_be_typed_is_shown_as_it_is_to_be_typed(manual: Path) -> None:
    assert "\n           cncopctl translate '30 2 * * MON-FRI'" in shown(manual / "man5/cncop-schedule.5")
    assert 'schedule = "30 2 * * *" ' in shown(manual / "man5/cncop-profile.5")


def test_every_page_that_another_refers_to_is_there(manual: Path) -> None:
    there = {f"{page.stem}({page.suffix[1:]})" for page in pages(manual)}
    for page in pages(manual):
        assert set(re.findall(r"\bcncop[\w.-]*\(\d\)", shown(page))) <= there, page


def test_the_same_pages_are_written_as_markdown(manual: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, GENERATOR, "--markdown", tmp_path], check=True)
    assert {path.stem for path in tmp_path.iterdir()} == {page.name for page in pages(manual)}
    assert "`--dry-run`" in (tmp_path / "cncopctl-sync-profile.8.md").read_text("utf-8")
