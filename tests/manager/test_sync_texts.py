"""Whatever a profile may say arrives in systemd byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import tomli_w
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unit.builders import HOST, profile_from

from cncopctl.core.layout import Layout, Scope
from cncopctl.core.unit_text import Place, quote, refusal
from cncopctl.verbs.render import render

from .installation import Installation, job, read_units
from .user_manager import UserManager

Value = TypeVar("Value")

HARD = [
    *(" ", "  led", "trailed  ", "\\", "a\\", "a\\\\", "\\n", "50%zoo", "100%done", "%%", "%i", "%i ", "% "),
    *("$HOME", "$$", "${x}", "'", '"', "it's", '"quoted"', "a;b", ";", "; x", "#", "# x", "=", "[Unit]", "~"),
    *("-x", "+x", "@x", ":x", "!x", "!!x", "\u00a0", "\u3000x\u3000", "\ufeffx", "e\u0301", "🐘", "x" * 200),
    *("🐘" * 200, "\\" * 200, '"' * 200, " " * 200, "%" * 200, "\u202eright to left", "\U0001f468\u200d💻"),
]
characters = st.sampled_from(" \\\"'%$;#-+@:!{}~[]=&|<>*?,.iünN🐘\u00a0\ufeff") | st.characters()
texts = st.text(characters, min_size=1, max_size=40).filter(lambda text: not refusal(text))
names = st.text(characters, min_size=1, max_size=40).filter(
    lambda name: (
        not refusal(name) and name not in (".", "..") and "/" not in name and len(name.encode()) < 256
    )
)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


def drawn(strategy: st.SearchStrategy[Value], count: int) -> list[Value]:
    """So many values, for a test that has to look at all of them at once."""
    values: list[Value] = []

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(strategy)
    def collect(value: Value) -> None:
        values.append(value)

    collect()
    return values


def titles() -> list[str]:
    return [*HARD, *drawn(texts, 300)]


def hard_paths() -> list[str]:
    return [*(f"/{text[:60]}" for text in HARD if text.strip("/.")), "/", *drawn(paths, 200)]


def test_every_title_arrives(manager: UserManager) -> None:
    installation = Installation(manager)
    expected = {f"j{number}": title for number, title in enumerate(titles())}
    installation.synced(*(job(name, title=title) for name, title in expected.items()))
    units = [f"cncop-job-{name}.{kind}" for name in expected for kind in ("service", "timer")]
    read = read_units(manager, units, ["Description", "SourcePath", "LoadState", "ActiveState"])
    for name, title in expected.items():
        service, timer = (read[f"cncop-job-{name}.{kind}"] for kind in ("service", "timer"))
        assert service["Description"] == title
        assert timer["Description"] == f"Timer: {title}"
        assert service["SourcePath"] == timer["SourcePath"] == str(installation.profile)
        assert (service["LoadState"], timer["ActiveState"]) == ("loaded", "active")
    documents = installation.compiled()
    assert {name: documents[f"{name}.toml"]["job"]["title"] for name in expected} == expected


def load(manager: UserManager, layout: Layout, jobs: list[dict[str, Any]]) -> list[str]:
    """Have the manager read the units that `jobs` have in another layout; the names of the services."""
    document = {"schema": 1, "job": jobs}
    profile = profile_from({"profile.toml": tomli_w.dumps(document)})
    for name, text in render(profile, HOST, layout, {}).units.items():
        manager.write_unit(name, text)
    manager.systemctl("daemon-reload")
    return [f"cncop-job-{each['id']}.service" for each in jobs]


def own_place(number: int, path: str) -> str:
    """`path` below a directory of the job's own, since no two jobs may share one."""
    return f"/j{number}{path}" if path.startswith("/") else path


def simplified(path: str) -> str:
    """As systemd says the same path: without doubled or closing slashes, and without single dots."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def test_every_path_of_a_job_arrives(manager: UserManager) -> None:
    layout = Layout.system()
    sources = hard_paths()
    destinations = [own_place(number, path) for number, path in enumerate(hard_paths())]
    jobs = [
        job(f"j{number}", source=source, destination=destination)
        for number, (source, destination) in enumerate(zip(sources, destinations, strict=True))
    ]
    services = load(manager, layout, jobs)
    read = read_units(manager, services, ["RequiresMountsFor", "ReadWritePaths", "LoadState"])
    own = [f"-{path}" for path in (layout.logs, layout.spool, layout.state, layout.cache)]
    for service, source, destination in zip(services, sources, destinations, strict=True):
        unit = read[service]
        assert unit["LoadState"] == "loaded"
        assert {simplified(source), simplified(destination)} <= set(unit["RequiresMountsFor"])
        assert set(unit["ReadWritePaths"]) == {*own, f"-{simplified(destination)}"}


def test_every_place_of_an_installation_arrives(manager: UserManager) -> None:
    bases = [Path(path) for path in drawn(paths, 60)] + [
        Path(f"/{text[:60]}") for text in HARD if text.strip("/.")
    ]
    services, expected = [], {}
    for number, base in enumerate(bases):
        layout = replace(Layout.directory(base), packaged_units=Path("/nowhere"))
        assert layout.refusal() == ""
        services += load_one(manager, layout, f"j{number}")
        expected[services[-1]] = layout
    manager.systemctl("daemon-reload")
    read = read_units(manager, services, ["SourcePath", "LoadCredential", "ExecStart", "ExecCondition"])
    for service, layout in expected.items():
        unit = read[service]
        secret = str(layout.credentials / "repository-password")
        assert unit["SourcePath"] == str(layout.profile)
        assert unit["LoadCredential"] == [["repository-password", secret]]
        # `$$` becomes `$` only when the command is run.
        flag = layout.flag().replace("$", "$$")
        for key, step in (("ExecStart", "run"), ("ExecCondition", "gate")):
            ((program, argv, *_),) = unit[key]
            job_id = service.removeprefix("cncop-job-").removesuffix(".service")
            assert program == HOST.python
            assert argv == [HOST.python, "-I", "-m", "cncopctl.dispatcher", flag, step, job_id]


def load_one(manager: UserManager, layout: Layout, job_id: str) -> list[str]:
    profile = profile_from({"profile.toml": tomli_w.dumps({"schema": 1, "job": [job(job_id)]})})
    units = render(profile, HOST, layout, {}).units
    manager.write_unit(f"cncop-job-{job_id}.service", units[f"cncop-job-{job_id}.service"])
    return [f"cncop-job-{job_id}.service"]


def test_every_argument_reaches_the_program(manager: UserManager) -> None:
    arguments = [*HARD, *drawn(texts, 300)]
    words = " ".join(quote(argument, Place.ARGUMENT) for argument in arguments)
    out = manager.home / "argv"
    program = "import json,sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))"
    manager.write_unit(
        "argv.service",
        f"[Service]\nType=oneshot\nExecStart=python3 -c {quote(program, Place.ARGUMENT)} {out} {words}\n",
    )
    manager.systemctl("daemon-reload")
    manager.systemctl("start", "argv.service")
    assert json.loads(out.read_text()) == arguments


OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "title": texts,
    "description": texts,
    "source": st.sampled_from(["/srv", "/", "/tmp/x", "me@host:/srv", "rsync://host/m"]) | paths,
    "exclude": st.lists(texts, max_size=3),
    "credential": st.just("web-01"),
    "schedule": st.sampled_from(
        [
            *("@daily", "@reboot", "*/7 * * * *", "30 2 * * MON-FRI", "30 2 * * * 15", "0 0 1,15 * 5"),
            ["0 1 * * *", "0 2 * * *"],
            {"minute": "*/15"},
            {"interval": "2 weeks", "start_date": "2026-01-01T00:00:00"},
            {"interval": "continuous"},
            {"date": "2030-01-01T00:00:00"},
        ]
    ),
    "timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    "timeout": st.sampled_from(["1s", "6h", "52w"]),
    "random_delay": st.sampled_from(["0", "1s", "1h 30min"]),
    "retry_interval": st.sampled_from(["1s", "5m"]),
    "catch_up": st.booleans(),
    "enabled": st.booleans(),
    "priority": st.sampled_from(["low", "normal"]),
    "run_before": st.just("dump"),
    "run_after_success": st.just("dump"),
    "run_after_failure": st.just("dump"),
    "limits": st.fixed_dictionaries(
        {},
        optional={
            "cpu": st.sampled_from([1, 50, 10000]),
            "memory": st.sampled_from(["1", "100M", "8388607T"]),
            "io_weight": st.sampled_from([1, 10000]),
            "bandwidth": st.just("10M"),
        },
    ),
}
places = st.fixed_dictionaries({}, optional={"destination": paths}) | st.fixed_dictionaries(
    {"direction": st.just("PUSH"), "destination": paths | st.just("me@host:/srv")}
)
every_job = st.tuples(st.fixed_dictionaries({}, optional=OPTIONS), places).map(
    lambda parts: parts[0] | parts[1]
)
LAYOUTS: dict[str, Layout] = {
    "system": Layout.system(),
    "user": Layout.user({}, Path("/home/me"), 1000),
    "directory": Layout.directory(Path("/srv/100% $x \\ 'y\" ;")),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_systemd_has_nothing_against_any_unit_that_can_be_rendered(
    shared_manager: UserManager, layout: Layout
) -> None:
    jobs = [job(f"j{number}", **values) for number, values in enumerate(drawn(every_job, 200))]
    for number, each in enumerate(each for each in jobs if "destination" in each):
        each["destination"] = own_place(number, each["destination"])
    content = tomli_w.dumps({"schema": 1, "job": jobs})
    units = render(profile_from({"profile.toml": content}), HOST, layout, {}).units
    directory = shared_manager.home / f"rendered-{layout.scope}"
    directory.mkdir()
    for number, (name, text) in enumerate(units.items()):
        # systemd-analyze takes what follows a colon for an alias.
        (directory / (f"second{number}.timer" if ":" in name else name)).write_text(text)
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
    scope = "--user" if layout.scope is Scope.USER else "--system"
    done = shared_manager.run(*verify, scope, *directory.iterdir(), check=False)
    assert (done.stderr.splitlines(), done.returncode) == ([], 0)
