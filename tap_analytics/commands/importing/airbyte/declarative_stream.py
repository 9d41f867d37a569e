"""Convert a stream of a manifest to a resource."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.airbyte.authenticators import auth_of
from tap_analytics.commands.importing.airbyte.cursor import set_incremental
from tap_analytics.commands.importing.airbyte.error_handling import handler_of
from tap_analytics.commands.importing.airbyte.extraction import (
    decoder_of,
    key_of,
    schema_of,
    selector_of,
    steps_of,
)
from tap_analytics.commands.importing.airbyte.page_placement import PageTemplates
from tap_analytics.commands.importing.airbyte.pagination_strategy import (
    check_page,
    drop_later,
    set_paging,
)
from tap_analytics.commands.importing.airbyte.partition_router import partitioning_of
from tap_analytics.commands.importing.airbyte.request_body import method_and_body
from tap_analytics.commands.importing.airbyte.request_parts import RequestParts, inject
from tap_analytics.commands.importing.airbyte.stream_parts import class_for, first_sync, name_of
from tap_analytics.commands.importing.airbyte.transformations import transformations_of
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.config.declarations.templates import PARTITIONS

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.partition_router import Partitioning
    from tap_analytics.commands.importing.loading import Object


#: Words of a requester that make parts of requests of the fields that another response lists.
_LISTED_FIELDS = ("query_properties", "fetch_properties_from_endpoint")


@dataclass
class ImportedStream:
    """A resource with its base URL, its `auth` and its parent streams."""

    resource: Object
    base_url: str
    auth: Object | None
    parents: tuple[Component, ...]
    #: The fields of rows that the manifest computes, which rows of the tap lack.
    computed: frozenset[str] = frozenset()
    #: The resources of its parents and their parents, by the names that these have there.
    ancestors: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the resource."""
        return str(self.resource["name"])


def _parts(stream: Component) -> tuple[Component, Component, list[str]]:
    """Return the retriever, its requester, and the class of one that is custom."""
    retriever = stream.child("retriever")
    if stream.kind not in {"", "DeclarativeStream"} or retriever is None:
        raise UnsupportedError(f"it is a {shown(stream.kind) or 'stream without a retriever'}")
    retriever.expect("SimpleRetriever", "its retriever is a")
    requester = retriever.child("requester")
    if requester is None:
        raise UnsupportedError("it has no HttpRequester")
    for word in _LISTED_FIELDS:
        if requester.get(word):
            raise UnsupportedError(f"its requests name the fields of rows by {word}")
    if requester.kind in {"", "HttpRequester"}:
        return retriever, requester, []
    name = class_for(requester, "get_url_params", "its requests are sent by")
    return retriever, requester, [name]


def read_stream(stream: Component) -> ImportedStream:
    """Read a stream; raises `UnsupportedError` where the tap would read other rows."""
    name, given, stream = name_of(stream), stream, first_sync(stream)
    retriever, requester, classes = _parts(stream)
    has_range = stream is not given or given.get("incremental_sync") is not None
    partitioning = partitioning_of(stream, retriever, has_range=has_range)
    changes = transformations_of(stream, partitioning.scope)
    key = key_of(stream, changes)
    parts = RequestParts(requester, partitioning, PageTemplates.of(retriever.child("paginator")))
    endpoint, base_url = _endpoint(retriever, parts, classes)
    cursor = set_incremental(stream, parts, endpoint, changes, key=key)
    check_page(endpoint, {*changes.added, *changes.computed})
    drop_later(endpoint, _slicer_params(stream, retriever, partitioning))
    _handle_errors(requester, endpoint)
    auth = auth_of(requester, endpoint)
    steps = steps_of(stream, retriever.child("record_selector"), changes, cursor=cursor)
    optional: Object = {
        "partitions": _lists(stream, partitioning.lists, [endpoint, steps], has_key=bool(key)),
        "primary_key": key[0] if len(key) == 1 else key,
        "processing_steps": steps,
        "schema": schema_of(stream, changes, key=key, cursor=cursor),
        "plugin": _plugin(stream, [*classes, *changes.classes]),
    }
    resource: Object = {"name": name, "endpoint": _ordered(endpoint)}
    resource |= {word: value for word, value in optional.items() if value}
    for part in (stream, retriever, requester):
        part.note_unread()
    return ImportedStream(
        resource, base_url, auth, partitioning.parents, frozenset(changes.computed)
    )


def _slicer_params(
    stream: Component, retriever: Component, partitioning: Partitioning
) -> list[str]:
    """Return the parameters of partitions and of the range that only the first page has."""
    if retriever.get("ignore_stream_slicer_parameters_on_paginated_requests") is not True:
        return []
    cursor = stream.child("incremental_sync")
    words = ("start_time_option", "end_time_option")
    options = [cursor.child(word) for word in words] if cursor else []
    options += [option for option, _ in partitioning.options]
    named = [each for each in options if each and each.get("inject_into") == "request_parameter"]
    return [name for each in named if (name := each.text("field_name"))]


def _lists(stream: Component, lists: Object, used: list[t.Any], *, has_key: bool) -> Object:
    """Return the lists of values without those that change neither requests nor rows."""
    text = json.dumps(used, default=str)
    kept: Object = {}
    for name, values in lists.items():
        is_alone = has_key or (isinstance(values, list) and len(values) == 1)
        if is_alone and f"{PARTITIONS}.{name}}}" not in text:
            stream.note("retriever.partition_router", "changes no request: they are sent once.")
        else:
            kept[name] = values
    return kept


def _handle_errors(requester: Component, endpoint: Object) -> None:
    handler, actions = handler_of(requester.child("error_handler"))
    handling = {"error_handler": handler, "response_actions": actions}
    endpoint |= {word: value for word, value in handling.items() if value}


def _plugin(stream: Component, classes: list[str]) -> str | None:
    """Return the class of a plugin that does what several classes do."""
    name = "".join(dict.fromkeys(classes))
    return f"{stream.manifest.notes.plugin}:{name}" if classes else None


def _ordered(endpoint: Object) -> Object:
    words = ("path", "method", "params", "headers", "json", "data", "data_selector", "paginator")
    known = {word: endpoint[word] for word in words if endpoint.get(word)}
    return known | {word: endpoint[word] for word in endpoint if word not in words}


def _endpoint(retriever: Component, parts: RequestParts, classes: list[str]) -> tuple[Object, str]:
    """Return the endpoint of a stream without its `incremental`, and the base URL."""
    selector = selector_of(retriever.child("record_selector"), classes)
    base_url, path = parts.address()
    path, mark, query = path.partition("?")
    if query and "=" not in query.partition("&")[0]:
        # A path in the query is sent as it is.
        path, query = f"{path}{mark}{query}", ""
    endpoint: Object = {
        "path": f"/{path.lstrip('/')}",
        "params": parts.params(query),
        "headers": parts.headers(),
        **method_and_body(parts),
    }
    if (decoder := decoder_of(retriever.child("decoder"))) is not None:
        endpoint["decoder"] = decoder
    if selector is not None:
        endpoint["data_selector"] = selector
    for option, value in parts.partitioning.options:
        inject(endpoint, option, value)
    set_paging(endpoint, retriever.child("paginator"), selector, parts.page)
    return endpoint, base_url
