"""Credentials that only this machine can read: systemd-creds(1).

Values go in and out by pipes alone, never as arguments, and into no file of ours but encrypted.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cncopctl.core.errors import InstallError

KEYS = ("host", "tpm2", "host+tpm2", "auto")


def is_available() -> bool:
    """Whether systemd-creds is installed (systemd 250)."""
    return shutil.which("systemd-creds") is not None


def encrypt(name: str, value: bytes, key: str) -> bytes:
    """`value`, encrypted with one of KEYS so that it is good for the credential `name` alone.

    Raises:
        InstallError: it cannot be encrypted here.
    """
    return _run(
        ["encrypt", f"--name={name}", f"--with-key={key}", "-", "-"], value, f"{name} cannot be encrypted"
    )


def decrypt(name: str, path: Path) -> bytes:
    """The value of the encrypted credential `name` in `path`.

    Raises:
        InstallError: this machine cannot decrypt it.
    """
    return _run(
        ["decrypt", f"--name={name}", "--newline=no", str(path), "-"], b"", f"{name} cannot be decrypted"
    )


def _run(words: list[str], given: bytes, failed: str) -> bytes:
    try:
        done = subprocess.run(["systemd-creds", *words], input=given, capture_output=True, check=False)
    except OSError as error:
        raise InstallError(f"{failed}: systemd-creds: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise InstallError(
            f"{failed}: {said[0]}",
            "what is encrypted is good on this machine alone; store it anew with: cncopctl credential set",
        )
    return done.stdout
