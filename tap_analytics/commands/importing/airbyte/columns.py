"""What a manifest says of a stream's rows: where they are, their key, their columns."""

from __future__ import annotations

import re
import typing as t

from jsonschema import Draft202012Validator

from tap_analytics.commands.importing.airbyte.paginator import UntakenError
from tap_analytics.commands.importing.loading import as_list, as_object
from tap_analytics.commands.importing.notes import listed, shown

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component, Object

_META_SCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA)
_PLAIN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


def selector_of(part: Component | None) -> str | None:
    """Return where the rows are in a response; None where the body is the list."""
    extractor = None if part is None else part.child("extractor")
    if part is None or extractor is None:
        return None
    if extractor.kind not in {"", "DpathExtractor"}:
        raise UntakenError(f"its rows are read by {shown(extractor.kind)}")
    if part.get("record_filter") is not None:
        part.note("record_filter", "isn't taken: the rows it drops arrive as well.")
    part.ignore("schema_normalization", "transform_before_filtering")
    part.tell_unread()
    given = extractor.get("field_path")
    path = given if isinstance(given, list) else [given] if given else []
    members = [
        extractor.interpolated(str(member), "field_path") if member is not None else None
        for member in path
    ]
    if any(member is None for member in members):
        raise UntakenError("the path to its rows is computed")
    known = [member for member in members if member]
    if all(_PLAIN.fullmatch(member) for member in known):
        return ".".join(known) or None
    return "$" + "".join(_step(member) for member in known)


def _step(member: str) -> str:
    if member in {"*", "**"}:
        return "[*]"
    quoted = member.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{member}]" if member.isdecimal() else f"['{quoted}']"


def made_columns(stream: Component) -> tuple[set[str], bool]:
    """Note the transformations; return the columns they make, and whether there are any at all."""
    made: set[str] = set()
    told: dict[str, list[str]] = {}
    for each in stream.children("transformations"):
        names = [".".join(path) for path in _paths(each)]
        told.setdefault(each.kind, []).extend(names)
        if each.kind == "AddFields":
            made |= set(names)
    if told:
        what = "; ".join(
            f"{shown(kind)} {listed(names)}" if names else shown(kind)
            for kind, names in told.items()
        )
        stream.note("transformations", f"aren't taken: {what}; rows stay as they are sent.")
    return made, bool(told)


def _paths(part: Component) -> list[list[str]]:
    if part.kind == "RemoveFields":
        found = as_list(part.get("field_pointers"))
    else:
        found = [each.get("path") for each in part.children("fields")]
    return [
        path
        for path in found
        if isinstance(path, list) and all(isinstance(name, str) for name in path)
    ]


def key_of(stream: Component, made: Collection[str]) -> str | list[str] | None:
    """Return a stream's key, unless it is nested or made by the connector."""
    given = stream.get("primary_key")
    names = given if isinstance(given, list) else [given] if given else []
    if not names:
        return None
    names = [
        stream.interpolated(name, "primary_key") if isinstance(name, str) else None
        for name in names
    ]
    if not all(names):
        stream.note("primary_key", "is nested or computed: not taken, so rows are appended.")
        return None
    if invented := [name for name in names if name in made]:
        stream.note(
            "primary_key",
            f"{listed(invented)} is made by a transformation, not sent: rows are appended.",
        )
        return None
    return names[0] if len(names) == 1 else names


def schema_of(stream: Component, *, is_transformed: bool, needed: Collection[str]) -> Object | None:
    """Return the columns of a stream, if they are given and are those of the rows as sent."""
    loader = stream.child("schema_loader")
    if isinstance(stream.get("schema_loader"), list):
        loader = next(iter(stream.children("schema_loader")), None)
    if loader is None:
        return None
    if loader.kind != "InlineSchemaLoader":
        loader.note("", f"{shown(loader.kind)} isn't taken: the columns are read off the rows.")
        return None
    schema = as_object(stream.manifest.unfolded(loader.get("schema")))
    columns = as_object(schema.get("properties"))
    if not columns:
        return None
    properties = {
        name: _loose(column, is_key=name in needed)
        for name, column in columns.items()
        if isinstance(column, dict)
    }
    made = {"type": "object", "properties": properties}
    lacking = sorted(set(needed) - set(properties))
    faults = (
        (is_transformed, "describes transformed rows"),
        (lacking, f"lacks {listed(lacking)}"),
        (not _META_SCHEMA.is_valid(made), "isn't a JSON schema"),
    )
    if fault := next((text for is_wrong, text in faults if is_wrong), None):
        loader.note("", f"{fault}: left out, the columns are read off the rows.")
        return None
    return made


def _loose(column: Object, *, is_key: bool = False) -> Object:
    """Return a column that may be null unless it is a key, and whose members may be missing."""
    made = {word: value for word, value in column.items() if word not in {"required", "$schema"}}
    kinds = made.get("type")
    if kinds is not None:
        named = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
        made["type"] = named if is_key else [*named, "null"]
    if isinstance(made.get("properties"), dict):
        made["properties"] = {
            name: _loose(inner)
            for name, inner in made["properties"].items()
            if isinstance(inner, dict)
        }
    if isinstance(made.get("items"), dict):
        made["items"] = _loose(made["items"])
    return made
