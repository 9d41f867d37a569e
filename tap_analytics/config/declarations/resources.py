"""The fields of a resource, with the defaults of its API."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from jsonschema import Draft7Validator, SchemaError

from tap_analytics.config.declarations.endpoint import (
    ENDPOINT,
    SHARED_ENDPOINT,
    check_endpoint,
    read_endpoint,
)
from tap_analytics.config.declarations.fields import (
    OBJECT,
    TEXT,
    TEXTS,
    Field,
    Kind,
    choice,
    read_fields,
)
from tap_analytics.config.declarations.model import WriteDisposition
from tap_analytics.config.declarations.object_reader import DOTTED, NAME, ConfigPath, ObjectReader
from tap_analytics.config.declarations.partitions import check_partitions, read_partitions
from tap_analytics.config.declarations.processing import is_removed, read_steps, split_filter
from tap_analytics.config.declarations.row_steps import LiftFields
from tap_analytics.config.declarations.templates import START, bookmark_names, start_parts
from tap_analytics.config.declarations.window_columns import check_window_columns
from tap_analytics.records.time_part import is_whole, shortest_unit

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.config.declarations.defaults import ApiDefaults
    from tap_analytics.config.declarations.fields import Fields
    from tap_analytics.config.declarations.model import (
        DeclaredIncremental,
        DeclaredResource,
        Source,
    )
    from tap_analytics.records.time_part import TimePart

DISPOSITIONS = t.get_args(WriteDisposition)
#: Parts of an endpoint that are merged with the defaults field by field.
_MERGED = ("params", "headers", "error_handler")


def _disposition(reader: ObjectReader, name: str) -> str | None:
    value = reader.given[name]
    if not isinstance(value, dict):
        return reader.choice(name, DISPOSITIONS)
    inner = ObjectReader(value, reader.at(name), ("disposition", "strategy"))
    if "strategy" in inner:
        inner.error("strategy", "isn't supported: the target decides how it merges. Remove it.")
    return inner.choice("disposition", DISPOSITIONS)


def _endpoint(reader: ObjectReader, name: str) -> dict[str, t.Any]:
    value = reader.given[name]
    return {"path": value} if isinstance(value, str) else reader.object(name)


def _plugin(reader: ObjectReader, name: str) -> str | None:
    plugin = reader.text(name)
    if plugin and not _PLUGIN.fullmatch(plugin):
        reader.error(name, f"'{plugin}' must name module and class: my_package.my_module:MyStream.")
        return None
    return plugin


_PLUGIN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_DISPOSITION = Kind(choice(*DISPOSITIONS).name, _disposition)
#: Fields of a resource that defaults may have.
SHARED: Fields = {
    "primary_key": Field(
        TEXTS,
        "A column or several; a nested field, such as `meta.id`, becomes the column `meta_id`.",
        default=(),
    ),
    "processing_steps": Field(
        Kind("list of [steps](#processing_steps)", read_steps),
        "What is done to each row, in order.",
        default=(),
    ),
    "write_disposition": Field(
        _DISPOSITION,
        "What becomes of the rows: updated by key, appended, or replaced as a whole. "
        "`merge` with a key and `append` without one, unless it is given.",
    ),
}
_OWN: Fields = {
    "name": Field(TEXT, "Second part of the stream name.", required=True, default=""),
    "endpoint": Field(
        Kind("[`endpoint`](#endpoint) or its `path`", _endpoint),
        "The request; `name` is its path if it isn't given.",
        default={},
    ),
    "include_from_parent": Field(
        TEXTS,
        "Fields of the parent's rows that become columns: `id` of `customers` is `_customers_id`.",
        default=(),
    ),
    "incremental_dependency": Field(
        Kind("true or false", ObjectReader.boolean),
        "Whether a change of a row always changes its parent too: then only what is below changed "
        "parents is read.",
        default=False,
        in_dlt=False,
    ),
    "partitions": Field(
        Kind("object of lists", read_partitions),
        "Lists of values, each of which is read on its own and is a column of its rows: "
        "`{region: [eu, us]}` gives `{partitions.region}`.",
        default={},
        in_dlt=False,
    ),
    "plugin": Field(
        Kind("`module:Class`", _plugin),
        "A class in Python that [the stream is derived from](../how-to/adding-an-api.md#plugins).",
        in_dlt=False,
    ),
    "schema": Field(
        OBJECT, "JSON schema of the rows; inferred from the first page without one.", in_dlt=False
    ),
    "description": Field(TEXT, "What the stream is, for documentation.", default=""),
}
RESOURCE: Fields = {**_OWN, **SHARED}


@dataclass(frozen=True, kw_only=True)
class UnlinkedResource:
    """A resource that isn't linked to its parents yet."""

    declared: DeclaredResource
    #: Sources of placeholders, by parameters of type `resolve`.
    resolves: Mapping[str, Source]
    #: Fields of the parent that become columns.
    included: tuple[str, ...]
    place: ConfigPath


def read_defaults(value: object, place: ConfigPath, defaults: ApiDefaults) -> ApiDefaults:
    """Read the defaults of resources; invalid ones are reported once and left out."""
    reader = ObjectReader(value, place, (*SHARED, "endpoint"))
    shared = {name: reader.given[name] for name in SHARED if name in reader}
    before = len(place.problems)
    read_fields(reader, SHARED)
    if before < len(place.problems):
        shared = {}
    own = ObjectReader(reader.object("endpoint"), reader.at("endpoint"), SHARED_ENDPOINT)
    endpoint = {**defaults.given["endpoint"], **own.given}
    before = len(place.problems)
    read_endpoint(ObjectReader(endpoint, own.place, endpoint), "", defaults)
    if before < len(place.problems):
        endpoint = defaults.given["endpoint"]
    known = {name: value for name, value in endpoint.items() if name in SHARED_ENDPOINT}
    return replace(defaults, given={**shared, "endpoint": known})


def read_resource(value: object, place: ConfigPath, defaults: ApiDefaults) -> UnlinkedResource:
    """Read a resource: an object, or a name that is also the path."""
    given = {"name": value} if isinstance(value, str) else value
    reader = ObjectReader(given, place, RESOURCE)
    values = read_fields(reader, _OWN)
    merged = {**defaults.given, **reader.given}
    values |= read_fields(ObjectReader(merged, place, merged), SHARED)
    name, path = values["name"], values["name"]
    if name and not NAME.fullmatch(name):
        reader.error("name", f"'{name}' must have letters, digits and '_' only.")
        path = ""
    endpoint = {"path": path, **_over_defaults(values["endpoint"], defaults.given["endpoint"])}
    request = ObjectReader(endpoint, place, ENDPOINT)
    resource, resolves = read_endpoint(request, name, defaults)
    check_endpoint(resource, request, defaults)
    selector, kept = split_filter(resource.data_selector)
    keys = values["primary_key"]
    disposition = values.get("write_disposition", "merge" if keys else "append")
    resource = replace(
        resource,
        write_disposition=disposition,
        assumes_keys="primary_key" not in reader,
        schema=values.get("schema"),
        description=values["description"],
        data_selector=selector,
        steps=((kept,) if kept else ()) + values["processing_steps"],
        plugin=values.get("plugin"),
        partitions=values["partitions"],
        incremental_dependency=values["incremental_dependency"],
    )
    resource = _lifted(resource, () if disposition == "append" else keys)
    check_partitions(resource, reader)
    _check_disposition(reader, keys, resource)
    _check_incremental(reader, resource)
    check_window_columns(resource, reader)
    _check_steps(reader, resource)
    included = values["include_from_parent"]
    return UnlinkedResource(declared=resource, resolves=resolves, included=included, place=place)


def _over_defaults(own: Mapping[str, t.Any], defaults: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Merge the endpoint of a resource into the default endpoint."""
    merged = {**defaults, **own}
    for name in _MERGED:
        if isinstance(defaults.get(name), dict) and isinstance(own.get(name), dict):
            merged[name] = {**defaults[name], **own[name]}
    return merged


# --- keys and schema --------------------------------------------------------------------------


def _check_disposition(
    reader: ObjectReader, keys: tuple[str, ...], resource: DeclaredResource
) -> None:
    kind = resource.write_disposition
    if kind == "merge" and not keys:
        reader.error("write_disposition", "'merge' needs a key. Add `primary_key`.")
    # A resource may append rows although the defaults have a primary key.
    overrides = "write_disposition" in reader and "primary_key" not in reader
    if kind == "append" and keys and not overrides:
        reader.error("primary_key", "has no use with `write_disposition` 'append'. Remove one.")
    if kind == "replace" and resource.incremental:
        reader.error(
            "incremental",
            "reads a part, but `write_disposition` 'replace' needs all rows. Remove one.",
        )


def _lifted(resource: DeclaredResource, keys: tuple[str, ...]) -> DeclaredResource:
    """Set the primary key; nested fields of keys become columns: `owner.id` is `owner_id`."""
    plain = (resource.schema or {}).get("properties", {})
    columns = {key: key.replace(".", "_") for key in keys if _is_nested(key, plain)}
    nested = {column: key for key, column in columns.items()}
    cursor = resource.incremental
    if cursor is not None and cursor.column != cursor.cursor_path:
        nested[cursor.column] = cursor.cursor_path
    return replace(
        resource,
        primary_keys=tuple(columns.get(key, key) for key in keys),
        steps=(LiftFields(nested), *resource.steps) if nested else resource.steps,
    )


def _is_nested(key: str, plain: Mapping[str, object]) -> bool:
    """Whether a key is a dotted path, not the name of a column."""
    return "." in key and key not in plain and DOTTED.fullmatch(key) is not None


def _check_steps(reader: ObjectReader, resource: DeclaredResource) -> None:
    """Report steps that remove a key."""
    cursor = resource.incremental.column if resource.incremental else None
    for name in filter(None, (*resource.primary_keys, cursor)):
        if is_removed(name, resource.steps):
            reader.error("processing_steps", f"remove '{name}', which is a key. Keep it.")


def _check_incremental(reader: ObjectReader, resource: DeclaredResource) -> None:
    """Report placeholders of the bookmark where nothing says what it is made from."""
    used = bookmark_names(resource.request.names)
    if used and resource.incremental is None:
        reader.error("incremental", f"is missing: {{{min(used)}}} is its value. Add it.")
    if (key := resource.incremental) and key.step and not (used or key.start_param):
        reader.error("incremental.step", f"needs `start_param`, or {{{START}}} in the request.")
    if resource.incremental and (parts := start_parts(resource.request.names)):
        _check_parts(reader, resource, parts)


def _check_parts(
    reader: ObjectReader, resource: DeclaredResource, parts: Mapping[str, TimePart]
) -> None:
    """Report parts of a start that are none, or that are the same in several windows."""
    key, name = t.cast("DeclaredIncremental", resource.incremental), min(parts)
    if key.cursor_format == "number":
        reader.error(
            "incremental.cursor_format", f"is 'number', but {{{name}}} is a part of a time."
        )
    is_sole = key.start_param is None and START not in resource.request.names
    if is_sole and key.step and not is_whole(key.step, shortest_unit(parts.values())):
        reader.error(
            "incremental.step", f"must be whole days, months or years, as {{{name}}} has them."
        )


def check_schema(resource: DeclaredResource, place: ConfigPath) -> None:
    """Report a schema that isn't one, or that lacks a key of the stream."""
    if resource.schema is None:
        return
    try:
        Draft7Validator.check_schema(resource.schema)
    except SchemaError as error:
        where = "".join(f".{part}" for part in error.absolute_path)
        place.report(f"`schema` isn't a JSON schema. Correct `schema{where}`.")
        return
    columns = resource.schema.get("properties")
    if not isinstance(columns, dict) or not columns:
        place.report("`schema` must describe the columns of the rows under `properties`.")
        return
    lifted = [
        name for each in resource.steps if isinstance(each, LiftFields) for name in each.fields
    ]
    given = {link.placeholder for link in resource.parents}.union(lifted, resource.partitions)
    needed = set(resource.primary_keys)
    if resource.incremental:
        needed.add(resource.incremental.column)
    needed -= given
    for name in sorted(needed - set(columns)):
        place.report(f"`schema` has no property '{name}', which is a key of the stream. Add it.")
