"""From the profile files of an installation to a profile, or to everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from cncopctl.core.configuration import Configuration
from cncopctl.core.faults import Fault, ProfileError
from cncopctl.core.host import Host
from cncopctl.core.job import Profile
from cncopctl.core.layout import Layout
from cncopctl.core.profile import Document, build_profile
from cncopctl.edges.configuration_file import read_configuration
from cncopctl.edges.profile_files import (
    ProfileFile,
    calendar_text,
    find_calendar_files,
    find_profile_files,
    parse_profile_file,
)
from cncopctl.edges.share import share


def profile_files(layout: Layout) -> list[ProfileFile]:
    """The profile files as they are on disk.

    Raises:
        ProfileError: there is none, so that nothing says what to do.
    """
    files = find_profile_files(layout.profile, layout.own_jobs)
    if not files:
        raise ProfileError(
            [
                Fault(
                    str(layout.profile),
                    "there is no profile, nor any file in jobs.d",
                    f"begin with: install -D -m 644 {share('Config', 'example.toml')} {layout.profile}",
                )
            ]
        )
    return files


def load_profile(layout: Layout, host: Host, files: Sequence[ProfileFile]) -> Profile:
    """The profile that `files` describe.

    Raises:
        ProfileError: with every fault of every file.
    """
    from cncopctl.edges.schema import ProfileSchema  # a tenth of a second, not always needed

    schema = ProfileSchema(share("Config", "profile.schema.json"))
    documents = []
    for file in files:
        values, faults = parse_profile_file(file)
        documents.append(Document(file.name, values, faults or schema.faults(file.name, values)))
    calendars: dict[str, str | Fault] = {}
    if any("calendar" in document.values for document in documents):
        calendars = {file.name: calendar_text(file) for file in find_calendar_files(layout.calendars)}
    settings = _settings(layout)
    return build_profile(documents, host, PurePosixPath(layout.repositories), calendars, settings)


def _settings(layout: Layout) -> Configuration | ProfileError:
    """The configuration, or its faults, which are told together with those of the profile."""
    try:
        return read_configuration(layout.settings)
    except ProfileError as error:
        return error
