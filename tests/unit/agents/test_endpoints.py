"""What a source or destination means, and what is refused."""

from __future__ import annotations

import pytest

from cncopctl.core.engines.endpoint import Endpoint, EndpointError, Transport, parse_endpoint

LOCAL, SSH, DAEMON = Transport.LOCAL, Transport.SSH, Transport.DAEMON


@pytest.mark.parametrize(
    ("text", "endpoint", "contents"),
    [
        ("/", Endpoint(LOCAL, "/"), "/"),
        ("/srv/www", Endpoint(LOCAL, "/srv/www"), "/srv/www/"),
        ("/srv/www//", Endpoint(LOCAL, "/srv/www//"), "/srv/www/"),
        ("/srv/a:b", Endpoint(LOCAL, "/srv/a:b"), "/srv/a:b/"),
        ("/srv/[a]*", Endpoint(LOCAL, "/srv/[a]*"), "/srv/[a]*/"),
        ("host:/srv", Endpoint(SSH, "/srv", "host"), "host:/srv/"),
        ("me@host:/srv", Endpoint(SSH, "/srv", "host", "me"), "me@host:/srv/"),
        ("host:", Endpoint(SSH, "", "host"), "host:./"),
        ("host:relative", Endpoint(SSH, "relative", "host"), "host:relative/"),
        ("[::1]:/srv", Endpoint(SSH, "/srv", "[::1]"), "[::1]:/srv/"),
        ("host:/srv/[a]*", Endpoint(SSH, "/srv/[a]*", "host"), "host:/srv/\\[a]\\*/"),
        ("host:/back\\slash", Endpoint(SSH, "/back\\slash", "host"), "host:/back\\slash/"),
        ("ssh://host", Endpoint(SSH, "/", "host"), "host:/"),
        ("ssh://me@host:2222/srv", Endpoint(SSH, "/srv", "host", "me", 2222), "me@host:/srv/"),
        ("host::module", Endpoint(DAEMON, "module", "host"), "rsync://host/module/"),
        ("me@host::module/a", Endpoint(DAEMON, "module/a", "host", "me"), "rsync://me@host/module/a/"),
        ("rsync://host:8730/m/a/", Endpoint(DAEMON, "m/a", "host", "", 8730), "rsync://host:8730/m/a/"),
    ],
)
def test_an_endpoint_is_read_as_rsync_reads_it(text: str, endpoint: Endpoint, contents: str) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(text).contents() == contents


@pytest.mark.parametrize(
    "text",
    [
        "",
        "relative",
        "./relative:path",
        "-e sh",
        "-oProxyCommand=x:/srv",
        "me@-oProxyCommand=x:/srv",
        "-l@host:/srv",
        "ssh://-oProxyCommand=x/srv",
        "ssh://host:port/srv",
        "rsync://host",
        "rsync://host/",
        "host::",
        "ftp://host/x",
        "rsync://me:secret@host/module",
        "/srv\nx",
        "host:/srv\0",
    ],
)
def test_what_is_no_endpoint_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(EndpointError) as refused:
        parse_endpoint(text)
    assert refused.value.hint
    assert "secret" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    ("text", "parent", "name"),
    [
        ("/etc/passwd", "/etc", "passwd"),
        ("/passwd", "/", "passwd"),
        ("host:/etc/passwd", "/etc", "passwd"),
        ("host:passwd", "", "passwd"),
        ("rsync://host/module/dir/file", "module/dir", "file"),
        ("rsync://host/module", "", ""),
    ],
)
def test_an_endpoint_lies_in_its_parent(text: str, parent: str, name: str) -> None:
    endpoint = parse_endpoint(text)
    assert (endpoint.parent().path, endpoint.name()) == (parent, name)
