"""The store of credentials: one file each, encrypted for this machine where the system can do that.

`NAME` is plain, `NAME.cred` encrypted by systemd-creds(1). What a credential is once, it stays when it is set
anew, since the units that load it name its file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.errors import CncopError, InstallError, UsageError
from cncopctl.core.layout import ENCRYPTED, Layout, Scope
from cncopctl.edges import files, systemd_creds

_HINT = "try again with sudo"


def stored(layout: Layout) -> dict[str, bool]:
    """Names of the credentials in the store, each with whether it is encrypted.

    Raises:
        InstallError: the store may not be read.
    """
    try:
        names = sorted(name for name in os.listdir(layout.credentials) if not name.startswith("."))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", _HINT) from error
    plain = {name: False for name in names if not name.endswith((ENCRYPTED, files.ASIDE))}
    return plain | {name.removesuffix(ENCRYPTED): True for name in names if name.endswith(ENCRYPTED)}


def may_encrypt(layout: Layout) -> bool:
    """Whether new credentials are encrypted: for the system's jobs alone.

    A user's services open encrypted credentials only from systemd 258 on, and those under a directory may be meant
    for another machine.
    """
    return layout.scope is Scope.SYSTEM and os.geteuid() == 0 and systemd_creds.is_available()


def store(layout: Layout, name: str, value: bytes, *, encrypted: bool, key: str = "host") -> None:
    """Keep `value` as the credential `name`.

    Raises:
        InstallError: it cannot be encrypted or written.
    """
    content = systemd_creds.encrypt(name, value, key) if encrypted else value
    try:
        layout.credentials.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_atomically(path_of(layout, name, encrypted=encrypted), content, 0o600)
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", _HINT) from error


def read(layout: Layout, name: str) -> bytes:
    """The value of a stored credential.

    Raises:
        UsageError: it is not stored.
        InstallError: it cannot be read or decrypted.
    """
    known = stored(layout)
    if name not in known:
        raise UsageError(f"no credential {name} is stored", f"store it with: cncopctl credential set {name}")
    path = path_of(layout, name, encrypted=known[name])
    if known[name]:
        return systemd_creds.decrypt(name, path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", _HINT) from error


def remove(layout: Layout, name: str, *, only_plain: bool = False) -> None:
    """Remove a credential, or only its plain form.

    Raises:
        InstallError: it cannot be removed.
    """
    try:
        for encrypted in (False,) if only_plain else (True, False):
            path_of(layout, name, encrypted=encrypted).unlink(missing_ok=True)
    except OSError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", _HINT) from error


def path_of(layout: Layout, name: str, *, encrypted: bool) -> Path:
    """The file of a credential."""
    return layout.credentials / (f"{name}{ENCRYPTED}" if encrypted else name)


@contextlib.contextmanager
def handed_over(layout: Layout) -> Iterator[Path]:
    """A directory with all stored credentials in plain, as an agent expects them, for as long as it is needed.

    Decrypted ones are in our memory alone, and what the directory holds are links to that: if we are killed, they
    lead nowhere. Where nothing is encrypted it is the store itself.

    Raises:
        InstallError: one cannot be read or decrypted.
    """
    known = stored(layout)
    if not any(known.values()):
        yield layout.credentials
        return
    import tempfile  # few need it

    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cncop-credentials-")))
        for name, target in _targets(layout, known, stack).items():
            (directory / name).symlink_to(target)
        yield directory


def _targets(layout: Layout, known: Mapping[str, bool], stack: contextlib.ExitStack) -> dict[str, str]:
    targets = {}
    for name, encrypted in known.items():
        if not encrypted:
            targets[name] = str(path_of(layout, name, encrypted=False))
            continue
        descriptor = os.memfd_create(f"cncop-{name}", os.MFD_CLOEXEC)
        stack.callback(os.close, descriptor)
        os.fchmod(descriptor, 0o400)  # ssh takes no key that others could read
        with os.fdopen(os.dup(descriptor), "wb") as memory:
            memory.write(read(layout, name))
        targets[name] = f"/proc/{os.getpid()}/fd/{descriptor}"
    return targets


def make_repository_password(layout: Layout, repositories: list[Path]) -> bool:
    """Make the repositories' password, 256 bits, where there is none; whether it was made.

    It opens every backup, so that an existing one is never replaced, and none is made where repositories wait for
    one that was lost.

    Raises:
        InstallError: a repository is there already, or it cannot be encrypted or written.
    """
    if REPOSITORY_PASSWORD in stored(layout):
        return False
    if made := next((path for path in repositories if (path / "config").is_file()), None):
        raise InstallError(
            f"{REPOSITORY_PASSWORD} is not stored, and {made} opens with no other",
            f"put it back: cncopctl credential set {REPOSITORY_PASSWORD}; "
            "if it is lost for good, move that repository away",
        )
    value = f"{os.urandom(32).hex()}\n".encode()
    try:
        store(layout, REPOSITORY_PASSWORD, value, encrypted=may_encrypt(layout))
    except CncopError as error:
        hint = f"store one yourself: cncopctl credential set --plain {REPOSITORY_PASSWORD}"
        raise InstallError(error.message, hint) from error
    return True
