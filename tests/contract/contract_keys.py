"""A key for a repository that opens it at once: restic's own take half a second each time, on purpose.

restic derives what opens a repository from its password with scrypt, as slowly as a machine can bear, and
writes into the key file how it did. That is right for users, and most of the time of tests that ask restic a
thousand times. The key here is one of little work; all else is restic's own. The format is restic's, as its design
document (References, Design, "Keys, Encryption and MAC") has it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

_WORK = {"N": 2, "r": 8, "p": 1}
_PRIME = (1 << 130) - 5
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


def replace_keys(repository: Path, password: str, master_key: bytes) -> None:
    """Make the only key of `repository` one that is quick to open; `master_key` is from `restic cat masterkey`."""
    salt = os.urandom(64)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=_WORK["N"], r=_WORK["r"], p=_WORK["p"], dklen=64)
    document = {
        "created": "2026-01-01T00:00:00Z",
        "username": "",
        "hostname": "",
        "kdf": "scrypt",
        **_WORK,
        "salt": base64.b64encode(salt).decode(),
        "data": base64.b64encode(_sealed(derived, json.dumps(json.loads(master_key)).encode())).decode(),
    }
    text = json.dumps(document).encode()
    for old in (repository / "keys").iterdir():
        old.unlink()
    (repository / "keys" / hashlib.sha256(text).hexdigest()).write_bytes(text)


def _sealed(derived: bytes, text: bytes) -> bytes:
    """AES-256-CTR, and Poly1305-AES over it: nonce, encrypted text, authentication."""
    nonce = os.urandom(16)
    encrypted = _aes("-aes-256-ctr", derived[:32], text, "-iv", nonce.hex())
    pad = _aes("-aes-128-ecb", derived[32:48], nonce, "-nopad")
    return nonce + encrypted + _poly1305(encrypted, derived[48:64], pad)


def _aes(cipher: str, key: bytes, text: bytes, *more: str) -> bytes:
    command = ["openssl", "enc", cipher, "-K", key.hex(), *more]
    return subprocess.run(command, input=text, check=True, capture_output=True).stdout


def _poly1305(text: bytes, key: bytes, pad: bytes) -> bytes:
    factor = int.from_bytes(key, "little") & _CLAMP
    total = 0
    for start in range(0, len(text), 16):
        total = (total + int.from_bytes(text[start : start + 16] + b"\1", "little")) * factor % _PRIME
    return ((total + int.from_bytes(pad, "little")) & ((1 << 128) - 1)).to_bytes(16, "little")
