"""Places on SFTP, FTP, FTPS and CIFS servers: how they are written, and what is said of those that are none."""

from __future__ import annotations

import pytest

from cncopctl.core.engines.endpoint import EndpointError
from cncopctl.core.engines.remote import Protocol, Remote, Tls, parse_remote
from cncopctl.core.remote_places import as_url, remote_faults

SFTP, FTP, SMB = Protocol


@pytest.mark.parametrize(
    ("job_type", "text", "expected", "served"),
    [
        ("SFTP", "sftp://me@web-01:2222/srv/a b", Remote(SFTP, "web-01", "/srv/a b", "me", 2222), "/srv/a b"),
        ("SFTP", "sftp://web-01", Remote(SFTP, "web-01", "/"), "/"),
        ("SFTP", "sftp://web-01/~/www/", Remote(SFTP, "web-01", "~/www/"), "www"),
        ("SFTP", "sftp://web-01/~", Remote(SFTP, "web-01", "~"), ""),
        ("SFTP", "sftp://[::1]/a%20b", Remote(SFTP, "[::1]", "/a%20b"), "/a%20b"),
        ("FTP", "ftp://a@b.example@ftp.host/x", Remote(FTP, "ftp.host", "/x", "a@b.example"), "/x"),
        ("FTPS", "ftp://h/x", Remote(FTP, "h", "/x", tls=Tls.EXPLICIT), "/x"),
        ("FTPS", "ftpes://h/x", Remote(FTP, "h", "/x", tls=Tls.EXPLICIT), "/x"),
        ("FTPS", "ftps://h/x", Remote(FTP, "h", "/x", tls=Tls.IMPLICIT), "/x"),
        ("CIFS", "//nas/share/dir", Remote(SMB, "nas", "/share/dir"), "share/dir"),
        ("CIFS", "//me@nas/share", Remote(SMB, "nas", "/share", "me"), "share"),
        ("CIFS", "smb://ACME;me@nas:4450/s/d/", Remote(SMB, "nas", "/s/d/", "me", 4450, "ACME"), "s/d"),
        ("CIFS", "cifs://nas/s", Remote(SMB, "nas", "/s"), "s"),
    ],
)
def test_a_remote_is_taken_apart(job_type: str, text: str, expected: Remote, served: str) -> None:
    remote = parse_remote(text, job_type)
    assert remote == expected
    assert remote.served_path == served


def test_implicit_tls_has_a_port_of_its_own() -> None:
    ports = [parse_remote(f"{scheme}://h/x", "FTPS").default_port for scheme in ("ftp", "ftps")]
    assert ports == [21, 990]


@pytest.mark.parametrize(
    ("job_type", "text", "said"),
    [
        ("SFTP", "ftp://h/x", 'that is for type = "FTP"'),
        ("FTP", "ftps://h/x", 'that is for type = "FTPS"'),
        ("SFTP", "/srv/www", "write sftp://user@host:port/path"),
        ("SFTP", "//nas/share", "write sftp://user@host:port/path"),
        ("SFTP", "sftp://-oProxyCommand=x/y", "write sftp://"),
        ("SFTP", "sftp://h:99999/x", "write sftp://"),
        ("SFTP", "sftp://h/a/../b", "write the path that it leads to"),
        ("SFTP", "sftp://u:secret@h/x", "cncopctl credential set NAME"),
        ("FTP", "ftp://ACME;u@h/x", "write ftp://"),
        ("FTP", "ftp://u`id`@h/x", "write ftp://"),
        ("CIFS", "//nas", "write //user@server/share/path"),
        ("CIFS", "smb://nas/", "write //user@server/share/path"),
        ("CIFS", "", "write a path or a remote place"),
        ("CIFS", "//nas/share\n[global]", "without line breaks"),
    ],
)
def test_what_is_no_place_is_refused_with_what_to_write(job_type: str, text: str, said: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_remote(text, job_type)
    assert said in caught.value.hint
    assert "secret" not in caught.value.message


def test_a_share_is_never_taken_for_a_path_of_this_machine() -> None:
    assert as_url("CIFS", "//nas/share") == "smb://nas/share"
    assert as_url("RSYNC", "//srv/www") == "//srv/www"
    assert parse_remote("smb://nas/share", "CIFS") == parse_remote("//nas/share", "CIFS")


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ({"type": "RSYNC", "source": "anything"}, []),
        ({"type": "SFTP", "source": "sftp://h/x", "credential": "key"}, []),
        ({"type": "SFTP", "source": "sftp://h/x"}, ["credential"]),
        ({"type": "FTP", "source": "sftp://h/x", "exclude": ["[", "*.tmp", "a/"]}, ["source", "exclude"]),
        ({"type": "CIFS", "source": "/srv", "destination": "//nas/s", "direction": "PUSH"}, []),
        ({"type": "CIFS", "source": "//nas/s", "destination": "//nas/s", "direction": "PUSH"}, ["source"]),
        ({"type": "CIFS", "source": "/srv", "destination": "/mnt", "direction": "PUSH"}, ["destination"]),
    ],
)
def test_faults_name_the_key(table: dict[str, object], keys: list[str]) -> None:
    assert [key for key, _, _ in remote_faults(table)] == keys
