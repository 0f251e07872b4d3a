"""What a message quotes, and how it names a place."""

from __future__ import annotations

import pytest

from cncopctl.core.errors import CncopError, InstallError, LockedError, NetworkError, SystemdError, UsageError
from cncopctl.core.faults import Fault, ProfileError, nearest, printable, shown


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("profile.toml", "is not TOML"), "profile.toml: is not TOML"),
        (Fault("a.toml", "is missing", key="schema"), "a.toml: schema: is missing"),
        (Fault("a.toml", "is empty", job='"web"', key="title"), 'a.toml: job "web": title: is empty'),
        (Fault("a.toml", "unknown key", job="#3"), "a.toml: job #3: unknown key"),
    ],
)
def test_a_fault_names_its_place_from_the_outside_in(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_a_profile_error_has_all_faults_in_order() -> None:
    error = ProfileError([Fault("a", "first"), Fault("b", "second")])
    assert (error.message, len(error.faults)) == ("a: first\nb: second", 2)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CncopError, 1),
        (UsageError, 2),
        (ProfileError, 10),
        (LockedError, 11),
        (InstallError, 12),
        (SystemdError, 13),
        (NetworkError, 14),
    ],
)
def test_exit_statuses_stay_what_they_are(kind: type[CncopError], status: int) -> None:
    assert kind.exit_status == status


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("titel", ["title", "timeout"], "title"),
        ("RSNYC", ["RSYNC", "SFTP"], "RSYNC"),
        ("pull", ["PULL", "PUSH"], "PULL"),
        ("Scheduel", ["schedule"], "schedule"),
        ("xyzzy", ["title", "timeout"], ""),
        ("", ["title"], ""),
        ("title", [], ""),
    ],
)
def test_the_nearest_known_word(word: str, known: list[str], meant: str) -> None:
    assert nearest(word, known) == meant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("web", '"web"'),
        ("two\nlines", '"two\\nlines"'),
        ("\x1b[31mred", '"\\x1b[31mred"'),
        ("grün 🐘", '"grün 🐘"'),
        (True, "true"),
        (3, "3"),
        (3.0, "3.0"),
        ([1, "a"], '[1, "a"]'),
        ({"id": "x", "n": [{}]}, '{ id = "x", n = [{  }] }'),
        ([[[[1]]]], "[[[[…]]]]"),
        ({}, "{  }"),
        ("x" * 70, '"' + "x" * 58 + "…"),
    ],
)
def test_a_value_is_shown_as_toml_writes_it(value: object, text: str) -> None:
    assert shown(value) == text


def test_nothing_printable_drives_a_terminal() -> None:
    hostile = "".join(map(chr, range(0x250))) + "\u202e\u2028\ufffe\ud800\U0010ffff"
    assert printable(hostile).isprintable()
    assert printable("wörter, 🐘") == "wörter, 🐘"
