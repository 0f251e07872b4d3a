"""SFTP: whatever changes between two backups, little or much, the mirror is the source afterwards."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from conftest import AGENTS, Asker
from contract_trees import contents

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def agent() -> Path:
    return AGENTS / "backupagentsftp"


def test_each_change_arrives_and_only_what_differs_is_copied(asker: Asker, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    for name in ("one", "below/two", "below/ends with\r"):
        (source / name).write_text("first")
    copied = [asker.backup(job={"source": asker.at(source)}).result["files_changed"]]
    for change in (
        lambda: None,
        lambda: (source / "one").write_text("second"),
        lambda: os.utime(source / "below/two", (1, 1)),
        lambda: (source / "below/three").write_text("new"),
        lambda: (source / "below/ends with\r").write_text("other"),
        lambda: (source / "below/three").unlink(),
        lambda: (source / "empty").mkdir(),
        lambda: shutil.rmtree(source / "below"),
    ):
        change()
        copied.append(asker.backup(job={"source": asker.at(source)}).result["files_changed"])
        assert contents(asker.mirror) == contents(source)
    assert copied == [3, 0, 1, 1, 1, 1, 0, 0, 0]
