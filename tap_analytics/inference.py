"""Schemas from sample rows, for streams that declare none and for fields nobody declared.

A maintained library infers; what it found is then widened, because a sample is only a sample:
everything but keys may be null, integers may turn out as fractions, objects stay open, and a value
that was always null may be anything.
"""

from __future__ import annotations

import typing as t

from msgspec import json

from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Schema = dict[str, t.Any]

#: That a number is a fraction is all a schema says of it.
_PLAIN = json.Decoder(float_hook=lambda _: 0.5)
#: Anything JSON can hold, for fields whose samples say nothing.
ANYTHING: t.Final = ("string", "number", "boolean", "object", "array", "null")


def infer_schema(rows: Iterable[Mapping[str, t.Any]], *, keys: Collection[str] = ()) -> Schema:
    """Return an object schema for rows; it holds every key, whether sampled or not."""
    from genson import SchemaBuilder  # noqa: PLC0415 - costs start-up, needed for few streams

    builder = SchemaBuilder()
    for row in rows:
        # The library knows JSON's own types: a Decimal must look like a number again.
        builder.add_object(_PLAIN.decode(ENCODER.encode(row)))
    properties = builder.to_schema().get("properties", {})
    found = {name: widen(schema) for name, schema in properties.items()}
    for key in keys:
        found[key] = _key_schema(properties.get(key, {}))
    return {"type": "object", "properties": found, "required": sorted(keys)}


def widen(schema: Mapping[str, t.Any]) -> Schema:
    """Return a schema that takes everything `schema` takes, null, and its likely neighbours."""
    if "anyOf" in schema:
        kinds = {kind for option in schema["anyOf"] for kind in _kinds(option)}
        schema = {key: value for option in schema["anyOf"] for key, value in option.items()}
    else:
        kinds = _kinds(schema)
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


def _kinds(schema: Mapping[str, t.Any]) -> set[str]:
    kind = schema.get("type", [])
    return {kind} if isinstance(kind, str) else set(kind)


def _key_schema(schema: Mapping[str, t.Any]) -> Schema:
    kinds = _kinds(schema) - {"null"}
    return {"type": sorted(kinds) if kinds else ["integer", "string"]}
