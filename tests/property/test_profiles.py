"""Whatever TOML can say is a profile, or is refused with faults that lead to the place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.builders import HOST, REPOSITORIES, SCHEMA, profile_from

from cncopctl.core.faults import ProfileError
from cncopctl.core.job import Profile
from cncopctl.core.layout import Layout
from cncopctl.core.profile import Document, build_profile
from cncopctl.core.units import job_units
from cncopctl.edges.profile_files import ProfileFile, parse_profile_file
from cncopctl.edges.schema import ProfileSchema

PROPERTIES: dict[str, Any] = SCHEMA.schema["$defs"]["job"]["properties"]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | texts
    | st.datetimes()
    | st.dates()
    | st.times()
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
# Values that are nearly right, for any key.
near = st.sampled_from(
    [
        *(
            "web-01",
            "RSYNC",
            "PULL",
            "PUSH",
            "30 2 * * *",
            "@daily",
            "*/5 * * * *",
            "0 0 31 2 *",
            "* * * * *",
        ),
        *("/srv", "/", "//", "/a/../b", "host:/srv", "rsync://h/m", "6h", "1w 2d", "999999999w", "0", "10M"),
        *(
            "999999999999T",
            "Europe/Berlin",
            "UTC",
            "",
            " ",
            "\\",
            "%",
            "$",
            '"',
            "a\nb",
            "\ufffe",
            "🐘" * 200,
        ),
        *(0, 1, -1, 100, 2**63 - 1, 1.0, True, False),
        *({"minute": 5}, {"cron": "0 1 * * *", "start_date": "2026-01-01"}, {"interval": "2 weeks"}),
        *(["0 1 * * *", "0 2 * * *"], {"daily": 7}, {"cpu": 50, "memory": "2G"}, ["*.tmp"]),
        *({"to": ["a@example.org"]}, {"to": "a@example.org", "on": ["always", "recovery"]}),
    ]
).map(deepcopy)  # they are mutated in their turn
keys = st.sampled_from([*PROPERTIES, "titel", "Id", "", "x.y", "\x1b"])
jobs = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", "web-01"]) | texts},
    optional={key: near for key in PROPERTIES if key not in ("id", "type", "schedule", "source")},
).map(lambda job: {"type": "RSYNC", "schedule": "30 2 * * *", "source": "/srv"} | job)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid profile to which a few things have happened."""
    profile: dict[str, Any] = {
        "schema": 1,
        "device": {"role": "LOCAL"},
        "job": [
            {"id": name, "type": "RSYNC", "schedule": "30 2 * * *", "source": "/srv"}
            for name in ("a", "b")[: draw(st.integers(0, 2))]
        ],
    }
    for _ in range(draw(st.integers(0, 4))):
        places = [profile, profile["device"], profile["job"], *profile["job"]]
        mutate(draw, draw(st.sampled_from([place for place in places if isinstance(place, dict | list)])))
        if not (isinstance(profile.get("device"), dict) and isinstance(profile.get("job"), list)):
            break
    return profile


def mutate(draw: st.DrawFn, place: dict[str, Any] | list[Any]) -> None:
    if isinstance(place, list):
        place.append(draw(jobs | anything))
    elif place and draw(st.integers(0, 3)) == 0:
        del place[draw(st.sampled_from(sorted(place)))]
    else:
        place[draw(keys | st.sampled_from(sorted(place) or ["x"]) | texts)] = draw(near | anything)


def read(content: bytes) -> Profile | ProfileError:
    """What became of it; anything else than these two is a bug."""
    try:
        return profile_from({"profile.toml": content})
    except ProfileError as error:
        return error


def assert_telling(error: ProfileError, document: Mapping[str, Any]) -> None:
    """Each fault names the file, a job that is there and a key that the profile or the schema knows."""
    assert error.faults
    listed = document.get("job")
    tables = listed if isinstance(listed, list) else []
    for fault in error.faults:
        assert fault.file == "profile.toml"
        assert fault.what.isprintable(), fault
        assert str(fault).isprintable(), fault
        assert fault.remedy.isprintable(), fault
        assert fault.remedy or fault.key.startswith("schedule"), fault
        if fault.job.startswith("#"):
            assert 1 <= int(fault.job[1:]) <= len(tables)
        elif fault.job:
            assert any(isinstance(table, dict) and "id" in table for table in tables)
            first = fault.key.partition(".")[0].partition(" ")[0]
            assert first in ("", *PROPERTIES), fault


@settings(max_examples=2500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
@example({"schema": 1, "job": [{"id": "a"}, {"id": "a"}]})
@example({"schema": 1, "job": [{"id": "a", "timeout": "999999999w"}]})
@example({"schema": 1.0, "device": {}, "job": []})
def test_a_document_is_a_profile_or_has_faults_that_lead_to_their_places(document: dict[str, Any]) -> None:
    result = read(tomli_w.dumps(document).encode())
    if isinstance(result, ProfileError):
        assert_telling(result, tomllib.loads(tomli_w.dumps(document)))
    else:
        assert list(result.jobs) == [table["id"] for table in document.get("job", [])]


@settings(max_examples=250, deadline=None)
@given(documents())
def test_every_valid_job_can_be_said_in_units(document: dict[str, Any]) -> None:
    result = read(tomli_w.dumps(document).encode())
    if isinstance(result, Profile):
        for job in result.jobs.values():
            for layout in (Layout.system(), Layout.directory(Path("/x"))):
                names = [facts.name for facts in job_units(job, HOST, layout)]
                assert names[0] == f"cncop-job-{job.id}.service"
            assert tomllib.loads(tomli_w.dumps(job.compiled())) == job.compiled()


VALID = tomli_w.dumps(
    {
        "schema": 1,
        "job": [{"id": "a", "title": "ü 🐘", "type": "RSYNC", "schedule": "30 2 * * *", "source": "/srv"}],
    }
).encode()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_profile_or_has_faults(data: st.DataObject) -> None:
    content = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 9)))
        content[start:end] = data.draw(st.binary(max_size=4) | st.sampled_from([b"[[", b"]]", b'"', b"\n"]))
    result = read(bytes(content))
    assert isinstance(result, Profile) or result.faults


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_profile_or_have_faults(content: bytes) -> None:
    result = read(content)
    assert isinstance(result, Profile) or result.faults


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 1500), st.sampled_from(["a.", "[", "[{a=", "job.", "job = ["]))
def test_any_depth_is_a_profile_or_has_faults(depth: int, step: str) -> None:
    content = f"schema = 1\n{step * depth}b = 1" if step.endswith(".") else f"schema = 1\nx = {step * depth}"
    result = read(content.encode())
    assert isinstance(result, ProfileError)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(jobs, max_size=3), min_size=1, max_size=3))
def test_several_files_give_each_id_once_or_say_so(files: list[list[dict[str, Any]]]) -> None:
    named = {
        f"jobs.d/{number}.toml": tomli_w.dumps({"schema": 1, "job": tables}).encode()
        for number, tables in enumerate(files)
    }
    ids = [table["id"] for tables in files for table in tables]
    try:
        assert list(profile_from(named).jobs) == ids
    except ProfileError as error:
        repeated = len(ids) - len(set(ids))
        taken = [fault for fault in error.faults if fault.what.startswith("the id is taken already")]
        assert len(taken) == repeated


def test_the_schema_is_read_once_for_all_files() -> None:
    schema = ProfileSchema(Path("/nowhere"))
    assert SCHEMA.schema is SCHEMA.schema
    assert "schema" not in vars(schema)
    values, _ = parse_profile_file(ProfileFile("a", b"schema = 1"))
    assert build_profile([Document("a", values, ())], HOST, REPOSITORIES).jobs == {}
