"""Infers schemas from sample rows, for streams and fields without a declared schema.

The schema inferred by genson is widened, because samples are incomplete: everything but keys is
nullable, integers may be fractions, objects are open, and a value that was always null may have any
type.
"""

from __future__ import annotations

import typing as t
from decimal import Decimal

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Schema = dict[str, t.Any]

#: Levels below a field that its schema describes; deeper values may have any type.
DEPTH: t.Final = 16
#: All JSON types, for fields whose samples are null.
ANYTHING: t.Final = ("string", "number", "boolean", "object", "array", "null")


def infer_schema(rows: Iterable[Mapping[str, t.Any]], *, keys: Collection[str] = ()) -> Schema:
    """Return an object schema for rows, with all keys even if no row has them."""
    from genson import SchemaBuilder  # noqa: PLC0415 - costs start-up, needed for few streams

    builder = SchemaBuilder()
    for row in rows:
        builder.add_object({name: _example(value, DEPTH) for name, value in row.items()})
    properties = builder.to_schema().get("properties", {})
    found = {name: widen(schema) for name, schema in properties.items()}
    for key in keys:
        found[key] = _key_schema(properties.get(key, {}))
    return {"type": "object", "properties": found, "required": sorted(keys)}


def _example(value: t.Any, depth: int) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a value of the same JSON type for genson."""
    if isinstance(value, (dict, list)) and not depth:
        return None
    if isinstance(value, dict):
        return {name: _example(each, depth - 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_example(each, depth - 1) for each in value]
    return 0.5 if isinstance(value, (Decimal, msgspec.Raw)) else value


def widen(schema: Mapping[str, t.Any]) -> Schema:
    """Return a schema that takes everything `schema` takes, null, and similar types."""
    if "anyOf" in schema:
        kinds = {kind for option in schema["anyOf"] for kind in kinds_of(option)}
        schema = {key: value for option in schema["anyOf"] for key, value in option.items()}
    else:
        kinds = kinds_of(schema)
    if not kinds - {"null"}:
        return {"type": list(ANYTHING), "items": {}}
    if "integer" in kinds:
        kinds = (kinds - {"integer"}) | {"number"}
    wide: Schema = {"type": [kind for kind in ANYTHING if kind in kinds | {"null"}]}
    if "object" in kinds:
        if nested := schema.get("properties"):
            wide["properties"] = {name: widen(inner) for name, inner in nested.items()}
        wide["additionalProperties"] = True
    if "array" in kinds:
        wide["items"] = widen(schema["items"]) if schema.get("items") else {}
    return wide


def kinds_of(schema: Mapping[str, t.Any]) -> set[str]:
    """Return the JSON types that a schema allows."""
    kind = schema.get("type", [])
    return {kind} if isinstance(kind, str) else set(kind)


def _key_schema(schema: Mapping[str, t.Any]) -> Schema:
    kinds = kinds_of(schema) - {"null"}
    return {"type": sorted(kinds) if kinds else ["integer", "string"]}


def type_names(properties: Mapping[str, t.Any]) -> dict[str, str]:
    """Return the types of fields as messages name them, without null."""
    return {name: _type_name(schema) for name, schema in properties.items()}


def _type_name(schema: Mapping[str, t.Any]) -> str:
    given, items = schema.get("type", ()), schema.get("items") or {}
    kinds = [given] if isinstance(given, str) else [kind for kind in given if kind != "null"]
    names = [
        f"array of {_type_name(items)}" if kind == "array" and items.get("type") else kind
        for kind in kinds
    ]
    return " or ".join(names) if 0 < len(names) < len(ANYTHING) - 1 else "anything"
