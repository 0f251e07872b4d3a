"""Telnet: whatever comes, in whatever pieces, nothing fails or grows, and typed text comes out as it went in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cncopctl.core.console import MOST_BYTES, is_foreign, is_http, parse_line
from cncopctl.core.console_telnet import IAC, Lines, Sign, Telnet
from cncopctl.core.errors import UsageError


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(bounds)]


def heard(telnet: Telnet, parts: list[bytes]) -> tuple[bytes, list[Sign]]:
    found = [each for part in parts for each in telnet.feed(part)]
    text = b"".join(each for each in found if isinstance(each, bytes))
    return text, [each for each in found if isinstance(each, Sign)]


cuts = st.lists(st.integers(0, 10_000), max_size=8)
negotiation = st.tuples(st.sampled_from([251, 252, 253, 254]), st.integers(0, 255)).map(
    lambda pair: bytes((IAC, *pair))
)
command = st.sampled_from([241, 242, 243, 244, 245, 246, 247, 248, 249]).map(lambda code: bytes((IAC, code)))
window = st.integers(0, 65535).map(
    lambda width: (
        b"\xff\xfa\x1f" + (width.to_bytes(2, "big") + b"\0\x18").replace(b"\xff", b"\xff\xff") + b"\xff\xf0"
    )
)
text = st.binary(max_size=40)
doubled = text.map(lambda raw: raw.replace(b"\xff", b"\xff\xff"))
# One that is longer than any answer of ours is text, and not only where it comes in pieces.
subnegotiation = st.tuples(st.integers(0, 90), st.sampled_from([b"x", b"\xff\xff", b"\xf0"])).map(
    lambda drawn: b"\xff\xfa" + drawn[0] * drawn[1] + b"\xff\xf0"
)


@given(
    st.lists(st.one_of(negotiation, command, window, subnegotiation, doubled)),
    cuts,
)
def test_text_comes_out_as_it_went_in_whatever_is_negotiated_between(
    parts: list[bytes], where: list[int]
) -> None:
    stream = b"".join(parts)
    whole, cut = Telnet(), Telnet()
    assert heard(whole, [stream])[0] == heard(cut, pieces(stream, where))[0]
    assert heard(Telnet(), parts) == heard(Telnet(), [stream])
    assert (whole.width, whole.take_replies()) == (cut.width, cut.take_replies())


@given(text, cuts)
def test_doubled_marks_are_text(raw: bytes, where: list[int]) -> None:
    assert heard(Telnet(), pieces(raw.replace(b"\xff", b"\xff\xff"), where)) == (raw, [])


@given(st.integers(0, 65535), cuts)
def test_the_width_is_taken_also_where_it_has_the_mark_in_it(width: int, where: list[int]) -> None:
    telnet = Telnet()
    body = (width.to_bytes(2, "big") + b"\0\x18").replace(b"\xff", b"\xff\xff")
    heard(telnet, pieces(b"\xff\xfb\x1f\xff\xfa\x1f" + body + b"\xff\xf0", where))
    assert (telnet.width, telnet.take_replies()) == (width, b"\xff\xfd\x1f")


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_are_survived_and_replies_are_never_longer_than_what_asked_for_them(
    parts: list[bytes],
) -> None:
    telnet, lines = Telnet(), Lines(MOST_BYTES)
    for part in parts:
        for found in telnet.feed(part):
            if isinstance(found, bytes):
                for line, _ in lines.feed(found):
                    understood(line)
    assert len(telnet.take_replies()) <= sum(map(len, parts))
    assert len(telnet._pending) <= 66 + max(map(len, parts), default=0)


def understood(line: bytes) -> None:
    is_http(line)
    is_foreign(line)
    try:
        parse_line(line.decode("utf-8", "surrogateescape"))
    except UsageError as refusal:
        said = refusal.message
    else:
        return
    assert said.isprintable()


typed = st.lists(st.binary(max_size=20).filter(lambda raw: not set(raw) & set(b"\r\n\0")), max_size=6)
ends = st.sampled_from([b"\r\n", b"\n", b"\r\0"])


@given(typed, ends, cuts)
def test_lines_end_as_clients_end_them(words: list[bytes], end: bytes, where: list[int]) -> None:
    lines = Lines(100)
    stream = b"".join(word + end for word in words)
    assert [line for part in pieces(stream, where) for line in lines.feed(part)] == [
        (word, False) for word in words
    ]
    assert list(lines.finish()) == []


@given(st.integers(0, 300), cuts)
def test_a_line_that_is_too_long_is_cut_and_told_and_the_next_is_whole(length: int, where: list[int]) -> None:
    lines = Lines(100)
    stream = b"x" * length + b"\nnext\n"
    found = [line for part in pieces(stream, where) for line in lines.feed(part)]
    assert found == [(b"x" * min(length, 100), length > 100), (b"next", False)]


def test_a_character_is_erased_with_all_its_bytes_and_a_line_as_a_whole() -> None:
    lines = Lines(100)
    list(lines.feed("aé".encode()))
    lines.erase_character()
    assert lines.begun == b"a"
    lines.erase_line()
    lines.erase_character()
    assert list(lines.feed(b"b\n")) == [(b"b", False)]
