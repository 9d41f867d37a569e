"""Convert a stream of a manifest to a resource."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl

from tap_analytics.commands.importing.airbyte.authenticators import auth_of
from tap_analytics.commands.importing.airbyte.components import UnsupportedError
from tap_analytics.commands.importing.airbyte.error_handling import handler_of
from tap_analytics.commands.importing.airbyte.expressions import Reference, reference
from tap_analytics.commands.importing.airbyte.extraction import (
    computed_columns,
    incremental_of,
    key_of,
    schema_of,
    selector_of,
    set_windows,
)
from tap_analytics.commands.importing.airbyte.pagination_strategy import paginator_of
from tap_analytics.commands.importing.loading import as_object
from tap_analytics.commands.importing.notes import shown
from tap_analytics.config.declarations.templates import START

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component, Object

_HOST = re.compile(r"[a-z]+://[^/?]+", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: Names of the start and end of an interval, and of the objects that have them.
_START, _END = {"start_time", "start_date"}, {"end_time", "end_date"}
_INTERVALS = {"stream_interval", "stream_slice"}


@dataclass
class ImportedStream:
    """A resource with its base URL, its `auth` and its parent streams."""

    resource: Object
    base_url: str
    auth: Object | None
    is_optional: bool
    parents: tuple[Component, ...]

    @property
    def name(self) -> str:
        """Name of the resource."""
        return str(self.resource["name"])


def name_of(stream: Component) -> str:
    """Return the name of a stream, with characters not allowed in resource names replaced."""
    name = stream.text("name") or ""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    if plain != name:
        stream.note("name", f"'{shown(name)}' is renamed to '{shown(plain)}'.")
    return plain


def _parts(stream: Component) -> tuple[Component, Component]:
    """Return the retriever and its requester; raises `UnsupportedError` for custom ones."""
    retriever = stream.child("retriever")
    if stream.kind not in {"", "DeclarativeStream"} or retriever is None:
        raise UnsupportedError(f"it is a {shown(stream.kind) or 'stream without a retriever'}")
    retriever.expect("SimpleRetriever", "its retriever is a")
    requester = retriever.child("requester")
    if requester is None or requester.kind not in {"", "HttpRequester"}:
        raise UnsupportedError("it has no HttpRequester")
    decoder = retriever.child("decoder")
    if decoder is not None and decoder.kind != "JsonDecoder":
        raise UnsupportedError(f"its responses are decoded by {shown(decoder.kind)}")
    return retriever, requester


def read_stream(stream: Component) -> ImportedStream:
    """Read a stream; raises `UnsupportedError` where the tap would read other rows."""
    retriever, requester = _parts(stream)
    made, is_transformed = computed_columns(stream)
    key = key_of(stream, made)
    endpoint, base_url, parents = _endpoint(retriever, requester)
    cursor = stream.child("incremental_sync")
    incremental = incremental_of(cursor, computed_columns=made)
    _move_bounds(endpoint, incremental)
    if cursor is not None and incremental is not None:
        set_windows(incremental, cursor)
        if "step" in incremental and "end_param" not in incremental:
            # A placeholder, because without a start the API would choose one.
            endpoint["params"][incremental.pop("start_param")] = f"{{{START}}}"
        endpoint["incremental"] = incremental
    handler, is_optional = handler_of(requester.child("error_handler"))
    if handler:
        endpoint["error_handler"] = handler
    resource: Object = {"name": name_of(stream), "endpoint": _ordered(endpoint)}
    if key:
        resource["primary_key"] = key[0] if len(key) == 1 else key
    needed = {*key, *([incremental["cursor_path"]] if incremental else [])}
    schema = schema_of(stream, is_transformed=is_transformed, key=key, needed=needed)
    if schema is not None:
        resource["schema"] = schema
    auth = auth_of(requester)
    for part in (stream, retriever, requester):
        part.note_unread()
    return ImportedStream(resource, base_url, auth, is_optional, parents)


def _ordered(endpoint: Object) -> Object:
    words = ("path", "method", "params", "headers", "json", "data_selector", "paginator")
    known = {word: endpoint[word] for word in words if endpoint.get(word)}
    return known | {word: endpoint[word] for word in endpoint if word not in words}


def _interval(value: object) -> Reference | None:
    """Return what a parameter refers to that carries an end of an interval."""
    found = reference(value) if isinstance(value, str) else None
    is_interval = found and found.root in _INTERVALS and {*found.path[-1:]} & (_START | _END)
    return found if is_interval else None


def _move_bounds(endpoint: Object, incremental: Object | None) -> None:
    """Turn parameters with the ends of an interval into those of `incremental`."""
    for name, value in list(endpoint["params"].items()):
        if (found := _interval(value)) is None:
            continue
        if incremental is None:
            raise UnsupportedError(f"the parameter `{shown(name)}` is the end of an interval")
        del endpoint["params"][name]
        incremental["start_param" if found.path[-1] in _START else "end_param"] = name


def _address(requester: Component, partitions: t.Collection[str]) -> tuple[str, str]:
    """Return base URL and path of a stream; the URL may include the path."""
    word = "url_base" if requester.get("url_base") else "url"
    # Joined parts may have a slash each.
    url = re.sub(r"(?<!:)/{2,}", "/", (requester.text(word, partitions=partitions) or "").strip())
    if requester.get("path") in (None, ""):
        host = _HOST.match(url)
        return (host[0], url[host.end() :]) if host else (url, "")
    path = requester.text("path", partitions=partitions)
    if path is None:
        raise UnsupportedError("its path is computed")
    if "://" in path:
        raise UnsupportedError("its path is a full URL")
    return url, path.strip()


def _endpoint(
    retriever: Component, requester: Component
) -> tuple[Object, str, tuple[Component, ...]]:
    selector = selector_of(retriever.child("record_selector"))
    partitions, parents = _partitions(retriever)
    address, path = _address(requester, partitions)
    path, _, query = path.partition("?")
    if "?" in address:
        raise UnsupportedError("its url_base has a query")
    params = _query(query) | _pairs(requester, "request_parameters", partitions)
    for name in partitions:
        if f"{{{name}}}" not in path:
            raise UnsupportedError(f"the path has no placeholder for `{shown(name)}` of its parent")
    params |= partitions
    endpoint: Object = {
        "path": f"/{path.lstrip('/')}",
        "params": params,
        "headers": _pairs(requester, "request_headers", ()),
        "paginator": paginator_of(retriever.child("paginator"), selector),
    }
    if selector is not None:
        endpoint["data_selector"] = selector
    method = requester.get("http_method")
    if method in ("POST", "post"):
        endpoint["method"] = "POST"
        endpoint["json"] = _body(requester)
    elif method not in (None, "", "GET", "get"):
        raise UnsupportedError(f"its method is {shown(method)}")
    return endpoint, address, parents


def _query(text: str) -> Object:
    """Return the parameters of a query, as lists where they are repeated."""
    found: dict[str, list[str]] = parse_qs(text, keep_blank_values=True)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _body(requester: Component) -> t.Any:  # noqa: ANN401 - any JSON value
    body = requester.get("request_body_json")
    if (part := requester.child("request_body")) is not None:
        kind, body = part.kind, part.get("value")
        if kind not in {"RequestBodyJsonObject", "RequestBodyPlainText", ""}:
            raise UnsupportedError(f"its body is a {shown(kind)}")
    if requester.get("request_body_data") is not None or isinstance(body, str):
        raise UnsupportedError("its body isn't JSON")
    if "{{" in str(body):
        raise UnsupportedError("its body is computed")
    return requester.manifest.unfolded(body)


def _pairs(requester: Component, word: str, partitions: t.Collection[str]) -> Object:
    """Return parameters or headers, without computed ones."""
    given = requester.get(word)
    given = dict(parse_qsl(given)) if isinstance(given, str) else as_object(given)
    made: Object = {}
    for name, value in given.items():
        if _interval(value):
            # Handled with the cursor.
            made[name] = value
            continue
        if isinstance(value, str):
            value = requester.interpolated(value, f"{word}.{name}", partitions)  # noqa: PLW2901 - the same value, read
            if value is not None and any(f"{{{each}}}" in value for each in partitions):
                raise UnsupportedError(f"the parameter `{shown(name)}` comes from its parent")
        if value is None or value == "":
            requester.note(f"{word}.{shown(name)}", "is empty or computed: left out.")
        elif isinstance(value, list | str | int | float):
            made[name] = value
        else:
            requester.note(f"{word}.{shown(name)}", "isn't a plain value: left out.")
    return made


def _routers(retriever: Component) -> list[Component]:
    for word in ("partition_router", "stream_slicer"):
        given = retriever.get(word)
        if isinstance(given, list):
            return retriever.children(word)
        if (router := retriever.child(word)) is not None:
            return [router]
    return []


def _partitions(retriever: Component) -> tuple[Object, tuple[Component, ...]]:
    """Return what each placeholder resolves to, and the parents."""
    found: Object = {}
    parents: list[Component] = []
    for router in _routers(retriever):
        if router.kind != "SubstreamPartitionRouter":
            raise UnsupportedError(f"it is partitioned by {shown(router.kind)}")
        for config in router.children("parent_stream_configs"):
            stream, key = config.child("stream"), config.text("parent_key")
            name = config.text("partition_field")
            if stream is None or not key or not name or not _PLACEHOLDER.fullmatch(name):
                raise UnsupportedError("its parent has no stream, parent_key or partition_field")
            if config.get("request_option") is not None:
                raise UnsupportedError(
                    "its parent's value is a parameter; only path placeholders are supported"
                )
            found[name] = {
                "type": "resolve",
                "resource": name_of(stream),
                "field": key.replace("/", "."),
            }
            parents.append(stream)
            config.note_unread()
    return found, tuple(parents)
