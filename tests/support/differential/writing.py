"""Descriptions for both tools, with less to write.

What is here returns the value of a word, or, to be spread into a stream, several words.
"""

from __future__ import annotations

import typing as t

from support.differential.construct import Description

Object = dict[str, t.Any]

#: Words of `Description`.
_DIFFERENCES = ("more", "fewer", "loses", "left_out")
#: Words of a manifest's stream by the object that has them; all others are the retriever's.
_REQUESTER = {
    *("url_base", "http_method", "authenticator", "error_handler", "request_parameters"),
    *("request_headers", "request_body_json", "request_body_data"),
}
_STREAM = {"primary_key", "incremental_sync", "transformations", "schema_loader"}
_SELECTOR = {"record_filter"}


def _described(source: Object, words: Object) -> Description:
    differences = {name: words.pop(name) for name in _DIFFERENCES if name in words}
    return Description(source=source | words, **differences)


# --- manifests -------------------------------------------------------------------------------


def manifest(*streams: Object, **words: t.Any) -> Description:
    """Return a manifest; `words` are its own, and how the tap differs from the tool."""
    names = [stream["name"] for stream in streams]
    source: Object = {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": names[:1]},
        "streams": list(streams),
    }
    return _described(source, words)


def stream(
    name: str = "items",
    path: str | None = None,
    *,
    field_path: t.Sequence[str] = ("data",),
    **words: t.Any,
) -> Object:
    """Return a stream; each of `words` goes into the object that it belongs to."""

    def taken(names: set[str]) -> Object:
        return {word: words.pop(word) for word in [*words] if word in names}

    requester = {"type": "HttpRequester", "url_base": "ORIGIN"}
    requester |= {"path": f"/{name}" if path is None else path} | taken(_REQUESTER)
    extractor = {"type": "DpathExtractor", "field_path": list(field_path)}
    selector = {"type": "RecordSelector", "extractor": extractor} | taken(_SELECTOR)
    made = {"type": "DeclarativeStream", "name": name, "primary_key": "id"}
    own = taken(_STREAM)
    retriever = {"type": "SimpleRetriever", "requester": requester, "record_selector": selector}
    schema = {"type": "object", "additionalProperties": True, "properties": {}}
    loader = {"type": "InlineSchemaLoader", "schema": schema}
    return made | {"retriever": retriever | words, "schema_loader": loader} | own


def into(name: str, place: str = "request_parameter") -> Object:
    return {"type": "RequestOption", "inject_into": place, "field_name": name}


def nested(*path: str) -> Object:
    return {"type": "RequestOption", "inject_into": "body_json", "field_path": list(path)}


def paginator(strategy: Object, token: t.Any = None, size: t.Any = None) -> Object:
    made = {"type": "DefaultPaginator", "pagination_strategy": strategy}
    made |= {"page_token_option": into(token) if isinstance(token, str) else token} if token else {}
    made |= {"page_size_option": into(size) if isinstance(size, str) else size} if size else {}
    return {"paginator": made}


def by_cursor(value: str, stop: str = "", **words: t.Any) -> Object:
    return {
        "type": "CursorPagination",
        "cursor_value": value,
        **({"stop_condition": stop} if stop else {}),
        **words,
    }


def by_number(size: int = 3, first: int = 1) -> Object:
    return {"type": "PageIncrement", "page_size": size, "start_from_page": first}


def next_link(value: str, stop: str = "") -> Object:
    """Return a paginator by links."""
    return paginator(by_cursor(value, stop), {"type": "RequestPath"})


def over_time(**words: t.Any) -> Object:
    """Return the cursor of a column `at`, from 2024 on; a word that is None is left out."""
    cursor = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
        "start_datetime": "2024-01-01T00:00:00Z",
        "end_datetime": "2024-01-10T00:00:00Z",
        "start_time_option": into("since"),
    } | words
    return {"incremental_sync": {word: each for word, each in cursor.items() if each is not None}}


def below(parent: Object, key: str = "id", field: str = "parent_id", **words: t.Any) -> Object:
    """Return the router of a child."""
    config = {"type": "ParentStreamConfig", "stream": parent, "parent_key": key}
    config |= {"partition_field": field} | words
    router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}
    return {"partition_router": router}


def each_of(field: str, *values: str, option: Object | None = None) -> Object:
    """Return the router of a list."""
    router = {"type": "ListPartitionRouter", "cursor_field": field, "values": list(values)}
    return router | ({"request_option": option} if option else {})


def selected(condition: str) -> Object:
    """Return a filter of rows."""
    return {"record_filter": {"type": "RecordFilter", "condition": condition}}


def transformed(*transformations: Object) -> Object:
    return {"transformations": list(transformations)}


def added(**values: t.Any) -> Object:
    """Return a transformation that adds fields."""
    fields = [{"path": [name], "value": value} for name, value in values.items()]
    return {"type": "AddFields", "fields": fields}


def error_handler(*filters: Object, **words: t.Any) -> Object:
    made = {"type": "DefaultErrorHandler", "response_filters": list(filters)}
    return {"error_handler": made | words}


def response_filter(action: str, *codes: int, **words: t.Any) -> Object:
    made = {"type": "HttpResponseFilter", "action": action}
    return made | ({"http_codes": list(codes)} if codes else {}) | words


def spec(*secrets: str, **properties: Object) -> Object:
    """Return the settings that a manifest has."""
    secret = {"type": "string", "airbyte_secret": True}
    known = {"type": "object", "properties": dict.fromkeys(secrets, secret) | properties}
    return {"type": "Spec", "connection_specification": known}


# --- configurations of dlt -------------------------------------------------------------------


def dlt(*resources: t.Any, client: Object | None = None, **words: t.Any) -> Description:
    """Return a configuration; `words` are its own, and how the tap differs from the tool."""
    source: Object = {
        "client": {"base_url": "ORIGIN"} | (client or {}),
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": list(resources),
    }
    return _described(source, words)


def resource(name: str = "items", path: str | None = None, **endpoint: t.Any) -> Object:
    words = endpoint.pop("resource", {})
    endpoint = {"path": name if path is None else path, "data_selector": "data"} | endpoint
    return {"name": name, "endpoint": endpoint} | words


def dlt_page(**words: t.Any) -> Object:
    """Return a paginator by number, from 1 on, without a total."""
    return {"type": "page_number", "base_page": 1, "total_path": None} | words


def dlt_offset(limit: int = 3, **words: t.Any) -> Object:
    """Return a paginator by offset, without a total."""
    return {"type": "offset", "limit": limit, "total_path": None} | words


def dlt_cursor(path: str, param: str = "cursor", **words: t.Any) -> Object:
    return {"type": "cursor", "cursor_path": path, "cursor_param": param} | words
