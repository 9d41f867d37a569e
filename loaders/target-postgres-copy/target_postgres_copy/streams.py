"""Decide whether COPY can load a stream, and plan its columns."""

from __future__ import annotations

import typing as t

from jsonschema import Draft202012Validator
from singer_sdk.mapper import SameRecordTransform

from target_postgres_copy.decoder import is_odd
from target_postgres_copy.errors import Unsupported
from target_postgres_copy.planning import Policy, plan

if t.TYPE_CHECKING:
    from singer_sdk.mapper import PluginMapper
    from target_postgres.sinks import PostgresSink

    from target_postgres_copy.columns import Column

_ROW_KEYWORDS = set(Draft202012Validator.VALIDATORS) - {
    "additionalProperties",
    "format",
    "properties",
    "required",
    "type",
}


def plan_columns(sink: PostgresSink, mapper: PluginMapper) -> dict[str, Column]:
    """Plan every column; raise `Unsupported` if the stream needs target-postgres itself."""
    if sink.connector._engine.dialect.driver != "psycopg":  # noqa: SLF001 - as in the parent
        raise Unsupported("COPY needs the driver psycopg")
    _check_maps(sink.stream_name, mapper)
    properties: dict[str, t.Any] = sink.schema["properties"]
    if not properties:
        raise Unsupported("the schema has no properties")
    if sink.validate_schema:
        _check_rules(sink.schema)
    required = {*(sink.schema.get("required", ()) if sink.validate_schema else ())}
    if unknown := {*required, *sink.key_properties} - properties.keys():
        raise Unsupported(f"{min(unknown)!r} is required, but not among the properties")
    policy = Policy(
        validate=sink.validate_schema,
        sanitize=sink.connector.sanitize_null_text_characters,
        required=frozenset({*required, *sink.key_properties}),
    )
    to_sql_type = sink.connector.to_sql_type
    return {
        name: plan(name, schema, to_sql_type(schema), policy) for name, schema in properties.items()
    }


def _check_maps(stream_name: str, mapper: PluginMapper) -> None:
    maps = mapper.stream_maps.get(stream_name, [])
    if [type(each) for each in maps] != [SameRecordTransform]:
        raise Unsupported("a stream map changes them")
    if maps[0].flattening_enabled:
        raise Unsupported("they are flattened")


def _check_rules(schema: dict[str, t.Any]) -> None:
    keywords = sorted(_ROW_KEYWORDS & schema.keys())
    others = schema.get("additionalProperties", True)
    if not isinstance(others, bool) or (not others and any(map(is_odd, schema["properties"]))):
        keywords.append("additionalProperties")
    if keywords:
        raise Unsupported(f"the schema has {keywords[0]!r} for whole rows")
