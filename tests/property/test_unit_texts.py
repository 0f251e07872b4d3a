"""Quoting and sealing, for every text; what systemd itself reads is tests/manager's affair."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cncopctl.core.faults import printable, shown
from cncopctl.core.seal import Seal, seal_of, sealed
from cncopctl.core.unit_text import Place, quote, refusal

hostile = st.text(st.sampled_from(" \\\"'%$;#-@:{}~[]=iünN🐘\u00a0\ufeff") | st.characters())
writable = hostile.filter(lambda text: not refusal(text))


def unquoted(written: str, place: Place) -> list[str]:
    """The words that systemd.syntax(7) makes of `written`: a model of ours, apart from `quote`."""
    if place is Place.TEXT:
        return [written.strip(" \t").replace("%i", "").replace("%%", "%")]
    words, word, quoting, position = [], "", False, 0
    while position < len(written):
        character = written[position]
        if character == "\\":
            position += 1
            word += written[position]
        elif character == '"':
            quoting = not quoting
        elif character == " " and not quoting:
            words.append(word)
            word = ""
        else:
            word += character
        position += 1
    assert not quoting
    read = [each.replace("%%", "%") for each in [*words, word]]
    return [each.replace("$$", "$") for each in read] if place is Place.ARGUMENT else read


@settings(max_examples=600)
@given(writable, st.sampled_from(list(Place)))
def test_what_is_quoted_is_read_back(text: str, place: Place) -> None:
    assume("%" not in text or place is not Place.TEXT or "%%i" not in quote(text, place))
    written = quote(text, place)
    assert "\n" not in written
    assert not written.endswith("\\") or place is not Place.TEXT
    assert unquoted(written, place) == [text]


@given(st.lists(writable, min_size=1, max_size=5))
def test_words_in_a_line_stay_apart(texts: list[str]) -> None:
    line = " ".join(quote(text, Place.WORD) for text in texts)
    assert unquoted(line, Place.WORD) == texts


@given(writable)
def test_no_specifier_is_left_but_our_own(text: str) -> None:
    for place in Place:
        rest = quote(text, place).replace("%%", "")
        assert rest.count("%") == rest.count("%i") <= 2


@given(hostile)
def test_what_is_refused_is_not_quoted_and_the_rest_is(text: str) -> None:
    for place in Place:
        if reason := refusal(text):
            with pytest.raises(ValueError, match="cannot stand in a unit file") as caught:
                quote(text, place)
            assert str(caught.value) == reason
        else:
            assert quote(text, place) or (not text and place is Place.TEXT)


@given(st.text())
def test_whatever_is_sealed_is_intact(text: str) -> None:
    assert seal_of(sealed(text)) is Seal.INTACT


@given(st.text(min_size=1), st.data())
def test_any_edit_of_a_sealed_text_is_seen(text: str, data: st.DataObject) -> None:
    ours = sealed(text)
    position = data.draw(st.integers(0, len(ours) - 1))
    edited = ours[:position] + data.draw(st.text(max_size=3)) + ours[position + 1 :]
    assume(edited != ours)
    assert seal_of(edited) is not Seal.INTACT


@given(st.text(st.characters(), max_size=300) | st.binary().map(lambda data: data.decode("latin-1")))
def test_what_is_shown_is_printable_and_short(text: str) -> None:
    assert printable(text).isprintable()
    assert shown(text).isprintable()
    assert len(shown(text)) <= 60
