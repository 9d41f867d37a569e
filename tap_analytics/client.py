"""The base of every stream: the one place that meets the SDK's REST hooks.

A stream class declares an endpoint; this module makes requests of the declaration and rows of the
responses. How pages follow each other is in `walk`, what becomes of rows in `extraction`.
"""

from __future__ import annotations

import functools
import logging
import sys
import typing as t
from urllib.parse import quote

from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream, Stream
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_analytics.config.files import include_always, names_keys
from tap_analytics.pagination import PageToken, Paginator, SinglePage
from tap_analytics.pagination.completeness import PaginationError
from tap_analytics.pagination.early_stop import DescendingOrder
from tap_analytics.pagination.endpoint import Endpoint, Shown
from tap_analytics.pagination.reader import PageReader
from tap_analytics.records.bookmark import Bookmark, stored_bookmark
from tap_analytics.records.codec import BodyError, decode_json
from tap_analytics.records.parents import CoveredParents
from tap_analytics.records.payload import (
    SelectorError,
    holds_null,
    path_fault,
    raise_error,
    row_in_words,
    select_rows,
    unreadable,
)
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.request import Request

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    import requests
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.mapper import PluginMapper
    from singer_sdk.singerlib import Catalog

    from tap_analytics.pagination import PagingStrategy
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.notation import Unit
    from tap_analytics.records.payload import Row
    from tap_analytics.records.rows import DictRows, RowDecoder
    from tap_analytics.transport.connection import ApiConnection
    from tap_analytics.transport.request import Response
    from tap_analytics.transport.retry import RetryPolicy

NO_CONTENT = 204
#: Failures that `optional_streams` forgives.
FORGIVABLE = frozenset({"forbidden", "missing"})


class Host(t.Protocol):
    """What streams need of the tap they belong to."""

    @property
    def input_catalog(self) -> Catalog | None:
        """The catalog that was given, if any."""

    @property
    def mapper(self) -> PluginMapper:
        """What makes stream maps of schemas."""

    @property
    def streams_by_type(self) -> Mapping[type[Stream], Stream]:
        """The streams by their class, which is how parents are named."""

    def connection(self, name: str) -> ApiConnection:
        """Return the connection to a configured API."""

    def sync_stream(self, stream: AnalyticsStream, context: Context | None) -> None:
        """Read one stream to its end, with its children."""


class AnalyticsStream(RESTStream[PageToken]):
    """Base of all streams; a subclass declares an endpoint."""

    #: Name of the API, which is also the name of its block in the configuration.
    api: t.ClassVar[str]
    #: Members that lead from the response to its rows; none where the response is the list.
    records_path: t.ClassVar[tuple[str, ...]] = ()
    paging: t.ClassVar[PagingStrategy] = SinglePage()
    #: Query parameters taken from settings: parameter name to setting name.
    setting_params: t.ClassVar[Mapping[str, str]] = {}
    #: Notation of the replication key; None where nothing declares it.
    replication_unit: t.ClassVar[Unit | None] = None
    #: Parameters that ask for an order in which rows don't move while they are read.
    stable_order: t.ClassVar[Mapping[str, str]] = {}
    #: Parameters that ask for the most recently changed rows first, where the server can.
    newest_first: t.ClassVar[Mapping[str, str]] = {}
    #: Columns that hold keys of other streams: column, dotted where nested, to `stream.column`.
    references: t.ClassVar[Mapping[str, str]] = {}
    #: Whether the schema is one of samples, not declared.
    infers_schema: bool = False
    #: Why the stream can't be read, if its schema could not be sampled.
    failure: Exception | None = None
    #: One bookmark per stream, never one per parent.
    state_partitioning_keys: Sequence[str] | None = ()

    @classmethod
    def known_columns(cls) -> Mapping[str, t.Any]:
        """Return the schemas of the columns that are known without a request."""
        return t.cast("Mapping[str, t.Any]", t.cast("t.Any", cls).schema["properties"])

    @property
    def host(self) -> Host:
        """The tap, as far as streams know it."""
        return t.cast("Host", self._tap)

    @functools.cached_property
    def connection(self) -> ApiConnection:
        """The connection this stream shares with the other streams of its API."""
        return self.host.connection(self.api)

    @functools.cached_property
    def shown(self) -> Shown:
        """What the run has learned of the stream's paging."""
        return Shown()

    @functools.cached_property
    def samples(self) -> dict[Request, FetchedPage]:
        """The first page, if it was fetched to sample the schema, by the request it answers."""
        return {}

    @property
    def selector_hint(self) -> str:
        """What a user may do where a response holds no rows at the place they are looked for."""
        return f"Check `base_url` of {self.api}: another version or service may answer."

    @property
    def definition(self) -> Mapping[str, t.Any]:
        """What else a configuration or a catalog says about the rows."""
        return {"schema": self.effective_schema}

    @property
    def label(self) -> str:
        """The stream and its endpoint, as messages name them."""
        return f"{self.name} ({self.path})"

    @property
    def page_size(self) -> int | None:
        """Rows to ask for per page: what the paging says, else the API's page size."""
        return self.paging.limit or self.connection.page_size

    @override
    def log(self, message: str, *args: t.Any, level: int = logging.INFO, **kwargs: t.Any) -> None:
        # The SDK tells that an error has passed a stream; what it is, the command tells, once.
        if level < logging.ERROR or sys.exception() is None:
            super().log(message, *args, level=level, **kwargs)

    def forgives(self, failure: Exception | None) -> bool:
        """Whether the settings call the stream optional and the failure is one of access."""
        optional = self.connection.settings.get("optional_streams") or ()
        names = {self.name, self.name.removeprefix(f"{self.api}_")}
        cause = getattr(failure, "cause", None)
        return cause in FORGIVABLE and not names.isdisjoint(optional)

    @property
    def is_read(self) -> bool:
        """Whether a run reads the stream: for itself, or for a child."""
        return bool(self.selected or self.has_selected_descendents)

    @property
    def read_children(self) -> list[AnalyticsStream]:
        """The child streams that a run reads."""
        children = t.cast("list[AnalyticsStream]", self.child_streams)
        return [child for child in children if child.is_read]

    @property
    def promises_deletes(self) -> bool:
        """Whether a target may take rows for deleted that this stream, or one below, lacks."""
        return self.versioned or any(child.promises_deletes for child in self.read_children)

    def passes_on(self, row: Row) -> bool:
        """Whether the children of a row are read: not if a stream map leaves the row out."""
        return bool(self.stream_maps[0].get_filter_result(row) if self.selected else row)

    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the contexts in which this child stream is read for a record of its parent."""
        for each in parent.generate_child_contexts(record=record, context=context):
            for name, value in (each or {}).items():
                if fault := path_fault(value):
                    row = row_in_words(parent.name, parent.primary_keys, record)
                    raise SelectorError(
                        f"{self.label}: {row} {fault} `{name}`, which the path needs. "
                        f"{self.selector_hint}"
                    )
            if each is not None:
                yield each

    # --- catalog ----------------------------------------------------------------------------

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Take the catalog's word, and the stream's own where it has none.

        Keys and replication key can't be deselected: a run would lose what it proves itself by.
        """
        keys, replication_key = self.primary_keys, self.replication_key
        super().apply_catalog(catalog)
        entry = catalog.get_stream(self.name)
        if entry is None:
            return
        if not names_keys(entry):
            self.primary_keys = keys
        if self.replication_method == REPLICATION_INCREMENTAL and not self.replication_key:
            self.replication_key = replication_key
        # The schema is announced with the entry's keys until it changes, then with the stream's.
        entry.key_properties = tuple(self.primary_keys)
        always = [*self.primary_keys, *filter(None, [self.replication_key])]
        include_always(entry, always, columns=self.known_columns())
        self._input_schema = entry.schema.to_dict()

    # --- requests ---------------------------------------------------------------------------

    @property
    @override
    def url_base(self) -> str:
        return self.connection.base_url

    @property
    def path_values(self) -> Mapping[str, object]:
        """Values of placeholders of the path that don't come from a parent."""
        return {}

    @override
    def get_url(self, context: Context | None) -> str:
        path = self.path or ""
        for name, value in {**self.path_values, **(context or {})}.items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        return f"{self.url_base}/{path.lstrip('/')}" if path else self.url_base

    def ordering(self, *, newest: bool) -> PageToken:
        """Return the sorting to ask for: newest first where wanted and possible, else stable."""
        automatic = self.newest_first if newest else self.stable_order
        chosen = self.connection.settings.get("sort_by", ...)
        if chosen is ... or not automatic:
            return dict(automatic)
        return {} if chosen is None else dict.fromkeys(automatic, str(chosen))

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: PageToken | None
    ) -> PageToken:
        params: PageToken = {}
        if self.page_size is not None and self.paging.limit_param:
            params[self.paging.limit_param] = str(self.page_size)
        for param, name in self.setting_params.items():
            value = self.connection.settings.get(name)
            if value is not None:
                params[param] = str(value).lower() if isinstance(value, bool) else str(value)
        return {**params, **(next_page_token or {})}

    def request(self, context: Context | None, token: PageToken) -> Request:
        """Return the request of the page a token names."""
        page: PageContext[PageToken] = PageContext(stream_context=context, next_page_token=token)
        http = self.get_http_request(page=page)
        return Request(
            method=http.method,
            url=http.url,
            params=tuple(
                (name, str(item))
                for name, value in http.params.items()
                for item in (value if isinstance(value, tuple) else (value,))
            ),
            headers=tuple(http.headers.items()),
            json=None if http.data is None else ENCODER.encode(http.data),
            retry=self.retry,
            stream=self.name,
        )

    def window(self, start: t.Any, end: t.Any) -> PageToken:  # noqa: ANN401, ARG002 - values of the key; for servers that can filter
        """Return the parameters that ask for rows from `start` until before `end` only."""
        return {}

    @property
    def keeps_replication_key(self) -> bool:
        """Whether the replication key is the stream's own: a catalog may name another."""
        own: object = getattr(type(self), "replication_key", None)
        return self.replication_key == own

    def window_of(self, bookmark: Bookmark) -> PageToken:
        """Return the parameters that ask for what a bookmark wants only, where there are any."""
        bounds = bookmark.start, bookmark.end
        return self.window(*bounds) if self.keeps_replication_key else {}

    # --- pages ------------------------------------------------------------------------------

    def endpoint(self, context: Context | None) -> Endpoint:
        """Return what a reader of pages needs to know of the stream, below a parent or not."""
        own = type(self).post_process is not Stream.post_process
        return Endpoint(
            name=self.name,
            label=self.label,
            logger=self.logger,
            connection=self.connection,
            paging=self.paging,
            page_size=self.page_size,
            primary_keys=self.primary_keys,
            context=context,
            build=functools.partial(self.request, context),
            parse=self.parse,
            holds_null=self.holds_null,
            post_process=functools.partial(self.post_process, context=context) if own else None,
            shown=self.shown,
            samples=self.samples,
        )

    def open_reader(
        self,
        context: Context | None,
        *,
        bookmark: Bookmark | None = None,
        decoder: RowDecoder | None = None,
        prefetch_limit: int | None = None,
        max_rows: int | None = None,
    ) -> PageReader:
        """Return a reader of the pages, with the server's filter and order that suit a bookmark.

        `bookmark` is None for a stream whose rows are all wanted, by the run or by its children.
        """
        sorting, early_stop, window = self.ordering(newest=False), None, {}
        if bookmark is not None:
            window = self.window_of(bookmark)
            newest = self.ordering(newest=True)
            known = bookmark.stored is not None and self.keeps_replication_key
            if known and newest and newest == self.newest_first:
                sorting = newest
                early_stop = DescendingOrder(bookmark.key, bookmark)
        return PageReader(
            self.endpoint(context),
            window=window,
            sorting=sorting,
            early_stop=early_stop,
            decoder=decoder,
            prefetch_limit=prefetch_limit,
            max_rows=max_rows,
        )

    def open_bookmark(self, *, tell: Callable[[str], None] = lambda _: None) -> Bookmark | None:
        """Return the bookmark of the run from state and settings; None for full tables.

        `tell` is given what is in doubt, in sentences for the user.
        """
        key = self.replication_key
        if not self.is_incremental or not key:
            return None
        state = stored_bookmark(self.tap_state, self.name, source=self.connection.source)
        known = state if state.get("replication_key") == key else {}
        column = self.known_schema.get("properties", {}).get(key, {})
        return Bookmark(
            key=key,
            unit=self.replication_unit if self.keeps_replication_key else None,
            holds_times=column.get("format") in {"date", "date-time"},
            stored=known.get("replication_key_value"),
            parents=CoveredParents(known.get("parents")) if self.parent_stream_type else None,
            initial=self.initial_value,
            start_date=self.config.get("start_date"),
            end_date=self.config.get("end_date"),
            lookback=self.config.get("lookback_seconds", 0),
            tell=tell,
        )

    # --- responses --------------------------------------------------------------------------

    @override
    def get_new_paginator(self) -> Paginator:
        return Paginator(self.paging)

    def decode(self, response: Response) -> t.Any:  # noqa: ANN401 - any JSON value
        """Decode a body; raises `Retriable` for one that is not JSON."""
        if response.status == NO_CONTENT:
            return None
        try:
            return decode_json(response.body)
        except BodyError as error:
            raise unreadable(response, str(error), label=self.label, api=self.api) from None

    def rows_of(self, payload: t.Any, response: Response) -> list[Row]:  # noqa: ANN401 - any JSON value
        """Return the rows of a decoded response; raises the error it carries, if any."""
        if response.status == NO_CONTENT:
            return []
        try:
            rows = self.select(payload)
        except Exception:
            raise_error(payload, has_rows=False, label=self.label)
            raise
        raise_error(payload, has_rows=bool(rows), label=self.label)
        return rows

    def parse(self, response: Response) -> tuple[t.Any, list[Row]]:
        """Return the decoded body of a response and its rows; raises the error it carries."""
        try:
            payload = self.decode(response)
            return payload, self.rows_of(payload, response)
        except SelectorError as error:
            raise PaginationError(f"{self.label}: {error} {self.selector_hint}") from None

    @property
    def plain_path(self) -> tuple[str, ...] | None:
        """The members that lead to the rows, where nothing but following them selects rows."""
        is_plain = type(self).select is AnalyticsStream.select
        return self.records_path if is_plain and len(self.records_path) <= 1 else None

    def select(self, payload: t.Any) -> list[Row]:  # noqa: ANN401 - any JSON value
        """Return the rows of a response; raises `SelectorError` where it has none to select."""
        return select_rows(payload, self.records_path)

    def holds_null(self, payload: t.Any, response: Response) -> bool:  # noqa: ANN401 - any JSON value
        """Whether null stands where a response without rows should have a list of them."""
        return response.status != NO_CONTENT and holds_null(payload, self.null_path)

    @property
    def null_path(self) -> tuple[str, ...]:
        """The members that lead to the list of rows, as far as they can be followed."""
        return self.records_path

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Row]:
        return self.select(decode_json(response.content))

    @override
    def request_records(self, context: Context | None) -> Iterator[Row]:
        for rows in PageReader(self.endpoint(context)):
            yield from t.cast("DictRows", rows).dicts

    @property
    def retry(self) -> RetryPolicy | None:
        """The stream's own retry policy, in place of its API's."""
        return None

    @property
    def initial_value(self) -> t.Any:  # noqa: ANN401 - a value of the replication key
        """The replication value to begin with where there is neither bookmark nor start date."""
        return None

    @property
    def is_incremental(self) -> bool:
        """Whether a run reads what changed since the last one."""
        return self.replication_method == REPLICATION_INCREMENTAL and bool(self.replication_key)

    @property
    def known_schema(self) -> Mapping[str, t.Any]:
        """The schema as far as it is known without a request."""
        return self.effective_schema

    def extend_schema(self, properties: Mapping[str, t.Any]) -> None:
        """Add fields to the schema in force; stream maps are built anew for them."""
        schema = {**self.effective_schema}
        schema["properties"] = {**schema["properties"], **properties}
        self._input_schema = schema
        self._mask = None
        selected = get_selected_schema(self.name, schema, self.mask)
        self.host.mapper.register_raw_stream_schema(self.name, selected, self.primary_keys)
        self._stream_maps = None

    # --- runs -------------------------------------------------------------------------------

    @property
    def versioned(self) -> bool:
        """Whether the stream's rows carry a version, so that a target can tell deleted ones."""
        return (
            self.replication_method == REPLICATION_FULL_TABLE
            and self.emit_activate_version_messages
        )

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Row, t.Any, t.Any]:
        """Run the stream with its children; pages are written whole, so no row is yielded."""
        self.host.sync_stream(self, context)
        yield from ()

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        for _ in self._sync_records(context):
            pass

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Leave it to the end of the extraction: only proof of the whole permits deletes."""
