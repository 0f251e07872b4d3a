"""The console's language: commands, prefixes, quoting, and what is no console's business."""

from __future__ import annotations

import pytest

from cncopctl.console.main import parse_options
from cncopctl.core.configuration import Console
from cncopctl.core.console import COMMANDS, find_command, is_foreign, is_http, parse_line, wants_json
from cncopctl.core.console_table import columns_of, cut, table, wrapped
from cncopctl.core.errors import UsageError
from cncopctl.core.layout import Scope


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("RUNJOB", "RUNJOB"),
        ("runjob", "RUNJOB"),
        ("Ru", "RUNJOB"),
        ("re", "REREGISTER"),
        ("s", "SCHEDULES"),
        ("d", "DETAILS"),
        ("g", "GETPROFILE"),
        ("h", "HELP"),
        ("?", "HELP"),
        ("q", "QUIT"),
        ("exit", "QUIT"),
        ("stopserver", "STOPSERVER"),
        ("Shutdown", "STOPSERVER"),
    ],
)
def test_a_word_means_a_command(word: str, name: str) -> None:
    assert find_command(word).name == name


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("r", "it begins RUNJOB, REREGISTER"),
        ("st", "STOPSERVER must be written in full"),
        ("stopserve", "STOPSERVER must be written in full"),
        ("shut", "see: HELP"),
        ("RUNJBO", "did you mean RUNJOB?"),
        ("runjobs", "did you mean RUNJOB?"),
        ("xyzzy", "see: HELP"),
        ("exi", "see: HELP"),
    ],
)
def test_a_word_that_means_none_or_several_is_refused_with_what_to_write(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_command(word)
    assert refused.value.hint == hint


def test_every_unique_prefix_of_each_command_but_stopserver_is_enough() -> None:
    names = [name for name in COMMANDS if COMMANDS[name].is_abbreviable]
    for name in names:
        for length in range(1, len(name) + 1):
            prefix = name[:length].lower()
            if sum(other.startswith(name[:length]) for other in names) == 1:
                assert find_command(prefix).name == name


def test_words_are_quoted_as_in_a_shell() -> None:
    request = parse_line(r"""run -w 'Web server, nightly' "it's" a\ b -F""")
    assert request
    assert request.words == ("Web server, nightly", "it's", "a b")
    assert request.flags == {"w", "f"}


def test_what_follows_two_hyphens_is_no_flag() -> None:
    request = parse_line("RUNJOB -w -- -a")
    assert request
    assert request.flags == {"w"}
    assert request.words == ("-a",)


@pytest.mark.parametrize("line", ["", "   ", "\t"])
def test_an_empty_line_asks_for_nothing(line: str) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("RUNJOB", "which jobs?"),
        ("RUNJOB -a web", "which jobs? all of them, or those that are named"),
        ("RUNJOB -x web", 'RUNJOB has no flag "-x"'),
        ("RUNJOB 'web", "a quotation is not closed"),
        ("RUNJOB web\\", "a quotation is not closed"),
        ("SCHEDULES web", 'SCHEDULES takes no words: "web"'),
        ("HELP a b", "HELP takes one command"),
        ("QUIT -j", 'QUIT has no flag "-j"'),
    ],
)
def test_a_faulty_line_is_refused(line: str, fault: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_line(line)
    assert (refused.value.message, bool(refused.value.hint)) == (fault, True)


def test_a_fault_is_told_in_json_where_json_was_asked_for() -> None:
    assert [wants_json(line) for line in ("nonsense -j", "run 'x -wj", "run j", "-j")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"POST /" + b"a" * 5000,
        b"OPTIONS * HTTP/1.0",
        b"CONNECT localhost:59153 HTTP/1.1",
        b"GET http://localhost:59153/ HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"MADEUP /x HTTP/1.1",
    ],
)
def test_requests_of_http_are_known(line: bytes) -> None:
    assert is_http(line)


@pytest.mark.parametrize(
    "line", [b"get", b"GET -j", b"RUNJOB /etc", b"GETPROFILE", b"RUNJOB 'http daily'", b"\xff"]
)
def test_commands_are_no_requests_of_http(line: bytes) -> None:
    assert not is_http(line)


def test_tls_and_stun_are_known_by_their_first_bytes() -> None:
    assert is_foreign(b"\x16\x03\x01\x02\x00\x01")
    assert is_foreign(b"\x00\x03\x00\x08\x21\x12\xa4\x42")
    assert is_foreign(b"\x00\x20\x00\x01\x00\x08\x21\x12\xa4\x42")
    assert not is_foreign(bytes(range(8)))


def test_a_table_fits_into_its_width_and_is_aligned_whatever_the_characters() -> None:
    rows = [("a" * 64, "OK"), ("漢字" * 30, "ERROR"), ("e\u0301", "OK"), ("\x1b[2J", "x")]
    lines = list(table(("NAME", "OUTCOME"), rows, 40, ("NAME",)))
    assert all(columns_of(line) <= 40 for line in lines)
    outcomes = ("OK", "ERROR", "OK", "x")
    ends = [columns_of(line) - len(outcome) for line, outcome in zip(lines[1:], outcomes, strict=True)]
    assert len(set(ends)) == 1
    assert "\x1b" not in "".join(lines)


def test_texts_are_cut_and_wrapped_by_their_columns() -> None:
    assert (cut("abc", 3), cut("abcd", 3), cut("漢字", 3), cut("a", 0)) == ("abc", "ab…", "漢…", "")
    assert wrapped("  one two three", 10, "    ") == ["  one two", "      three"]
    assert wrapped("", 10) == [""]


def test_the_command_line_of_the_original_is_understood() -> None:
    options = parse_options(["-d", "-c", "x.ini", "--user"])
    assert (options.debug, str(options.config), options.scope) == (True, "x.ini", Scope.USER)
    assert str(parse_options(["--config=y.ini"]).config) == "y.ini"
    assert all(parse_options([word]).wants_help for word in ("-?", "-h", "--help"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-c", "-c wants a path behind it"),
        ("--config=", "--config wants a path behind it"),
        ("--root=", "--root wants a path behind it"),
        ("--verbose", "there is no option --verbose"),
        ("--debug=no", "there is no option --debug=no"),
        ("--system=x", "there is no option --system=x"),
        ("web-01", "there is no argument web-01"),
        ("--user --root /x", "--root and --user exclude each other"),
        ("--user --system", "--system and --user exclude each other"),
    ],
)
def test_a_faulty_command_line_is_refused(line: str, problem: str) -> None:
    assert parse_options(line.split()).problem == problem


def test_a_users_console_needs_a_port_of_its_own_or_a_word() -> None:
    assert Console().listens(59153, is_user=False)
    assert not Console().listens(59153, is_user=True)
    assert Console().listens(50000, is_user=True)
    assert Console(listen="yes").listens(59153, is_user=True)
    assert not Console(listen="no").listens(50000, is_user=False)
