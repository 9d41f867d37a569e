"""APIs declared in the configuration: resources become stream classes like the built-in ones.

Nothing downstream treats them differently. A schema that isn't declared is inferred from the first
page, which a sync then doesn't request again.
"""

from __future__ import annotations

import functools
import re
import typing as t
from collections import deque
from dataclasses import replace

from typing_extensions import override

from tap_analytics.config.declarations import parse
from tap_analytics.config.declarations.model import DETECTED
from tap_analytics.config.declarations.processing import sources_of
from tap_analytics.config.declarations.row_steps import RowError
from tap_analytics.config.declarations.window_columns import (
    has_window_columns,
    has_window_key,
    is_in_windows,
)
from tap_analytics.errors import TapError
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.pagination.unit import sample
from tap_analytics.records.decoders import FORMATS, Csv, decoder_of
from tap_analytics.records.inference import infer_schema
from tap_analytics.records.payload import detect_rows, select_jsonpath, select_map
from tap_analytics.records.xml import Xml
from tap_analytics.streams.api import Api
from tap_analytics.streams.columns import completed, references
from tap_analytics.streams.plugins import PluginError, load_plugin, plugin_digest
from tap_analytics.streams.resource import ResourceStream
from tap_analytics.streams.scope import contexts_of, open_bookmark, window_of, windows_of
from tap_analytics.streams.window_columns import WindowColumnsStream
from tap_analytics.transport.errors import NotFound

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.config.declarations.model import DeclaredApi, DeclaredResource
    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.response import ResponseParser
    from tap_analytics.records.decoders import Decoder
    from tap_analytics.records.payload import Row

#: Words of a resource that decide about its rows: a state that was made with others isn't used.
_DECIDING = (
    *("write_disposition", "data_selector", "incremental", "incremental_dependency", "parents"),
    *("partitions", "request", "steps", "map_key"),
)


class DeclaredStream(ResourceStream):
    """Base of the streams declared in the configuration."""

    selector_hint = (
        "Set `data_selector` to where the rows are; leave it out for a bare list. "
        "If the API leaves out empty lists, set `on_missing_rows: empty`."
    )
    #: Whether the resource is the parent of others.
    has_children: t.ClassVar[bool] = False
    _sampled_schema: dict[str, t.Any] | None = None

    @override
    def __init__(self, tap: Tap) -> None:
        self.infers_schema = self.resource.schema is None
        super().__init__(tap, http_method=self.resource.method)

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        return (
            self.resource.write_disposition == "replace" or super().emit_activate_version_messages
        )

    def redeclared(self, entry: Mapping[str, t.Any]) -> DeclaredStream | None:
        """Return the stream as declared by another entry of `apis`; None if that is invalid."""
        apis, _ = declare([entry], reserved=frozenset())
        kinds = [kind for api in apis for kind in api.streams if vars(kind)["name"] == self.name]
        return t.cast("type[DeclaredStream]", kinds[0])(t.cast("Tap", self._tap)) if kinds else None

    @functools.cached_property
    def parser(self) -> ResponseParser:
        """The parser of the base, for the format that the resource has."""
        return replace(
            super().parser,
            # Of a parent without children, some APIs answer `{}`.
            takes_empty=self.parent_stream_type is not None,
            takes_missing=self.resource.on_missing_rows == "empty",
            decoder=self._decoder,
            decoders=FORMATS,
        )

    def _decoder(self, content_type: str) -> Decoder:
        """Return the decoder of a media type, for the schema and the key of the resource."""
        decoder, resource = self.resource.decoder or decoder_of(content_type), self.resource
        if isinstance(decoder, Xml):
            return replace(decoder, path=self.records_path)
        if not isinstance(decoder, Csv):
            return decoder
        given = {link.placeholder for link in resource.parents}.union(resource.partitions)
        return replace(
            decoder,
            properties=(resource.schema or {}).get("properties", {}),
            required=set() if resource.assumes_keys else set(self.key_fields) - given,
        )

    # --- schema -----------------------------------------------------------------------------

    @property
    @override
    def schema(self) -> dict[str, t.Any]:
        if self.resource.schema is not None:
            return completed(self.resource.schema, stream=self)
        if self._input_schema is not None:
            return self._input_schema
        if self._sampled_schema is None:
            rows = self._sample()
            self.settle_keys(rows)
            inferred = infer_schema(rows, keys=self.primary_keys)
            self._sampled_schema = completed(inferred, stream=self)
            self.is_sampled = True
        return self._sampled_schema

    def settle_keys(self, rows: Sequence[Row]) -> None:
        """Replace a default primary key that the rows don't have."""
        lacking = [key for key in self.primary_keys if any(row.get(key) is None for row in rows)]
        if not lacking or not self.resource.assumes_keys:
            return
        has_uid = all(row.get("uid") is not None for row in rows)
        self.primary_keys = ("uid",) if has_uid else ()
        self.logger.warning(
            "Rows have no `%s`, the primary key of `resource_defaults`; %s. "
            "Set `primary_key` at the resource.",
            lacking[0],
            "`uid` is taken instead" if has_uid else "they are appended without a key",
        )

    @property
    @override
    def known_schema(self) -> Mapping[str, t.Any]:
        return self.resource.schema or self._input_schema or self._sampled_schema or {}

    @override
    @classmethod
    def known_columns(cls) -> Mapping[str, t.Any]:
        schema = completed(cls.resource.schema or {}, stream=cls)
        return t.cast("Mapping[str, t.Any]", schema["properties"])

    def _sample(self) -> list[Row]:
        """Return the processed rows of the first page; an error fails the stream."""
        if self._tap.input_catalog is not None:
            return []
        try:
            for context in self.sample_contexts():
                rows = _first_page(self, context)
                if not rows and self.meets_at is not None:
                    rows = self._last_window(context)
                if rows or not self.resource.partitions:
                    return rows
        except NotFound as error:
            # The parent was deleted. Without a parent, the stream fails.
            self.failure = error if self.parent_stream_type is None else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this stream's failure
            self.failure = error
        return []

    def _last_window(self, context: Context | None) -> list[Row]:
        """Return the processed rows of the first page of the last window, which is read again."""
        bookmark = None if self.has_children else open_bookmark(self)
        rows: list[Row] = []
        for last in deque(windows_of(self, bookmark), maxlen=1):
            endpoint = replace(self.endpoint(context, last), samples={})
            rows = PageFetcher(endpoint=endpoint, window=last, needs_window=True).sample()
        return rows

    def sample_contexts(self) -> Iterable[Context | None]:
        """Yield the contexts of the first parent row that has any; None without parents."""
        if self.parent_stream_type is None:
            yield from self.contexts or (None,)
            return
        parent = t.cast("DeclaredStream", self._tap.streams_by_type[self.parent_stream_type])
        _ = parent.schema
        if parent.failure is not None:
            raise parent.failure
        for context in parent.sample_contexts():
            rows = _first_page(parent, context)
            found = ([*contexts_of(self, parent, row, context)] for row in rows)
            yield from next(filter(None, found), ())

    def sample_window(self) -> PageToken:
        """Return the filter of the first page, so that the sync can reuse the page."""
        return window_of(self, None if self.has_children else open_bookmark(self))


class ProcessedStream(DeclaredStream):
    """Base of the streams with steps of processing."""

    @property
    @override
    def key_fields(self) -> Sequence[str]:
        return sources_of(self.primary_keys, self.resource.steps)

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Row | None:
        kept: Row | None = row
        for step in self.resource.steps:
            try:
                kept = None if kept is None else step.apply(kept, context or {})
            except RowError as error:
                raise TapError(f"{self.label}: {error}") from None
        return None if kept is None else super().post_process(kept, context)


class JsonPathStream(DeclaredStream):
    """Base of the streams with a JSONPath selector."""

    @override
    def select(self, payload: t.Any) -> list[Row]:
        return select_jsonpath(payload, t.cast("str", self.resource.data_selector))


class DetectingStream(DeclaredStream):
    """Base of the streams whose list of rows is looked for in each response."""

    @override
    def select(self, payload: t.Any) -> list[Row]:
        return detect_rows(payload)


class MapStream(DeclaredStream):
    """Base of the streams whose rows are the values of a map."""

    @override
    def select(self, payload: t.Any) -> list[Row]:
        return select_map(payload, self.records_path, t.cast("str", self.resource.map_key))


def _first_page(stream: DeclaredStream, context: Context | None) -> list[Row]:
    window = stream.sample_window()
    if stream.meets_at is not None and not window:
        # All windows were read.
        return []
    fetcher = PageFetcher(
        endpoint=stream.endpoint(context, window),
        window=window,
        needs_window=stream.meets_at is not None,
    )
    return sample(fetcher, beside=bool(stream.contexts))


def declare(
    entries: Sequence[Mapping[str, t.Any]], *, reserved: Collection[str]
) -> tuple[tuple[Api, ...], list[str]]:
    """Turn `apis` entries into APIs; also return their problems, one line each."""
    parsed, problems = parse(entries, reserved=reserved)
    if problems:
        return (), problems
    try:
        return tuple(_api(declared) for declared in parsed), []
    except PluginError as error:
        return (), [str(error)]


def _api(declared: DeclaredApi) -> Api:
    classes: dict[str, type[DeclaredStream]] = {}
    for resource in declared.resources:
        try:
            classes[resource.name] = _stream_class(declared, resource, classes)
        except PluginError as error:
            where = f"apis '{declared.name}', resource '{resource.name}'"
            raise PluginError(f"{where}: `plugin` {error}") from error
    return Api(
        name=declared.name,
        title=declared.name,
        authenticate=lambda _: declared.auth,
        account=lambda _: declared.auth.account,
        streams=tuple(classes.values()),
        block=declared.settings,
    )


def _stream_class(
    declared: DeclaredApi, resource: DeclaredResource, classes: Mapping[str, type[DeclaredStream]]
) -> type[DeclaredStream]:
    plugin = load_plugin(resource.plugin, base=DeclaredStream) if resource.plugin else None
    incremental = None if resource.write_disposition == "replace" else resource.incremental
    parent = classes[resource.parents[0].resource] if resource.parents else None
    if parent is not None:
        parent.has_children = True
    body = {
        "__doc__": resource.description or f"{resource.name} of {declared.name}.",
        "api": declared.name,
        "name": resource.stream,
        "path": resource.path,
        "records_path": _records_path(resource),
        "paging": resource.paging,
        "retry": resource.retry,
        "initial_value": resource.incremental.initial_value if resource.incremental else None,
        "has_window_key": has_window_key(resource),
        "meets_at": incremental.cursor_path if incremental and is_in_windows(resource) else None,
        "incremental_dependency": resource.incremental_dependency,
        "bounds": incremental.bounds if incremental else (),
        "lag": resource.incremental.lag if resource.incremental else 0,
        "includes_final": bool(incremental and incremental.range_end == "closed"),
        "declaration": {
            **{name: getattr(resource, name) for name in _DECIDING},
            "decoder": repr(resource.decoder),
            **({} if plugin is None else {"plugin": plugin_digest(plugin)}),
        },
        "primary_keys": resource.primary_keys,
        "replication_key": incremental.column if incremental else None,
        "replication_unit": incremental.cursor_format if incremental else None,
        "parent_stream_type": parent,
        "references": dict(references(resource, classes)),
        "resource": resource,
    }
    bases = ((ProcessedStream,) if resource.steps else ()) + ((plugin,) if plugin else ())
    windowed = (WindowColumnsStream,) if has_window_columns(resource) else ()
    return type(resource.stream, (*windowed, *bases, _selecting(resource)), body)


def _records_path(resource: DeclaredResource) -> tuple[str, ...]:
    """Return the members above the rows; of a JSONPath, those that can be resolved."""
    selected = resource.data_selector or ""
    if selected == DETECTED:
        return ()
    if resource.map_key:
        selected = selected.removesuffix("*").removesuffix(".")
    members = selected.removeprefix("$").removeprefix(".").removesuffix("[*]").split(".")
    return tuple(filter(None, members))


def _selecting(resource: DeclaredResource) -> type[DeclaredStream]:
    """Return the base for the kind of selector that a resource has."""
    selector = resource.data_selector
    if selector == DETECTED:
        return DetectingStream
    if not selector or re.sub(r"[._-]", "", selector).isalnum():
        return DeclaredStream
    return MapStream if resource.map_key else JsonPathStream
