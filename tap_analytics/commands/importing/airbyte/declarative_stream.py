"""Convert a stream of a manifest to a resource."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.airbyte.authenticators import auth_of
from tap_analytics.commands.importing.airbyte.components import (
    UnsupportedError,
    class_for,
    first_sync,
    name_of,
)
from tap_analytics.commands.importing.airbyte.cursor import incremental_of
from tap_analytics.commands.importing.airbyte.error_handling import handler_of
from tap_analytics.commands.importing.airbyte.extraction import (
    decoder_of,
    key_of,
    schema_of,
    selector_of,
    steps_of,
)
from tap_analytics.commands.importing.airbyte.page_templates import PageTemplates
from tap_analytics.commands.importing.airbyte.pagination_strategy import check_page, set_paging
from tap_analytics.commands.importing.airbyte.partition_router import partitioning_of
from tap_analytics.commands.importing.airbyte.request_parts import RequestParts, inject
from tap_analytics.commands.importing.airbyte.transformations import transformations_of
from tap_analytics.commands.importing.notes import shown
from tap_analytics.config.declarations.templates import PARTITIONS

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component, Object


@dataclass
class ImportedStream:
    """A resource with its base URL, its `auth` and its parent streams."""

    resource: Object
    base_url: str
    auth: Object | None
    parents: tuple[Component, ...]
    #: The resources of its parents and their parents, by the names that these have there.
    ancestors: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the resource."""
        return str(self.resource["name"])


def _parts(stream: Component, classes: list[str]) -> tuple[Component, Component]:
    """Return the retriever and its requester; the class of a custom one is added to `classes`."""
    retriever = stream.child("retriever")
    if stream.kind not in {"", "DeclarativeStream"} or retriever is None:
        raise UnsupportedError(f"it is a {shown(stream.kind) or 'stream without a retriever'}")
    retriever.expect("SimpleRetriever", "its retriever is a")
    requester = retriever.child("requester")
    if requester is None:
        raise UnsupportedError("it has no HttpRequester")
    if requester.kind not in {"", "HttpRequester"}:
        classes.append(class_for(requester, "get_url_params", "its requests are sent by"))
    return retriever, requester


def read_stream(stream: Component) -> ImportedStream:
    """Read a stream; raises `UnsupportedError` where the tap would read other rows."""
    name, given, stream = name_of(stream), stream, first_sync(stream)
    classes: list[str] = []
    retriever, requester = _parts(stream, classes)
    has_range = stream is not given or given.get("incremental_sync") is not None
    partitioning = partitioning_of(stream, retriever, has_range=has_range)
    changes = transformations_of(stream, partitioning.scope)
    key = key_of(stream, changes)
    page = PageTemplates.of(retriever.child("paginator"))
    parts = RequestParts(requester, partitioning, page)
    endpoint, base_url = _endpoint(retriever, parts, classes)
    incremental = incremental_of(stream, parts, endpoint, changes, key=key)
    cursor = None if incremental is None else incremental["cursor_path"]
    if incremental is not None:
        endpoint["incremental"] = incremental
    check_page(endpoint, {*changes.added, *changes.computed})
    handler, actions = handler_of(requester.child("error_handler"))
    endpoint |= {"error_handler": handler} if handler else {}
    endpoint |= {"response_actions": actions} if actions else {}
    auth = auth_of(requester, endpoint)
    resource: Object = {"name": name, "endpoint": _ordered(endpoint)}
    steps = steps_of(stream, retriever.child("record_selector"), changes, cursor=cursor)
    if lists := _lists(stream, partitioning.lists, [endpoint, steps], has_key=bool(key)):
        resource["partitions"] = lists
    if key:
        resource["primary_key"] = key[0] if len(key) == 1 else key
    if steps:
        resource["processing_steps"] = steps
    schema = schema_of(stream, changes, key=key, cursor=cursor)
    if schema is not None:
        resource["schema"] = schema
    if classes := [*dict.fromkeys([*classes, *changes.classes])]:
        resource["plugin"] = f"{stream.manifest.notes.plugin}:{''.join(classes)}"
    for part in (stream, retriever, requester):
        part.note_unread()
    return ImportedStream(resource, base_url, auth, partitioning.parents)


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


def _ordered(endpoint: Object) -> Object:
    words = ("path", "method", "params", "headers", "json", "data", "data_selector", "paginator")
    known = {word: endpoint[word] for word in words if endpoint.get(word)}
    return known | {word: endpoint[word] for word in endpoint if word not in words}


def _endpoint(retriever: Component, parts: RequestParts, classes: list[str]) -> tuple[Object, str]:
    """Return the endpoint of a stream without its `incremental`, and the base URL."""
    selector = selector_of(retriever.child("record_selector"), classes)
    base_url, path = parts.address()
    path, _, query = path.partition("?")
    endpoint: Object = {
        "path": f"/{path.lstrip('/')}",
        "params": parts.params(query),
        "headers": parts.headers(),
        **parts.method_and_body(),
    }
    if (decoder := decoder_of(retriever.child("decoder"))) is not None:
        endpoint["decoder"] = decoder
    if selector is not None:
        endpoint["data_selector"] = selector
    for option, value in parts.partitioning.options:
        inject(endpoint, option, value)
    set_paging(endpoint, retriever.child("paginator"), selector, parts.page)
    return endpoint, base_url
