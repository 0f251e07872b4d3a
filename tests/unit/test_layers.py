"""Imports go from entry points to verbs to edges to the core, never back and never from edge to edge."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cncopctl

PACKAGE = Path(cncopctl.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
ENTRY_POINTS = ("cli", "dispatcher", "agentkit", "console", "reporter")

# What each layer may import of ours; a layer that is not named here is a mistake.
BELOW = {
    "core": {"core"},
    "edges": {"core"},
    "verbs": {"core", "edges", "verbs"},
    **{entry: {"core", "edges", "verbs", entry} for entry in ENTRY_POINTS},
}

# Who may import what is not of the standard library.
OWNERS = {
    "click": "cncopctl.cli",
    "rich": "cncopctl.cli",
    "pystemd": "cncopctl.edges.systemd",
    "jinja2": "cncopctl.edges.templates",
    "jsonschema": "cncopctl.edges.schema",
    "tomli_w": "cncopctl.verbs.render",
}


def imports_of(path: Path) -> Iterator[str]:
    """Every module that the file imports, also inside functions; `from a import b` gives `a.b` for a module b."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in names)


def layer_of(module: str) -> str:
    return [*module.split("."), ""][1]


def inside(module: str, owner: str) -> bool:
    return module == owner or module.startswith(f"{owner}.")


IMPORTS = [(module, name) for module, path in sorted(MODULES.items()) for name in imports_of(path)]
OURS = [(module, name) for module, name in IMPORTS if inside(name, "cncopctl")]
FOREIGN = [
    (module, name.partition(".")[0])
    for module, name in IMPORTS
    if not inside(name, "cncopctl") and name.partition(".")[0] not in sys.stdlib_module_names
]


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} == {"", *BELOW}


def test_no_layer_imports_from_above_or_beside_it() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in OURS
        if name != "cncopctl" and layer_of(name) not in BELOW[layer_of(module)]
    ]
    assert wrong == []


def test_each_third_party_package_has_one_place() -> None:
    wrong = [
        f"{module} imports {name}" for module, name in FOREIGN if not inside(module, OWNERS.get(name, "-"))
    ]
    assert wrong == []


def test_the_core_imports_nothing_that_reaches_the_machine() -> None:
    reaching = {"os", "subprocess", "socket", "time", "random", "secrets", "shutil", "sqlite3", "logging"}
    wrong = [
        f"{module} imports {name}"
        for module, name in IMPORTS
        if layer_of(module) == "core" and name.partition(".")[0] in reaching
    ]
    assert wrong == []


@pytest.mark.parametrize("step", ["gate", "before", "run", "after", "close"])
def test_a_step_of_a_run_imports_nothing_heavy(step: str, tmp_path: Path) -> None:
    heavy = ("click", "rich", "jinja2", "jsonschema", "pystemd", "tomli_w", "difflib", "asyncio")
    compiled = tmp_path / "State/jobs/web-01.toml"
    compiled.parent.mkdir(parents=True)
    compiled.write_text(COMPILED)
    for directory in ("Run", "State/runs", "Spool/Messages", "Logs"):
        (tmp_path / directory).mkdir(parents=True)
    argv = [sys.executable, "-I", "-X", "importtime", "-m", "cncopctl.dispatcher"]
    done = subprocess.run(
        [*argv, f"--root={tmp_path}", step, "web-01"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    report = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in report}
    said = [line for line in done.stderr.splitlines() if line not in report]
    assert "cncopctl" in imported
    assert not imported & set(heavy)
    assert done.returncode == 0, said


COMPILED = """\
compiled = 1
agent = "/bin/true"
role = "LOCAL"
schedules = [{ text = "30 2 * * *", zone = "UTC" }]
schedule_since = 2026-03-01T12:00:00Z

[job]
id = "web-01"
title = "web-01"
type = "RSYNC"
direction = "PULL"
source = "/srv"
destination = "/srv/backup"
exclude = []
catch_up = true
max_retries = 0
retry_interval = 60
timeout = 3600
"""
