"""Pages of the files: cncop-profile(5) from the JSON Schema, cncop3.ini(5) from the table of settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from blocks import Block, Code, Entry, Heading, Page, Paragraph

from cncopctl.core.configuration import SECTIONS, SETTINGS, Setting
from cncopctl.edges.share import share

Schema = Mapping[str, Any]

# What a definition of the schema is called where a value is described.
_KINDS = {
    "text": "text on one line",
    "path_or_url": "a path or URL",
    "span": "a time span such as `90s`, `30m`, `6h`, `1d 12h`",
    "size": "bytes, with K, M, G or T",
    "count": "a whole number from 0 on",
    "schedule": "a schedule",
    "schedule_text": "a cron string",
    "command": "the name of a file under Bin/",
    "address": "a mail address",
    "occasion": "`failure`, `recovery` or `always`",
    "calendar_entries": "a list of texts",
}
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "object": "a table",
    "array": "a list",
}


class ProfilePage:
    """cncop-profile(5), out of the schema."""

    def __init__(self, schema: Schema) -> None:
        self._definitions = schema["$defs"]
        self._schema = schema

    def page(self) -> Page:
        """The page."""
        top = self._schema["properties"]
        job = self._definitions["job"]
        blocks: list[Block] = [
            Heading("Synopsis"),
            Paragraph("`/etc/cncop/profile.toml`, `/etc/cncop/jobs.d/*.toml`"),
            Paragraph("`~/.config/cncop/profile.toml`, `~/.config/cncop/jobs.d/*.toml`"),
            Heading("Description"),
            Paragraph(
                "A profile says what to back up, from where and when. It is written in TOML: `profile.toml` "
                "belongs to the hub, if there is one, and is replaced as a whole; the files in `jobs.d` are "
                "the administrator's own. `cncopctl check` tells everything that is wrong with them, and "
                "`cncopctl sync-profile` makes systemd follow them. A profile that is not valid changes nothing."
            ),
            Heading("Tables"),
            *(self._entry(name, key) for name, key in top.items() if name != "job"),
            *self._section("[device]", top["device"]),
            *self._section("[calendar.NAME]", self._definitions["calendar"]),
            *self._section("[[job]]", job),
            *self._nested(job),
            Heading("Example"),
            Code(share("Config", "example.toml").read_text("utf-8").rstrip()),
        ]
        see_also = ("cncop-schedule(5)", "cncop3.ini(5)", "cncopctl(8)", "cncop.target(7)")
        return Page("cncop-profile", 5, "what is backed up, from where and when", tuple(blocks), see_also)

    def _section(self, title: str, table: Schema) -> Iterator[Block]:
        yield Heading(f"Keys of {title}")
        required = table.get("required", [])
        for name, key in table["properties"].items():
            yield self._entry(name, key, required=name in required)

    def _nested(self, job: Schema) -> Iterator[Block]:
        """The tables within a job."""
        for name, key in job["properties"].items():
            key = self._resolved(key)
            if key.get("properties"):
                yield Heading(f"Keys of {name}", 2)
                yield from (
                    self._entry(f"{name}.{inner}", value) for inner, value in key["properties"].items()
                )

    def _resolved(self, key: Schema) -> Schema:
        return {**self._pointed(key["$ref"]), **key} if "$ref" in key else key

    def _pointed(self, reference: str) -> Schema:
        """What a reference within the schema points to (JSON Pointer, RFC 6901)."""
        place: Schema = self._schema
        for word in reference.removeprefix("#/").split("/"):
            place = place[word]
        return place

    def _entry(self, name: str, key: Schema, *, required: bool = False) -> Entry:
        facts = [str(key.get("description", "")), f"{_capital(self._kind(key))}."]
        if required:
            facts.append("It has to be given.")
        if "default" in key:
            facts.append(f"Default: {_value(key['default'])}.")
        if example := _example(name, str(key.get("remedy", ""))):
            facts.append(f"Example: `{example}`.")
        return Entry(f"`{name}`", " ".join(fact for fact in facts if fact and fact != "."))

    def _kind(self, key: Schema) -> str:
        if "enum" in key:
            return _or([f"`{value}`" for value in key["enum"]])
        if "const" in key:
            return f"`{key['const']}`"
        if "$ref" in key:
            name = key["$ref"].removeprefix("#/$defs/")
            return _KINDS.get(name) or self._kind(self._pointed(key["$ref"]))
        if "anyOf" in key:
            return _or([self._kind(choice) for choice in key["anyOf"]])
        return self._of_type(key)

    def _of_type(self, key: Schema) -> str:
        kinds = key.get("type", "object")
        if kinds == "array" and "$ref" in key.get("items", {}):
            return f"a list, each {self._kind(key['items'])}"
        if kinds == "array" and "anyOf" in key.get("items", {}):
            return f"a list, each {self._kind(key['items'])}"
        if kinds in ("integer", "number") and "minimum" in key and "maximum" in key:
            return f"{_TYPES[kinds]} from {key['minimum']} to {key['maximum']}"
        return _or([_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def profile_page() -> Page:
    """cncop-profile(5)."""
    return ProfilePage(json.loads(share("Config", "profile.schema.json").read_text("utf-8"))).page()


def settings_page() -> Page:
    """cncop3.ini(5)."""
    blocks: list[Block] = [
        Heading("Synopsis"),
        Paragraph("`/etc/cncop/cncop3.ini`, `~/.config/cncop/cncop3.ini`"),
        Heading("Description"),
        Paragraph(
            "Settings of this machine's cncop. Lines that begin with `#` are comments. What is not set has its "
            "default. A section or key that is not known is an error that names the nearest known one."
        ),
    ]
    for section, meaning in SECTIONS.items():
        blocks += [Heading(f"[{section}]", 1), Paragraph(meaning)]
        blocks += [_setting(setting) for setting in SETTINGS if setting.section == section]
    return Page("cncop3.ini", 5, "settings of cncop", tuple(blocks), ("cncopctl(8)", "cncop-profile(5)"))


def _setting(setting: Setting) -> Entry:
    default = f"Default: `{setting.default}`." if setting.default else f"Example: `{setting.example}`."
    return Entry(f"`{setting.key}`", f"{setting.meaning} {default}")


def _example(name: str, remedy: str) -> str:
    """What the schema tells users to write instead of a fault, where that is a line of TOML."""
    _, found, line = remedy.partition("as in ")
    key = name.rpartition(".")[2]
    line = re.split(r"; |, or ", line)[0]
    return line if found and line.startswith((f"{key} =", f"{name} =")) and "`" not in line else ""


def _value(value: object) -> str:
    text = json.dumps(value)
    return f"`{text}`"


def _or(words: list[str]) -> str:
    words = list(dict.fromkeys(words))
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
