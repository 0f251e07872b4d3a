"""The store of credentials, as far as it needs no systemd: what is encrypted is tested in machines."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cncopctl.core.credential_names import REPOSITORY_PASSWORD
from cncopctl.core.errors import InstallError, UsageError
from cncopctl.core.layout import Layout
from cncopctl.verbs import credential_store


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.directory(tmp_path)


def test_what_is_stored_is_read_listed_and_removed(layout: Layout) -> None:
    assert credential_store.stored(layout) == {}
    credential_store.store(layout, "web-01", b"se\x00cret", encrypted=False)
    assert credential_store.stored(layout) == {"web-01": False}
    assert credential_store.read(layout, "web-01") == b"se\x00cret"
    modes = [
        stat.S_IMODE(path.stat().st_mode) for path in (layout.credentials, layout.credentials / "web-01")
    ]
    assert modes == [0o700, 0o600]
    credential_store.remove(layout, "web-01")
    with pytest.raises(UsageError, match="no credential web-01 is stored"):
        credential_store.read(layout, "web-01")


def test_what_is_half_written_or_encrypted_is_told_apart(layout: Layout) -> None:
    layout.credentials.mkdir(parents=True)
    for name in ("plain", "both", "both.cred", "only.cred", "x.cncop-new", ".hidden"):
        (layout.credentials / name).touch()
    assert credential_store.stored(layout) == {"both": True, "only": True, "plain": False}


def test_a_plain_store_is_handed_over_as_it_is(layout: Layout) -> None:
    credential_store.store(layout, "web-01", b"secret", encrypted=False)
    with credential_store.handed_over(layout) as directory:
        assert directory == layout.credentials


def test_nothing_is_encrypted_under_a_directory(layout: Layout) -> None:
    assert not credential_store.may_encrypt(layout)


def test_the_repositories_password_is_made_once_and_never_where_a_repository_waits_for_another(
    layout: Layout, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    assert credential_store.make_repository_password(layout, [repository])
    first = credential_store.read(layout, REPOSITORY_PASSWORD)
    assert len(first) == 65
    assert not credential_store.make_repository_password(layout, [repository])
    assert credential_store.read(layout, REPOSITORY_PASSWORD) == first
    credential_store.remove(layout, REPOSITORY_PASSWORD)
    repository.mkdir()
    (repository / "config").touch()
    with pytest.raises(InstallError, match=r"is not stored, and .*/repository opens with no other"):
        credential_store.make_repository_password(layout, [repository])
    assert credential_store.stored(layout) == {}
