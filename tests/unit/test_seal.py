"""Whose text a unit is."""

from __future__ import annotations

import pytest

from cncopctl.core.seal import Seal, seal_of, sealed

TEXT = "[Unit]\nDescription=x\n"


def test_a_sealed_text_is_ours() -> None:
    assert seal_of(sealed(TEXT)) is Seal.INTACT


def test_the_seal_stands_in_a_section_that_systemd_ignores() -> None:
    assert sealed(TEXT).startswith(f"{TEXT}\n[X-Cncop]\nDigest=")


@pytest.mark.parametrize(
    ("text", "seal"),
    [
        (TEXT, Seal.FOREIGN),
        ("", Seal.FOREIGN),
        ("[X-Cncop]\nDigest=", Seal.FOREIGN),
        (sealed(TEXT).replace("x", "y", 1), Seal.EDITED),
        (f"# mine\n{sealed(TEXT)}", Seal.EDITED),
        (f"{sealed(TEXT)}[Install]\n", Seal.EDITED),
        (sealed(TEXT).rstrip("\n"), Seal.EDITED),
        (f"{TEXT}\n[X-Cncop]\nDigest=\n", Seal.EDITED),
        (sealed(sealed(TEXT)), Seal.INTACT),
        (sealed("Description=\udcff\n"), Seal.INTACT),
    ],
)
def test_an_edit_breaks_the_seal(text: str, seal: Seal) -> None:
    assert seal_of(text) is seal
