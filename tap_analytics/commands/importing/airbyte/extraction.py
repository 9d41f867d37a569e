"""Rows of a stream of a manifest: format, selector, filter, primary key and schema."""

from __future__ import annotations

import re
import typing as t

from jsonschema import Draft202012Validator

from tap_analytics.commands.importing.airbyte.conditions import row_filter
from tap_analytics.commands.importing.airbyte.jinja_values import Later, UndecidedError
from tap_analytics.commands.importing.airbyte.stream_parts import class_for, columns_of
from tap_analytics.commands.importing.loading import Object, as_object
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.config.declarations.templates import RECORD

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.transformations import Transformations

_META_SCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA)
_PLAIN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


# --- the response ---------------------------------------------------------------------------


def decoder_of(part: Component | None) -> Object | str | None:
    """Return the `decoder` of responses; None for JSON."""
    if part is None or part.kind in {"", "JsonDecoder"}:
        return None
    if part.kind == "GzipDecoder":
        # What is compressed is decompressed by its headers, and by how it begins.
        inner = decoder_of(part.child("decoder"))
        part.note_unread()
        return inner or "json"
    if part.kind in {"JsonlDecoder", "XmlDecoder"}:
        return part.kind.removesuffix("Decoder").lower()
    if part.kind != "CsvDecoder":
        raise UnsupportedError(f"its responses are decoded by {shown(part.kind)}")
    if part.get("set_values_to_none"):
        raise UnsupportedError("its responses are CSV in which some texts stand for null")
    given = {word: part.get(word) for word in ("delimiter", "encoding")}
    usual = {"delimiter": ",", "encoding": "utf-8"}
    made = {word: value for word, value in given.items() if value not in (None, usual[word])}
    part.note_unread()
    return {"type": "csv", **made} if made else "csv"


def selector_of(part: Component | None, classes: list[str]) -> str | None:
    """Return the selector of the rows; None where nothing selects them.

    `$` is the list, or the object, that the response is. A class that selects them is added to
    `classes`.
    """
    extractor = None if part is None else part.child("extractor")
    if part is not None:
        part.expect("RecordSelector", "its rows are selected by a")
    if part is None or extractor is None:
        return None
    if extractor.kind not in {"", "DpathExtractor"}:
        classes.append(class_for(extractor, "select", "its rows are extracted by"))
        return None
    if extractor.get("record_expander") is not None:
        raise UnsupportedError("its rows are expanded by a record_expander")
    members = []
    for given in extractor.values("field_path"):
        member = None if given is None else extractor.interpolated(str(given), "field_path")
        if member is None:
            raise UnsupportedError("the path to its rows is computed")
        members += [member] if member else []
    extractor.note_unread()
    if "**" in members:
        raise UnsupportedError("its rows are searched for at any depth")
    if members and all(_PLAIN.fullmatch(member) for member in members):
        return ".".join(members)
    return "$" + "".join(map(_step, members))


def _step(member: str) -> str:
    if member == "*":
        return "[*]"
    quoted = member.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{member}]" if member.isdecimal() else f"['{quoted}']"


# --- steps of processing --------------------------------------------------------------------


def steps_of(
    stream: Component, selector: Component | None, changes: Transformations, *, cursor: str | None
) -> list[Object]:
    """Return the steps of processing: transformations, and the filter of rows.

    `cursor` is the replication key. Raises `UnsupportedError` for a filter that can't be said.
    """
    rule = None if selector is None else selector.child("record_filter")
    if selector is None:
        return changes.steps
    kept = None if rule is None else _filter(rule, cursor)
    is_last = selector.get("transform_before_filtering")
    if is_last is None:
        incremental = stream.child("incremental_sync")
        is_last = bool(incremental and incremental.get("is_client_side_incremental"))
    if kept and is_last and changes.classes:
        raise UnsupportedError("its rows are filtered after a class has changed them")
    if kept and is_last and (lacking := [n for n in changes.computed if n in kept]):
        raise UnsupportedError(f"its rows are filtered by {listed(lacking)}, which is computed")
    selector.ignore("extractor")
    selector.note_unread()
    steps = [{"filter": kept}] if kept else []
    return [*changes.steps, *steps] if is_last else [*steps, *changes.steps]


def _filter(rule: Component, cursor: str | None) -> str | None:
    """Return the filter expression of a `record_filter`; None where it keeps all rows."""
    rule.expect("RecordFilter", "its rows are filtered by a")
    condition = rule.get("condition")
    if condition in (None, ""):
        return None
    try:
        found = row_filter(
            str(condition), lambda text: rule.evaluated(text, "condition"), cursor=cursor
        )
    except UndecidedError:
        what = f"its rows are filtered by the condition `{shown(condition)}`"
        raise UnsupportedError(what) from None
    rule.note_unread()
    if found is False:
        raise UnsupportedError("its filter keeps no row")
    return found if isinstance(found, str) else None


# --- primary key and schema -----------------------------------------------------------------


def key_of(stream: Component, changes: Transformations) -> list[str]:
    """Return the primary key of a stream, nested fields as dotted paths."""
    given = stream.values("primary_key")
    names = [_key(stream, each) for each in given]
    if made := [name for name in names if name in changes.momentary]:
        stream.note("primary_key", f"{listed(made)} is another in each run: rows are appended.")
        return []
    if nested := [name for name in names if _holds_several(stream, name)]:
        stream.note("primary_key", f"{listed(nested)} is an object or a list: rows are appended.")
        return []
    # What is made of nothing but the column itself is only written otherwise.
    if computed := [name for name in names if changes.sources(name) not in (None, {name})]:
        raise UnsupportedError(f"its key {listed(computed)} is computed by a transformation")
    return [*dict.fromkeys(filter(None, names))]


def _key(stream: Component, given: object) -> str:
    """Return a column of the key, or the dotted path of a nested one."""
    parts = given if isinstance(given, list) else [given]
    names = [stream.interpolated(each, "primary_key") for each in parts if isinstance(each, str)]
    if len(names) < len(parts) or None in names or any("." in str(each) for each in names[1:]):
        raise UnsupportedError("its primary_key is computed")
    return ".".join(map(str, names))


def _holds_several(stream: Component, key: str) -> bool:
    """Whether the schema describes a column of the key as an object or a list."""
    column: Object = {"properties": columns_of(stream)}
    for name in key.split("."):
        column = as_object(as_object(column.get("properties")).get(name))
    kinds = column.get("type")
    named = set(kinds if isinstance(kinds, list) else [kinds]) - {"null"}
    return bool(named) and named <= {"object", "array"}


def schema_of(
    stream: Component, changes: Transformations, *, key: Collection[str], cursor: str | None
) -> Object | None:
    """Return the schema of a stream, if it describes its rows as they are written."""
    loader, columns = _loader(stream), columns_of(stream)
    if loader is None or not columns:
        return None
    properties = {
        name: _typed(name, _loose(column, is_key=name in key), changes, columns)
        for name, column in columns.items()
        if isinstance(column, dict) and name not in changes.computed
    }
    made = {"type": "object", "properties": properties}
    needed = {name for name in (*key, cursor) if name and "." not in name}
    lacking = sorted(needed - set(properties))
    problems = (
        (_is_normalized(stream), "describes values of other types than the API has"),
        (lacking, f"lacks {listed(lacking)}"),
        (not _META_SCHEMA.is_valid(made), "isn't a JSON schema"),
    )
    if problem := next((text for is_wrong, text in problems if is_wrong), None):
        loader.note("", f"{problem}: left out, the schema is inferred from rows.")
        return None
    return made


def _loader(stream: Component) -> Component | None:
    """Return the loader of the schema, if it is in the manifest."""
    loaders = stream.children("schema_loader")
    loader = stream.child("schema_loader") or next(iter(loaders), None)
    if loader is None or (loader.kind == "InlineSchemaLoader" and len(loaders) <= 1):
        return loader
    loader.note("", f"{shown(loader.kind)} isn't supported: the schema is inferred from rows.")
    return None


def _is_normalized(stream: Component) -> bool:
    """Whether values are changed to the types of the schema, or by code."""
    selector = stream.child("retriever", "record_selector")
    decoder = stream.child("retriever", "decoder")
    is_csv = decoder is not None and decoder.kind == "CsvDecoder"
    way = selector and selector.get("schema_normalization")
    return way not in (None, "None") and not is_csv


def _loose(column: Object, *, is_key: bool = False) -> Object:
    """Return a column that is nullable unless it is a key, without required members."""
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


def _typed(name: str, column: Object, made: Transformations, columns: Object) -> Object:
    """Return the schema of a column; one whose type is said has that of the field it is made of.

    `columns` are the schemas of all.
    """
    value = made.added.get(name)
    names = [each.name for each in value.placeholders] if isinstance(value, Later) else []
    if name not in made.typed or not isinstance(value, Later) or len(value.parts) > 1 or not names:
        return column
    source = columns.get(names[0].removeprefix(f"{RECORD}."))
    if isinstance(source, dict) and "type" in source and names[0] != f"{RECORD}.{name}":
        kinds = [kind for kind in _kinds(source) if kind != "null"]
        null = ["null"] if "null" in _kinds(column) else []
        return {**column, "type": [*kinds, *null]}
    given = _kinds(column)
    if not {"string", "integer", "number"}.intersection(given):
        return column
    rest = {word: inner for word, inner in column.items() if word not in {"type", "format"}}
    return {**rest, "type": [*dict.fromkeys([*given, "string", "integer"])]}


def _kinds(column: Object) -> list[str]:
    kinds = column.get("type")
    return [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]
