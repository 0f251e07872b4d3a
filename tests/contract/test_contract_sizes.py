"""A very large file and very many small ones come back as they were: in full sizes where that is asked for.

    CNCOP_LARGE_MIB=5120 CNCOP_MANY_FILES=100000 pytest -rP tests/contract/test_contract_sizes.py

takes 25 GB in the temporary directory, and up to half an hour for each agent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Asker
from contract_trees import carried, described, different

LARGE = int(os.environ.get("CNCOP_LARGE_MIB", "20"))
"""Size of the large file in MiB."""

MANY = int(os.environ.get("CNCOP_MANY_FILES", "300"))
"""How many small files."""

HOURS = 3 * 3600


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A directory with one large file that cannot be compressed."""
    root = tmp_path / "source"
    root.mkdir()
    with (root / "large").open("wb") as file:
        for _ in range(LARGE):
            file.write(os.urandom(1 << 20))
    os.utime(root / "large", ns=(0, 1_234_567_890_123_456_789))
    return root


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A tree of many small files, a thousand in each directory."""
    root = tmp_path / "source"
    for number in range(MANY):
        path = root / f"{number // 1000:04}" / f"file {number}"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(number % 2000))
        time = (1_234_567_890 + number) * 10**9 + number
        os.utime(path, ns=(time, time))
    return root


def test_a_large_file_comes_back(asker: Asker, large: Path, tmp_path: Path) -> None:
    comes_back(asker, large, tmp_path / "restored")


def test_many_files_come_back(asker: Asker, many: Path, tmp_path: Path) -> None:
    comes_back(asker, many, tmp_path / "restored")


def comes_back(asker: Asker, source: Path, restored: Path) -> None:
    """Back up and restore, and see that nothing differs but what agents/README.md says."""
    asker.patience = HOURS
    first = asker.backup(job={"source": asker.at(source)})
    assert asker.restore(restored).status == 0
    before, mirrored, after = described(source), described(asker.mirror), described(restored)
    for name, found in (("mirror", mirrored), ("restored", after)):
        assert carried(asker.agent.name, found) == carried(asker.agent.name, before)
        print(f"{asker.agent.name}: {len(found):,} paths, {name} differs in: {different(before, found)}")
    files = sum(1 for path in source.rglob("*") if path.is_file())
    assert (first.result["files"], first.result["files_changed"]) == (files, files)
    assert asker.backup(job={"source": asker.at(source)}).result["files_changed"] == 0
    assert asker.ask("verify").status == 0
