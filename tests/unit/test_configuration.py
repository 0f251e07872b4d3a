"""cncop3.ini: what it may say, and what is said about what it may not."""

from pathlib import Path

import pytest

from cncopctl.core.configuration import SETTINGS, Configuration, Setting, annotated_file, build_configuration
from cncopctl.core.faults import ProfileError
from cncopctl.edges.configuration_file import read_configuration
from cncopctl.edges.share import share


def faults(text: str | bytes, tmp_path: Path) -> list[tuple[str, str]]:
    path = tmp_path / "cncop3.ini"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ProfileError) as caught:
        read_configuration(path)
    return [(str(fault), fault.remedy) for fault in caught.value.faults]


def test_without_a_file_all_is_as_documented(tmp_path: Path) -> None:
    configuration = read_configuration(tmp_path / "cncop3.ini")
    assert configuration == Configuration()
    assert configuration.defaults.scheduler_port == 59153
    assert configuration.defaults.days_of_logs == 90
    assert configuration.defaults.max_parallel_jobs == 2


def test_the_shipped_file_is_what_the_settings_say() -> None:
    assert share("Config", "cncop3.ini").read_text(encoding="utf-8") == annotated_file()


def test_the_shipped_file_changes_nothing_even_with_its_comments_removed(tmp_path: Path) -> None:
    path = tmp_path / "cncop3.ini"
    path.write_text(annotated_file())
    assert read_configuration(path) == Configuration()
    values = [line.removeprefix("#") for line in annotated_file().splitlines() if not line.startswith("# ")]
    path.write_text("\n".join(values))
    assert read_configuration(path).defaults == Configuration().defaults


def test_values_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cncop3.ini"
    path.write_text(
        "\ufeff[defaults]\nSCHEDULER_PORT = 6000\n; comment\n[mail]\nmail_server=mx\nmail_security = TLS\n"
        "[repository]\nkeep_daily = 7\n"
    )
    configuration = read_configuration(path)
    assert configuration.defaults.scheduler_port == 6000
    assert (configuration.mail.server, configuration.mail.security) == ("mx", "tls")
    assert configuration.repository.keep == {"daily": 7}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_example_is_accepted(setting: Setting) -> None:
    found = build_configuration({setting.section: {setting.key: setting.example}})
    assert isinstance(found, Configuration)


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ("[defaults]\nscheduler_prot = 1", "[defaults] scheduler_prot: is no setting", "scheduler_port?"),
        ("[default]\nx = 1", "[default]: is no section", "did you mean defaults?"),
        ("[defaults]\nmail_server = mx", "mail_server: is no setting", "it belongs under [mail]"),
        ("[defaults]\nscheduler_port = 70000", '"70000" is not a whole number from 1 to 65535', "= 59153"),
        ("[defaults]\ndays_of_logs = ٣", "is not a whole number", "= 90"),
        ("[mail]\nmail_security = ssl", '"ssl" is none of starttls, tls, none', "= starttls"),
        ("[mail]\nmail_sender = me", "is not an address", "backup@example.org"),
        ("[repository]\ndirectory = ../x", "is not an absolute path", "/srv/backup"),
        ("[console]\ngroup = a b", "is not the name of a group", "= cncop"),
        ("days_of_logs = 9", "line 1 stands before any section", "[defaults]"),
        ("[mail]\nmail_user = a\nmail_user = b", "line 3: mail_user is set twice", "one of the two"),
        ("[mail]\n[mail]\n", "line 2: the section [mail] is there twice", "one heading"),
        ("[mail]\nnonsense", "line 2 is no setting", "key = value"),
        (b"[mail]\nmail_user = \xff", "is not UTF-8", "UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(
    text: str | bytes, fault: str, remedy: str, tmp_path: Path
) -> None:
    (found,) = faults(text, tmp_path)
    assert found[0].startswith("cncop3.ini: ")
    assert fault in found[0]
    assert remedy in found[1]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    assert len(faults("[defaults]\na = 1\ndays_of_logs = x\n[zzz]\n", tmp_path)) == 3
