"""Reads resources, with the defaults of their API."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, replace
from urllib.parse import quote

from jsonschema import Draft7Validator, SchemaError

from tap_analytics.config.declarations.model import DeclaredResource, WriteDisposition
from tap_analytics.config.declarations.object_reader import DOTTED, ConfigPath, ObjectReader, scalar
from tap_analytics.config.declarations.readers import read_incremental, read_paging, read_retry
from tap_analytics.pagination import Cursor, NumberedStrategy, PagingStrategy
from tap_analytics.records.codec import kind_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.retry import RetryPolicy

Params = dict[str, str | tuple[str, ...]]

NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)
#: Expressions of dlt, which would be sent unchanged.
TEMPLATE = re.compile(r"\{\{?\s*(?:incremental|resources)\b")
_INSTEAD = "Use `incremental.start_param`, or {type: resolve, resource: …, field: …}."
DISPOSITIONS: tuple[WriteDisposition, ...] = ("merge", "append", "replace")
_SHARED = ("primary_key", "write_disposition")
RESOURCE_FIELDS = ("name", "endpoint", "schema", "description", *_SHARED)
_SHARED_ENDPOINT = (
    *("method", "json", "params", "headers", "data_selector"),
    *("paginator", "error_handler", "incremental"),
)
ENDPOINT_FIELDS = ("path", *_SHARED_ENDPOINT)
#: Parts of an endpoint that are merged with the defaults field by field.
_MERGED = ("params", "headers", "error_handler")


@dataclass(frozen=True, kw_only=True)
class Resolve:
    """A `resolve` parameter: the source of the values of a placeholder."""

    resource: str
    field: str


@dataclass(frozen=True, kw_only=True)
class UnlinkedResource:
    """A resource that isn't linked to its parents yet."""

    declared: DeclaredResource
    resolves: Mapping[str, Resolve]
    place: ConfigPath


@dataclass(frozen=True, kw_only=True)
class ApiDefaults:
    """Defaults for all resources of an API."""

    api: str
    retry: RetryPolicy
    page_size: int | None
    #: Query parameters that carry credentials.
    secret_params: tuple[str, ...]
    #: Fields of a resource, including those of its endpoint.
    given: Mapping[str, t.Any]


def read_defaults(value: object, place: ConfigPath, defaults: ApiDefaults) -> ApiDefaults:
    """Read the defaults of resources; invalid ones are reported once and left out."""
    reader = ObjectReader(value, place, (*_SHARED, "endpoint"))
    shared = {field: reader.given[field] for field in _SHARED if field in reader}
    before = len(place.problems)
    _disposition(reader, has_keys=True)
    reader.texts("primary_key")
    if before < len(place.problems):
        shared = {}
    own = ObjectReader(reader.object("endpoint"), reader.at("endpoint"), _SHARED_ENDPOINT)
    endpoint = {**defaults.given["endpoint"], **own.given}
    before = len(place.problems)
    _endpoint(ObjectReader(endpoint, own.place, endpoint), "", defaults)
    if before < len(place.problems):
        endpoint = defaults.given["endpoint"]
    known = {field: value for field, value in endpoint.items() if field in _SHARED_ENDPOINT}
    return replace(defaults, given={**shared, "endpoint": known})


def read_resource(value: object, place: ConfigPath, defaults: ApiDefaults) -> UnlinkedResource:
    """Read a resource: an object, or a name that is also the path."""
    reader = ObjectReader(
        {"name": value} if isinstance(value, str) else value, place, RESOURCE_FIELDS
    )
    name = reader.text("name", required=True) or ""
    path = name
    if name and not NAME.fullmatch(name):
        reader.error("name", f"'{name}' must have letters, digits and '_' only.")
        path = ""
    endpoint = {"path": path, **_over_defaults(reader, defaults.given["endpoint"])}
    endpoint_reader = ObjectReader(endpoint, place, ENDPOINT_FIELDS)
    resource, resolves = _endpoint(endpoint_reader, name, defaults)
    merged = {**defaults.given, **reader.given}
    keys = ObjectReader(merged, place, merged).texts("primary_key")
    disposition = _disposition(ObjectReader(merged, place, merged), has_keys=bool(keys))
    resource = replace(
        resource,
        write_disposition=disposition,
        primary_keys=() if disposition == "append" else keys,
        assumes_keys="primary_key" not in reader,
        schema=reader.object("schema") if "schema" in reader else None,
        description=reader.text("description") or "",
    )
    _check_disposition(reader, keys, resource)
    _check_schema(reader, resource)
    return UnlinkedResource(declared=resource, resolves=resolves, place=place)


def _over_defaults(reader: ObjectReader, defaults: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Merge the endpoint of a resource into the default endpoint."""
    value = reader.given.get("endpoint")
    own: dict[str, t.Any] = {"path": value}
    if not isinstance(value, str):
        own = reader.object("endpoint")
    merged = {**defaults, **own}
    for field in _MERGED:
        if isinstance(defaults.get(field), dict) and isinstance(own.get(field), dict):
            merged[field] = {**defaults[field], **own[field]}
    return merged


# --- the endpoint -----------------------------------------------------------------------------


def _endpoint(
    reader: ObjectReader, name: str, defaults: ApiDefaults
) -> tuple[DeclaredResource, dict[str, Resolve]]:
    method = (reader.text("method") or "GET").upper()
    if method not in {"GET", "POST"}:
        reader.error("method", f"'{method}' isn't supported. Known: GET, POST.")
    params, resolves = _params(reader)
    paging = read_paging(reader.given.get("paginator"), reader.at("paginator"))
    paging = _limited(paging, params, reader, page_size=defaults.page_size)
    path = _path(reader, params)
    incremental = read_incremental(reader.given.get("incremental"), reader.at("incremental"))
    resource = DeclaredResource(
        name=name,
        stream=f"{defaults.api}_{name}",
        path=path,
        method="POST" if method == "POST" else "GET",
        params=params,
        headers=reader.headers("headers"),
        json=_body(reader, method),
        data_selector=_selector(reader),
        paging=paging,
        retry=read_retry(
            reader.given.get("error_handler"), reader.at("error_handler"), over=defaults.retry
        ),
        incremental=incremental,
        write_disposition="merge",
    )
    _check_params(resource, defaults.secret_params, reader)
    return resource, resolves


def _params(reader: ObjectReader) -> tuple[Params, dict[str, Resolve]]:
    params: Params = {}
    resolves = {}
    for name, value in reader.object("params").items():
        place = reader.at("params").at(name)
        if isinstance(value, dict):
            if resolve := _resolve(name, value, place):
                resolves[name] = resolve
        elif isinstance(value, list) and all(scalar(item) is not None for item in value):
            params[name] = tuple(scalar(item) or "" for item in value)
        elif (text := scalar(value)) is not None:
            params[name] = text
        elif value is not None:
            place.report(f"`{place.path}` must be a string, a number, a boolean or a list of them.")
        if TEMPLATE.search(json.dumps(value)):
            place.report(f"`{place.path}`: templates aren't supported. {_INSTEAD}")
    return params, resolves


def _resolve(name: str, value: dict[str, t.Any], place: ConfigPath) -> Resolve | None:
    if value.get("type") == "incremental":
        column = value.get("cursor_path", "…")
        instead = f"`incremental: {{cursor_path: {column}, start_param: {name}}}`"
        place.report(f"`{place.path}.type` 'incremental' isn't supported. Write {instead}.")
        return None
    reader = ObjectReader(value, place, ("type", "resource", "field"))
    kind = reader.choice("type", ("resolve",))
    resource = reader.text("resource", required=True)
    field = reader.dotted("field")
    if "field" not in reader:
        reader.missing("field")
    return Resolve(resource=resource, field=field) if kind and resource and field else None


def _limited(
    paging: PagingStrategy, params: Params, reader: ObjectReader, *, page_size: int | None
) -> PagingStrategy:
    """Set the limit of a paginator from the parameters, or the page size of the API."""
    if paging.limit_param is None:
        return paging
    if paging.limit_param not in params:
        return paging if paging.limit else replace(paging, limit=page_size)
    limit = params.pop(paging.limit_param)
    if paging.limit:
        reader.error(f"params.{paging.limit_param}", "is the paginator's limit too. Remove one.")
    elif isinstance(limit, str) and limit.isascii() and limit.isdigit() and int(limit):
        return replace(paging, limit=int(limit))
    else:
        reader.error(f"params.{paging.limit_param}", "must be a whole number of at least 1.")
    return paging


def _path(reader: ObjectReader, params: Params) -> str:
    """Read the path; parameters with the name of a placeholder replace it."""
    path = reader.given.get("path")
    if path is None or path == "":
        return ""
    path = reader.text("path") or ""
    if "://" in path or path.startswith("//"):
        reader.error("path", "must be relative to `client.base_url`, without a host.")
    if set("?#") & set(path):
        reader.error("path", "must not have a query or a fragment. Put queries into `params`.")
    if any(character.isspace() or not character.isprintable() for character in path):
        reader.error("path", "contains white space or control characters. Remove them.")
    if set("{}") & set(PLACEHOLDER.sub("", path)):
        reader.error(
            "path", f"'{path}' has braces that aren't a placeholder. Write one such as {{user_id}}."
        )
    for name in PLACEHOLDER.findall(path):
        if isinstance(value := params.get(name), str):
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
            del params[name]
    return f"/{path.lstrip('/')}"


def _body(reader: ObjectReader, method: str) -> object | None:
    body = reader.given.get("json")
    if body is None:
        return None
    if method != "POST":
        reader.error(
            "json", "is a body, which only POST sends. Set `method` to POST, or remove it."
        )
    if not isinstance(body, (dict, list)):
        reader.error("json", f"must be an object or a list, not {kind_of(body)}.")
    if TEMPLATE.search(json.dumps(body)):
        reader.error("json", f"has a template, which isn't supported. {_INSTEAD}")
    return t.cast("object", body)


def _selector(reader: ObjectReader) -> str | None:
    selector = reader.text("data_selector")
    if selector and not DOTTED.fullmatch(selector):
        from jsonpath_ng.ext.parser import parse  # noqa: PLC0415 - slow to import, and rarely needed

        try:
            parse(selector)
        except Exception:  # noqa: BLE001 - the lexer and the parser raise classes of their own
            reader.error(
                "data_selector",
                f"'{selector}' is neither a dotted path nor JSONPath. Write it like data.items.",
            )
    return selector


def _check_params(
    resource: DeclaredResource, secret: tuple[str, ...], reader: ObjectReader
) -> None:
    """Report query parameters that are set twice."""
    paging = resource.paging
    writers = [(name, "params") for name in resource.params]
    writers += [(name, "client.auth") for name in secret]
    if isinstance(paging, NumberedStrategy):
        writers.append((paging.number_param, "paginator"))
    if isinstance(paging, Cursor):
        writers.append((paging.cursor_param, "paginator"))
    if paging.limit and paging.limit_param:
        writers.append((paging.limit_param, "paginator.limit_param"))
    if resource.incremental and resource.incremental.start_param:
        writers.append((resource.incremental.start_param, "incremental"))
    for name, times in Counter(name for name, _ in writers).items():
        if times > 1:
            who = " and ".join(f"`{writer}`" for written, writer in writers if written == name)
            reader.place.report(f"query parameter '{name}' is written by {who}. Keep one.")


# --- keys and schema --------------------------------------------------------------------------


def _disposition(reader: ObjectReader, *, has_keys: bool) -> WriteDisposition:
    """Read the write disposition; by default rows with a key are merged, others appended."""
    value = reader.given.get("write_disposition")
    if isinstance(value, dict):
        inner = ObjectReader(value, reader.at("write_disposition"), ("disposition", "strategy"))
        if "strategy" in inner:
            inner.error("strategy", "isn't supported: the target decides how it merges. Remove it.")
        chosen = inner.choice("disposition", DISPOSITIONS)
    else:
        chosen = reader.choice("write_disposition", DISPOSITIONS, "merge" if has_keys else "append")
    if chosen == "merge" and not has_keys:
        reader.error("write_disposition", "'merge' needs a key. Add `primary_key`.")
    return next((known for known in DISPOSITIONS if known == chosen), "append")


def _check_disposition(
    reader: ObjectReader, keys: tuple[str, ...], resource: DeclaredResource
) -> None:
    kind = resource.write_disposition
    # A resource may append rows although the defaults have a primary key.
    overrides = "write_disposition" in reader and "primary_key" not in reader
    if kind == "append" and keys and not overrides:
        reader.error("primary_key", "has no use with `write_disposition` 'append'. Remove one.")
    if kind == "replace" and resource.incremental:
        reader.error(
            "incremental",
            "reads a part, but `write_disposition` 'replace' needs all rows. Remove one.",
        )


def _check_schema(reader: ObjectReader, resource: DeclaredResource) -> None:
    if resource.schema is None:
        return
    try:
        Draft7Validator.check_schema(resource.schema)
    except SchemaError as error:
        where = "".join(f".{part}" for part in error.absolute_path)
        reader.error("schema", f"isn't a JSON schema. Correct `schema{where}`.")
        return
    columns = resource.schema.get("properties")
    if not isinstance(columns, dict) or not columns:
        reader.error("schema", "must describe the columns of the rows under `properties`.")
        return
    needed = set(resource.primary_keys) - set(PLACEHOLDER.findall(resource.path))
    if resource.incremental:
        needed.add(resource.incremental.cursor_path)
    for name in sorted(needed - set(columns)):
        reader.error("schema", f"has no property '{name}', which is a key of the stream. Add it.")
