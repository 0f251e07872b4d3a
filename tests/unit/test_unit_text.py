"""Quoting, as tables; what systemd makes of it is tests/manager's affair."""

from __future__ import annotations

import pytest

from cncopctl.core.unit_text import Place, quote, refusal


@pytest.mark.parametrize(
    ("value", "text", "word", "argument"),
    [
        ("plain", "plain", "plain", "plain"),
        ("50%zoo", "50%%zoo", "50%%zoo", "50%%zoo"),
        ("$HOME", "$HOME", "$HOME", "$$HOME"),
        ("a b", "a b", '"a b"', '"a b"'),
        ('say "x"', 'say "x"', r'"say \"x\""', r'"say \"x\""'),
        ("it's", "it's", '"it\'s"', '"it\'s"'),
        ("a\\b", "a\\b", r'"a\\b"', r'"a\\b"'),
        ("end\\", "end\\%i", r'"end\\"', r'"end\\"'),
        (" led", "%i led", '" led"', '" led"'),
        ("trailed ", "trailed %i", '"trailed "', '"trailed "'),
        (" ", "%i %i", '" "', '" "'),
        ("", "", '""', '""'),
        (";", ";", '";"', '";"'),
        ("#x", "#x", '"#x"', '"#x"'),
        ("100% $5 \\ 🐘", "100%% $5 \\ 🐘", '"100%% $5 \\\\ 🐘"', '"100%% $$5 \\\\ 🐘"'),
    ],
)
def test_a_value_is_written_for_its_place(value: str, text: str, word: str, argument: str) -> None:
    assert [quote(value, place) for place in Place] == [text, word, argument]


@pytest.mark.parametrize(
    "character",
    [
        "\0",
        "\t",
        "\n",
        "\r",
        "\x1b",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\ud800",
        "\ufdd0",
        "\ufffe",
        "\U0010ffff",
    ],
)
def test_what_no_unit_can_say_is_refused_with_its_place(character: str) -> None:
    reason = f"character 3 is U+{ord(character):04X}, which cannot stand in a unit file"
    assert refusal(f"ab{character}c") == reason
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        quote(f"ab{character}c", Place.TEXT)


@pytest.mark.parametrize("value", ["", "plain", "\u00a0", "\u3000", "ü", "🐘", "\ufeff", "\u202e", "e\u0301"])
def test_everything_else_may_be_said(value: str) -> None:
    assert refusal(value) == ""
