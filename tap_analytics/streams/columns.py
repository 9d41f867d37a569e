"""Schemas of the columns of declared streams that the rows of the API don't show."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.streams.resource import ResourceStream


def completed(
    schema: Mapping[str, t.Any], *, stream: ResourceStream | type[ResourceStream]
) -> dict[str, t.Any]:
    """Return a schema with the columns of parents and the cursor path."""
    columns = dict(_parent_columns(stream))
    if stream.replication_key is not None:
        columns[t.cast("str", stream.replication_key)] = {"type": ["string", "number", "null"]}
    for key in t.cast("Sequence[str]", stream.primary_keys):
        columns[key] = {"type": ["integer", "string"]}
    given = schema.get("properties", {})
    added = {name: column for name, column in columns.items() if name not in given}
    return {"type": "object", **schema, "properties": {**given, **added}}


def _parent_columns(
    stream: ResourceStream | type[ResourceStream],
) -> Iterator[tuple[str, dict[str, t.Any]]]:
    """Yield the schemas of the columns that come from a parent."""
    parent = t.cast("type[ResourceStream] | None", stream.parent_stream_type)
    known = {} if parent is None else (parent.resource.schema or {}).get("properties", {})
    for link in stream.resource.parents:
        if link.placeholder in stream.resource.request.names:
            schema = {"type": ["integer", "string", "null"]}
        else:
            schema = known.get(link.field, {"type": ["boolean", "number", "string", "null"]})
        if link.is_column:
            yield link.placeholder, schema
    for name in stream.resource.partitions:
        yield name, {"type": ["integer", "string", "null"]}


def references(
    resource: DeclaredResource, classes: Mapping[str, type[ResourceStream]]
) -> Iterator[tuple[str, str]]:
    """Yield the columns from parents with the stream and column that they are from."""
    for link in resource.parents:
        source, field = link.resource, link.field
        if link.is_inherited:
            _, source, field = field.split(".", 2)
        if link.is_column:
            yield link.placeholder, f"{vars(classes[source])['name']}.{field}"
