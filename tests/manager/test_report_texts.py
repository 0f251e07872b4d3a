"""Hostile words of agents and commands: reports stay small and valid, and terminals see nothing that drives them."""

from __future__ import annotations

import json
import sys

from .installation import CNCOPCTL, Installation, job

# Titles that the profile takes: whatever can be printed, on one line.
TITLE = "$(reboot) %n <script>\"'`; 🐘 ﷽"

# Escapes of terminals in 7 and 8 bits, a title, a line's end without a line, what is no UTF-8, half a surrogate pair.
WORDS = rb"\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08\x00\xff\xfe\xed\xa0\x80" rb"\xe2\x80\xae<b>'\x27%s"

AGENT = f"""exec {sys.executable} -I - <<'END'
import json, os, sys
words = b"{WORDS.decode("ascii")}"
sys.stderr.buffer.write(words + b"x" * 10_000_000)
sys.stderr.buffer.flush()
text = words.decode("utf-8", "surrogateescape") * 100
result = {{"phrase": text, "hint": text, "snapshot": text, "files": -1, "bytes": 10**30}}
result["warnings"] = [text[:1000]] * 200
open(os.environ["CNCOP_RESULT"], "w").write(json.dumps(result))
sys.exit(1)
END"""

COMMAND = f"""printf 'no such table: ' >&2
{sys.executable} -I -c 'import sys; sys.stderr.buffer.write(b"{WORDS.decode("ascii").replace("'", "_")}" * 400_000)'
exit 7"""


def said(cncop: Installation, *words: str) -> str:
    """What a command of ours prints, which is nothing that drives a terminal, and not much."""
    done = cncop.manager.run(CNCOPCTL, *words, "--user", check=False)
    for text in (done.stdout, done.stderr):
        assert "Traceback" not in text
        assert len(text) < 500_000
        assert [c for c in text if not (c.isprintable() or c == "\n")] == []
    return done.stdout


def test_a_hostile_agent_harms_neither_reports_nor_terminals(cncop: Installation) -> None:
    cncop.agent(AGENT)
    cncop.synced(job("a", title=TITLE))
    said(cncop, "runjob", "a")
    (finished,) = cncop.all_reports("JF")
    (statistics,) = cncop.all_reports("JS")
    assert (finished["run"]["outcome"], finished["run"]["title"]) == ("ERROR", TITLE)
    assert "]0;owned" in finished["run"]["phrase"]
    assert "]0;owned" in finished["run"]["warnings"][0]
    assert (statistics["statistics"]["files"], statistics["statistics"]["bytes"]) == (0, 0)
    for words in (
        ["jobs"],
        ["history"],
        ["history", "a"],
        ["why", "a"],
        ["status"],
        ["doctor"],
        ["logs", "a"],
    ):
        assert said(cncop, *words)
    assert "]0;owned" in said(cncop, "logs", "a")
    assert "]0;owned" in said(cncop, "history", "a")
    for words in (["jobs", "--json"], ["history", "--json"]):
        json.loads(said(cncop, *words))


def test_a_hostile_command_is_reported_by_its_first_2048_bytes(cncop: Installation) -> None:
    cncop.command("before", COMMAND)
    cncop.synced(job("a", run_before="before"))
    said(cncop, "runjob", "a")
    (report,) = cncop.all_reports("JE")
    exception = report["exception"]
    assert (exception["command"], exception["status"], exception["is_cut"]) == ("before", 7, True)
    assert exception["stderr"].startswith("no such table: \x1b]0;owned\x07")
    assert len(exception["stderr"].encode()) <= 2048
    (finished,) = cncop.all_reports("JF")
    assert finished["run"]["id"] == report["run"]["id"]
    assert said(cncop, "history")
