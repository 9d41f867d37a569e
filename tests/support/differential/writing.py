"""Parts of manifests and of configurations of dlt, with less to write."""

from __future__ import annotations

import typing as t

Object = dict[str, t.Any]


def manifest(*streams: Object, **parts: t.Any) -> Object:
    names = [stream["name"] for stream in streams]
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": names[:1]},
        "streams": list(streams),
        **parts,
    }


def stream(name: str = "items", path: str | None = None, **parts: t.Any) -> Object:
    """Return a stream; `parts` are those of its retriever, with few exceptions."""
    requester = {
        "type": "HttpRequester",
        "url_base": "ORIGIN",
        "path": f"/{name}" if path is None else path,
    }
    requester |= parts.pop("requester", {})
    words = parts.pop("stream", {})
    selector = parts.pop("selector", {})
    field = parts.pop("field_path", ["data"])
    reader = {
        "type": "SimpleRetriever",
        "requester": requester,
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": field},
        }
        | selector,
    }
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": "id",
        "retriever": reader | parts,
        "schema_loader": {
            "type": "InlineSchemaLoader",
            "schema": {"type": "object", "additionalProperties": True, "properties": {}},
        },
    } | words


def into(name: str, place: str = "request_parameter") -> Object:
    return {"type": "RequestOption", "inject_into": place, "field_name": name}


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


def dlt(*resources: t.Any, client: Object | None = None, **words: t.Any) -> Object:
    return {
        "client": {"base_url": "ORIGIN"} | (client or {}),
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": list(resources),
        **words,
    }


def resource(name: str = "items", path: str | None = None, **endpoint: t.Any) -> Object:
    words = endpoint.pop("resource", {})
    endpoint = {"path": name if path is None else path, "data_selector": "data"} | endpoint
    return {"name": name, "endpoint": endpoint} | words


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
