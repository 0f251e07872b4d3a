"""The spool on a real file system: what is put in, what the reporter takes out, and what a kill cannot undo."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cncopctl.core.layout import Layout
from cncopctl.core.report import KINDS
from cncopctl.edges.spool import Spool, spool_report
from cncopctl.verbs.deliver_reports import deliver_reports

from .killed import disturbed_at_each_line, killed_at_each_line

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = f"{NOW.astimezone():%Y-%m-%d}"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout.directory(tmp_path)
    made.messages.mkdir(parents=True)
    return made


def run_id(number: int) -> str:
    return f"{number:032x}"


def put(layout: Layout, kind: str, number: int, at: str = "20260301T020000Z") -> str:
    """Spool a report of that kind; its name."""
    name = f"{kind}-{at}-{run_id(number)}.json"
    spool_report(layout.messages, name, {"report": 1, "kind": kind, "id": f"{kind}-{run_id(number)}"})
    return name


def deliver(layout: Layout, days: int = 90) -> tuple[list[str], list[str]]:
    """Deliver all; what was said, and what was said to who looks for a mistake. Nothing is left undone."""
    said: list[str] = []
    debug: list[str] = []
    assert deliver_reports(layout, NOW, days, said.append, debug.append) == []
    return said, debug


def places(layout: Layout) -> dict[str, list[str]]:
    """Where each report is."""
    found: dict[str, list[str]] = {}
    for path in layout.spool.rglob("*.json"):
        found.setdefault(path.name, []).append(str(path.parent.relative_to(layout.spool)))
    return found


def test_the_order_is_by_kind_and_then_by_age(layout: Layout) -> None:
    times = ("20260301T020000Z", "20260228T235959Z", "20251231T000000Z")
    put_in = [put(layout, kind, n, at) for kind in ("VIRUS", "JF", "JS", "JE") for n, at in enumerate(times)]
    _, debug = deliver(layout)
    told = [line.partition(":")[0] for line in debug]
    assert told == sorted(put_in, key=lambda name: (KINDS.index(name.partition("-")[0]), name))
    assert places(layout) == {name: [f"Archive/{TODAY}"] for name in put_in}


def test_a_report_is_there_once_however_often_it_is_spooled(layout: Layout) -> None:
    name = put(layout, "JF", 1)
    put(layout, "JF", 1)
    assert places(layout) == {name: ["Messages"]}
    deliver(layout)
    put(layout, "JF", 1)
    assert places(layout) == {name: [f"Archive/{TODAY}"]}


def test_what_is_spooled_while_the_reporter_is_at_work_wakes_it_again(layout: Layout) -> None:
    wake = layout.spool / "wake"
    put(layout, "JF", 1)
    assert wake.exists()
    deliver(layout)
    assert not wake.exists()
    spool = Spool(layout.spool)
    spool.has_woken()
    put(layout, "JF", 2)
    assert wake.exists()


def hostile(layout: Layout) -> dict[str, Any]:
    """Files that are no reports, with a part of what is said of them."""
    name = f"JF-20260301T020000Z-{run_id(7)}.json"
    contents: dict[str, tuple[bytes, str]] = {
        "README": (b"hello", "it has no report's name"),
        "JX-20260301T020000Z-0.json": (b"{}", "it has no report's name"),
        "\x1b]0;owned\x07.json": (b"{}", "it has no report's name"),
        name: (b"\xff\xfe", "it is not JSON"),
        name.replace("7.", "8."): (b"[" * 100_000, "it is not JSON"),
        name.replace("7.", "9."): (b"[]", "its name and its content differ"),
        name.replace("7.", "a."): (b'{"kind": "JE", "id": "JE-1"}', "its name and its content differ"),
        name.replace("7.", "b."): (b'"' + b"x" * 10_000_000, "it has more than 1048576 bytes"),
        name.replace("7.", "c."): (b"", "it is not JSON"),
    }
    for file, (content, _) in contents.items():
        (layout.messages / file).write_bytes(content)
    (layout.messages / name.replace("7.", "d.")).mkdir()
    os.mkfifo(layout.messages / name.replace("7.", "e."))
    (layout.messages / name.replace("7.", "f.")).symlink_to("/etc/passwd")
    special = {name.replace("7.", "d."): "", name.replace("7.", "e."): "it is not a file"}
    return {file: why for file, (_, why) in contents.items()} | special | {name.replace("7.", "f."): ""}


def test_what_is_no_report_is_moved_aside_and_blocks_nothing(layout: Layout) -> None:
    bad = hostile(layout)
    good = [put(layout, "JF", 1), put(layout, "JE", 2)]
    said, _ = deliver(layout)
    assert sorted(os.listdir(layout.spool / "Bad")) == sorted(bad)
    assert [name for name in good if places(layout)[name] != [f"Archive/{TODAY}"]] == []
    assert os.listdir(layout.messages) == []
    assert len(said) == len(bad)
    assert all(why in "\n".join(said) for why in bad.values())
    assert all(line.isprintable() for line in said)


def test_what_was_moved_aside_before_stays_beside_what_comes_later(layout: Layout) -> None:
    for content in ("first", "second", "third"):
        (layout.messages / "junk").write_text(content)
        deliver(layout)
    found = {path.name: path.read_text() for path in (layout.spool / "Bad").iterdir()}
    assert found == {"junk": "first", "junk.1": "second", "junk.2": "third"}


def test_what_somebody_takes_away_at_any_moment_is_no_failure(layout: Layout) -> None:
    def take_away() -> None:
        for path in (layout.messages / gone, layout.messages / "junk"):
            path.unlink(missing_ok=True)

    kept, gone = f"JF-20260301T020000Z-{run_id(1)}.json", f"JE-20260301T020000Z-{run_id(2)}.json"

    def fill() -> None:
        shutil.rmtree(layout.spool)
        layout.messages.mkdir(parents=True)
        for name in (kept, gone, "junk"):
            (layout.messages / name).write_text(
                json.dumps({"kind": name[:2], "id": f"{name[:3]}{name[20:52]}"})
            )

    fill()
    times = 0
    for _ in disturbed_at_each_line(lambda: deliver(layout), take_away):
        times += 1
        assert places(layout)[kept] == [f"Archive/{TODAY}"]
        fill()
    assert times > 50


def test_what_is_not_ours_in_the_spool_is_left_and_keeps_nothing_from_being_done(layout: Layout) -> None:
    (layout.messages / ".somebody.new").mkdir()
    os.utime(layout.messages / ".somebody.new", (0, 0))
    layout.archive.mkdir()
    (layout.archive / "notes").write_text("mine")
    for name in ("zzz", "2026-01-01", "2026-01-02"):
        (layout.archive / name).mkdir()
    put(layout, "JF", 1)
    deliver(layout, days=2)
    assert sorted(os.listdir(layout.archive)) == ["2026-01-02", TODAY, "notes", "zzz"]
    assert os.listdir(layout.messages) == [".somebody.new"]


def test_what_is_being_written_is_left_alone_unless_its_writer_is_gone(layout: Layout) -> None:
    for name, age in ((".fresh.new", 0), (".old.new", 7200)):
        (layout.messages / name).write_text("{")
        moment = NOW.timestamp() - age
        os.utime(layout.messages / name, (moment, moment))
    deliver(layout)
    assert os.listdir(layout.messages) == [".fresh.new"]


def test_the_archive_keeps_its_newest_days_whatever_the_clock_says(layout: Layout) -> None:
    days = [f"{NOW - timedelta(days=400 + n):%Y-%m-%d}" for n in range(5)]
    for day in days:
        (layout.archive / day).mkdir(parents=True)
        (layout.archive / day / "JF-x.json").write_text("{}")
    put(layout, "JF", 1)
    deliver(layout, days=3)
    assert sorted(os.listdir(layout.archive)) == sorted([TODAY, *days[:2]])


def test_a_reporter_that_is_killed_at_any_line_loses_nothing(layout: Layout) -> None:
    names = [put(layout, kind, n) for kind in KINDS for n in range(1)]
    (layout.messages / "junk").write_text("?")
    kills = 0
    for _ in killed_at_each_line(lambda: deliver(layout)):
        kills += 1
        assert {name: len(where) for name, where in places(layout).items()} == dict.fromkeys(names, 1)
        for name in names:  # as it was before the next kill
            for path in layout.archive.glob(f"*/{name}"):
                path.rename(layout.messages / name)
        for path in (layout.spool / "Bad").glob("junk"):
            path.rename(layout.messages / "junk")
    assert kills > 50
    assert places(layout) == {name: [f"Archive/{TODAY}"] for name in names}
    assert os.listdir(layout.messages) == []


def test_a_writer_that_is_killed_at_any_line_leaves_a_whole_report_or_none(layout: Layout) -> None:
    name = f"JF-20260301T020000Z-{run_id(1)}.json"
    states = set()
    for _ in killed_at_each_line(lambda: put(layout, "JF", 1)):
        states.add((layout.messages / name).exists())
        if (layout.messages / name).exists():
            json.loads((layout.messages / name).read_text())
            (layout.messages / name).unlink()
    assert states == {True, False}
    deliver(layout)
    assert places(layout) == {name: [f"Archive/{TODAY}"]}


def reporter(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cncopctl.reporter", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("word", ["-?", "-h", "--help"])
def test_the_program_says_how_it_is_used(word: str) -> None:
    done = reporter(word)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: cncopreporter" in done.stdout
    assert "-c CONFIG, --config CONFIG" in done.stdout


def test_the_program_says_nothing_unless_asked(layout: Layout, tmp_path: Path) -> None:
    put(layout, "JF", 1)
    done = reporter("--root", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    name = put(layout, "JE", 2)
    done = reporter("-d", "--root", tmp_path)
    assert done.stderr == f"cncopreporter: {name}: to the archive, as no hub is configured\n"


def test_without_an_installation_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert reporter("--root", tmp_path / "none").returncode == 0
    assert not (tmp_path / "none").exists()


def test_one_reporter_at_a_time(layout: Layout) -> None:
    spool = Spool(layout.spool)
    with spool.hold(), (layout.spool / "reporter.lock").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with spool.hold():
        assert places(layout) == {}
