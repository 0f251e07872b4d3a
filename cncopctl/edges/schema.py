"""The profile's JSON Schema, applied: jsonschema's findings turned into faults that say what to write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema

from cncopctl.core.faults import Fault, nearest, shown
from cncopctl.core.profile import job_label

_KINDS = {
    "string": "text in quotes",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
}


class ProfileSchema:
    """The schema that Config/ ships: `faults` applies it to one document."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The schema as a document."""
        return dict(json.loads(self._path.read_text(encoding="utf-8")))

    @cached_property
    def _validator(self) -> Any:
        draft = jsonschema.Draft202012Validator
        # JSON has one kind of number, so that 3.0 would be an integer; TOML has two, and 3.0 is none.
        types = draft.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
        return jsonschema.validators.extend(draft, type_checker=types)(self.schema)

    def faults(self, file: str, document: Mapping[str, Any]) -> tuple[Fault, ...]:
        """Everything in `document` that the schema does not allow, in the order of the document."""
        found = sorted(self._validator.iter_errors(document), key=lambda error: _sortable(error.path))
        return tuple(fault for error in found for fault in self._of(error, file, document))

    def _of(self, error: Any, file: str, document: Mapping[str, Any]) -> Iterator[Fault]:
        path = list(error.absolute_path)
        job, keys = _split(path, document)
        key = ".".join(str(part) if isinstance(part, str) else f"#{part + 1}" for part in keys)
        if error.validator == "additionalProperties":
            yield from self._unknown_keys(error, Fault(file, "", "", job, key))
        elif error.validator == "required":
            yield from self._missing_keys(error, Fault(file, "", "", job, key), path)
        elif error.validator == "anyOf" and (inside := _of_same_kind(error)):
            for inner in inside:
                yield from self._of(inner, file, document)
        else:
            yield Fault(file, _describe(error), self._remedy(path), job, key)

    def _unknown_keys(self, error: Any, place: Fault) -> Iterator[Fault]:
        known = error.schema.get("properties", {})
        for key in (key for key in error.instance if key not in known):
            meant = nearest(key, known)
            remedy = f"did you mean {meant}?" if meant else f"known here are: {', '.join(sorted(known))}"
            yield Fault(place.file, f"unknown key {shown(key)}", remedy, place.job, place.key)

    def _missing_keys(self, error: Any, place: Fault, path: Sequence[str | int]) -> Iterator[Fault]:
        for key in (key for key in error.validator_value if key not in error.instance):
            yield Fault(place.file, f"{key} is missing", self._remedy([*path, key]), place.job, place.key)

    def _remedy(self, path: Iterable[str | int]) -> str:
        """The innermost `remedy` on the way to `path`."""
        node, remedy = self.schema, ""
        for step in path:
            node = self._child(node, step)
            remedy = node.get("remedy", remedy)
        return remedy

    def _child(self, node: Mapping[str, Any], step: str | int) -> dict[str, Any]:
        if isinstance(step, int):
            return self._resolved(node.get("items", {}))
        others = node.get("additionalProperties") or {}  # such as tables that are named freely
        return self._resolved(node.get("properties", {}).get(step, others))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        target: dict[str, Any] = self.schema
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return {**self._resolved(target), **{key: value for key, value in node.items() if key != "$ref"}}


def _sortable(path: Iterable[str | int]) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in path]


def _split(path: list[str | int], document: Mapping[str, Any]) -> tuple[str, list[str | int]]:
    if len(path) >= 2 and path[0] == "job" and isinstance(path[1], int):
        return job_label(document["job"][path[1]], path[1] + 1), path[2:]
    return "", path


def _of_same_kind(error: Any) -> list[Any]:
    """Of a failed choice, the faults of the branches that take the instance's own kind; [] where none does."""
    depth = len(error.absolute_path)
    return [leaf for leaf in _choices(error) if leaf.validator != "type" or len(leaf.absolute_path) > depth]


def _choices(error: Any) -> Iterator[Any]:
    """The faults of all branches, also of a choice within a choice."""
    for inner in error.context:
        if inner.validator == "anyOf" and len(inner.absolute_path) == len(error.absolute_path):
            yield from _choices(inner)
        else:
            yield inner


def _describe(error: Any) -> str:
    value, limit = shown(error.instance), error.validator_value
    match error.validator:
        case "type":
            kinds = [limit] if isinstance(limit, str) else list(limit)
            return f"{value} is not {' or '.join(_KINDS[kind] for kind in kinds)}"
        case "enum":
            return f"{value} is not one of {', '.join(limit)}{_meant(error.instance, limit)}"
        case "const":
            return f"{value} is not {shown(limit)}"
        case "minimum" | "maximum":
            bound = "less than" if error.validator == "minimum" else "more than"
            return f"{value} is {bound} {limit}"
        case "minLength" | "minItems":
            return "is empty"
        case "maxLength":
            return f"is longer than {limit} characters"
        case "maxItems":
            return f"has more than {limit} entries"
        case "anyOf":
            return f"{value} is neither text in quotes nor a table nor a list of them"
        case _:
            return f"{value} is not written as it must be"


def _meant(value: object, known: Sequence[str]) -> str:
    meant = nearest(value, known) if isinstance(value, str) else ""
    return f" (did you mean {meant}?)" if meant else ""
