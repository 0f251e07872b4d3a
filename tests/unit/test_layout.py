"""Where things live."""

from __future__ import annotations

from pathlib import Path

import pytest

from cncopctl.core.layout import Layout, Scope

HOME = Path("/home/me")


def test_a_directory_keeps_the_original_shape() -> None:
    layout = Layout.directory(Path("/x"))
    assert layout.profile == Path("/x/Config/profile.toml")
    assert layout.commands == Path("/x/Bin")
    assert layout.messages == Path("/x/Spool/Messages")
    assert (layout.logs, layout.units, layout.compiled_jobs) == (
        Path("/x/Logs"),
        Path("/x/Units"),
        Path("/x/State/jobs"),
    )


def test_the_systems_places_are_the_packages() -> None:
    layout = Layout.system()
    assert layout.profile == Path("/etc/cncop/profile.toml")
    assert layout.own_jobs == Path("/etc/cncop/jobs.d")
    assert layout.units == Path("/etc/systemd/system")
    assert layout.locks == Path("/run/cncop/locks")
    assert layout.history == Path("/var/lib/cncop/history.sqlite")


def test_a_users_places_are_below_home_unless_xdg_says_otherwise() -> None:
    environment = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative", "XDG_RUNTIME_DIR": ""}
    layout = Layout.user(environment, HOME, 1000)
    assert layout.profile == Path("/c/cncop/profile.toml")
    assert layout.units == Path("/c/systemd/user")
    assert layout.state == HOME / ".local/state/cncop"
    assert layout.run == Path("/run/user/1000/cncop")
    assert layout.repositories == HOME / ".local/share/cncop/backups"


@pytest.mark.parametrize(
    ("layout", "flag"),
    [
        (Layout.system(), "--system"),
        (Layout.user({}, HOME, 1000), "--user"),
        (Layout.directory(Path("/a b")), "--root=/a b"),
    ],
)
def test_the_option_that_selects_it(layout: Layout, flag: str) -> None:
    assert layout.flag() == flag


def test_a_directory_has_no_manager() -> None:
    assert Layout.directory(Path("/x")).scope is Scope.DIRECTORY


@pytest.mark.parametrize(
    ("root", "refusal"),
    [
        ("/srv/100% $x \\", ""),
        ("/a\nb", "/a\nb/Config: character 3 is U+000A, which cannot stand in a unit file"),
        ("/\udcff", "/\udcff/Config: character 2 is U+DCFF, which cannot stand in a unit file"),
    ],
)
def test_a_directory_that_no_unit_can_name_is_refused(root: str, refusal: str) -> None:
    assert Layout.directory(Path(root)).refusal() == refusal


def test_commands_of_hints_are_a_users_own_in_a_users_installation() -> None:
    hint = "look at: journalctl -u cncop-job-a.service; or run: systemctl start cncop.target"
    user = Layout.user({}, Path("/home/ann"), 1000)
    assert user.typed(hint) == (
        "look at: journalctl --user -u cncop-job-a.service; or run: systemctl --user start cncop.target"
    )
    assert Layout.system().typed(hint) == hint
