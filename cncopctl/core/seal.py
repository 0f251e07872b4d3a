"""The digest by which a unit of ours is known: what lacks it is never touched or removed.

systemd ignores sections whose name begins with `X-` (systemd.unit(5)).
"""

from __future__ import annotations

from enum import Enum, auto
from hashlib import sha256

_SECTION = "\n[X-Cncop]\nDigest="


class Seal(Enum):
    """Whose text it is."""

    INTACT = auto()
    EDITED = auto()
    FOREIGN = auto()


def sealed(text: str) -> str:
    """`text` with the digest of itself at its end."""
    body = text.rstrip("\n") + "\n"
    return f"{body}{_SECTION}{_digest(body)}\n"


def unsealed(text: str) -> str:
    """`text` as it was before it was sealed."""
    return text.rpartition(_SECTION)[0] or text


def seal_of(text: str) -> Seal:
    """Whether `text` is ours as we wrote it, ours and edited since, or somebody else's."""
    body, found, digest = text.rpartition(_SECTION)
    if not found:
        return Seal.FOREIGN
    return Seal.INTACT if digest == f"{_digest(body)}\n" else Seal.EDITED


def _digest(body: str) -> str:
    return sha256(body.encode("utf-8", "surrogateescape")).hexdigest()
