"""Convert a stream of a manifest to a resource."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing.airbyte.authenticators import auth_of
from tap_analytics.commands.importing.airbyte.components import UnsupportedError, name_of
from tap_analytics.commands.importing.airbyte.error_handling import handler_of
from tap_analytics.commands.importing.airbyte.extraction import (
    computed_columns,
    incremental_of,
    key_of,
    schema_of,
    selector_of,
    set_windows,
)
from tap_analytics.commands.importing.airbyte.pagination_strategy import check_bounds, set_paging
from tap_analytics.commands.importing.airbyte.partition_router import partitioning_of
from tap_analytics.commands.importing.airbyte.request_parts import RequestParts
from tap_analytics.commands.importing.notes import shown
from tap_analytics.config.declarations.templates import END, START, names_in, parse_json
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component, Object
    from tap_analytics.commands.importing.airbyte.jinja_values import Later

#: The parts of an endpoint that are sent.
_REQUEST = ("path", "params", "headers", "json", "data")


@dataclass
class ImportedStream:
    """A resource with its base URL, its `auth` and its parent streams."""

    resource: Object
    base_url: str
    auth: Object | None
    parents: tuple[Component, ...]

    @property
    def name(self) -> str:
        """Name of the resource."""
        return str(self.resource["name"])


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
    partitioning = partitioning_of(stream, retriever)
    parts = RequestParts(requester, partitioning)
    endpoint, base_url = _endpoint(retriever, parts)
    incremental = _incremental(stream, parts, endpoint, computed_columns=made)
    if incremental is not None:
        endpoint["incremental"] = incremental
    check_bounds(endpoint)
    handler, actions = handler_of(requester.child("error_handler"))
    endpoint |= {"error_handler": handler} if handler else {}
    endpoint |= {"response_actions": actions} if actions else {}
    resource: Object = {"name": name_of(stream), "endpoint": _ordered(endpoint)}
    if partitioning.lists:
        resource["partitions"] = partitioning.lists
    if key:
        resource["primary_key"] = key[0] if len(key) == 1 else key
    needed = {*key, *([incremental["cursor_path"]] if incremental else [])}
    schema = schema_of(stream, is_transformed=is_transformed, key=key, needed=needed)
    if schema is not None:
        resource["schema"] = schema
    auth = auth_of(requester)
    for part in (stream, retriever, requester):
        part.note_unread()
    return ImportedStream(resource, base_url, auth, partitioning.parents)


def _ordered(endpoint: Object) -> Object:
    words = ("path", "method", "params", "headers", "json", "data", "data_selector", "paginator")
    known = {word: endpoint[word] for word in words if endpoint.get(word)}
    return known | {word: endpoint[word] for word in endpoint if word not in words}


def _endpoint(retriever: Component, parts: RequestParts) -> tuple[Object, str]:
    """Return the endpoint of a stream without its `incremental`, and the base URL."""
    selector = selector_of(retriever.child("record_selector"))
    base_url, path = parts.address()
    path, _, query = path.partition("?")
    endpoint: Object = {
        "path": f"/{path.lstrip('/')}",
        "params": parts.params(query),
        "headers": parts.headers(),
        **parts.method_and_body(),
    }
    if selector is not None:
        endpoint["data_selector"] = selector
    for option, value in parts.partitioning.options:
        inject(endpoint, option, value)
    set_paging(endpoint, retriever.child("paginator"), selector)
    return endpoint, base_url


# --- windows of time ------------------------------------------------------------------------


def _incremental(
    stream: Component, parts: RequestParts, endpoint: Object, *, computed_columns: Collection[str]
) -> Object | None:
    """Return the `incremental` of a stream, with how its requests name the ends of an interval."""
    cursor = stream.child("incremental_sync")
    incremental = incremental_of(cursor, computed_columns=computed_columns)
    if incremental is None or cursor is None:
        if parts.bounds:
            raise UnsupportedError("its request has the end of an interval")
        return None
    options = {incremental.get("start_param"), incremental.get("end_param")} - {None}
    for bound, name in parts.bound_params.items():
        word = "start_param" if bound == START else "end_param"
        if word not in incremental:
            incremental[word] = name
            del endpoint["params"][name]
    named = names_in(parse_json([endpoint.get(each) for each in _REQUEST]))
    bounds = {bound.name for bound in parts.bounds}
    set_windows(incremental, cursor, bounds)
    _set_format(
        incremental, {bound.form for bound in parts.bounds} | ({None} if options else set())
    )
    if (
        "step" in incremental
        and "start_param" in incremental
        and "end_param" not in incremental
        and END not in named
    ):
        # A placeholder, because without a start the API would choose one.
        endpoint["params"][incremental.pop("start_param")] = f"{{{START}}}"
    return incremental


def _set_format(incremental: Object, forms: set[str | None]) -> None:
    """Set the one format in which requests have times."""
    if forms <= {None}:
        return
    raw = incremental.get("convert")
    written = {raw if form is None else _format(form) for form in forms}
    if len(written) > 1:
        raise UnsupportedError("its requests have times in several formats")
    incremental["convert"] = written.pop()


def _format(form: str) -> str:
    try:
        return TimeFormat(form).text
    except TimeFormatError as error:
        raise UnsupportedError(f"a format of its times {error}") from None


def inject(endpoint: Object, option: Component, value: Later) -> None:
    """Add a value to a request where a `request_option` says; raises `UnsupportedError`."""
    place, name = option.get("inject_into"), option.text("field_name")
    path = [name] if name else option.values("field_path")
    places = {"request_parameter": "params", "header": "headers"}
    places |= {"body_json": "json", "body_data": "data"} if "method" in endpoint else {}
    if place not in places or not all(isinstance(each, str) and "{{" not in each for each in path):
        raise UnsupportedError(f"the value of a partition is sent as {shown(place)}")
    target = endpoint.setdefault(places[place], {})
    *outer, last = path
    for member in outer:
        target = target.setdefault(member, {}) if isinstance(target, dict) else None
    if not isinstance(target, dict) or last in target:
        raise UnsupportedError(f"`{shown(last)}` is sent twice")
    target[last] = value.template()
    option.note_unread()
