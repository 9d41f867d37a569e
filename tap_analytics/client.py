"""The base class of all streams, with the hooks of the SDK's REST streams.

A stream class declares an endpoint; this module builds its requests and parses its responses.
Pagination is in `pagination`, the scope of a run in `streams.scope`, writing in `sync`.
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
from tap_analytics.pagination import PageToken, PagingFacts, SinglePage
from tap_analytics.pagination.endpoint import Endpoint
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.pagination.reader import PageReader
from tap_analytics.pagination.response import ResponseParser
from tap_analytics.records.payload import check_path_value, select_rows
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.request import Request

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.mapper import PluginMapper
    from singer_sdk.singerlib import Catalog

    from tap_analytics.pagination import PagingStrategy
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.notation import Unit
    from tap_analytics.records.payload import Row
    from tap_analytics.records.rows import DictRows
    from tap_analytics.transport.connection import ApiConnection
    from tap_analytics.transport.retry import RetryPolicy


class Host(t.Protocol):
    """The attributes of the tap that streams use."""

    #: The catalog that was given, if any.
    input_catalog: Catalog | None
    mapper: PluginMapper
    #: Streams by their class, which is how parents are named.
    streams_by_type: Mapping[type[Stream], Stream]
    #: Connections to the configured APIs, by name.
    connections: Mapping[str, ApiConnection]

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
    #: Whether the schema is one of samples, not declared, and whether this run has sampled it.
    infers_schema: bool = False
    is_sampled: bool = False
    #: Why the stream can't be read, if its schema could not be sampled.
    failure: Exception | None = None
    #: One bookmark per stream, never one per parent.
    state_partitioning_keys: Sequence[str] | None = ()
    #: The stream's own retry policy, in place of its API's.
    retry: t.ClassVar[RetryPolicy | None] = None
    #: The replication value to begin with where there is neither bookmark nor start date.
    initial_value: t.ClassVar[t.Any] = None
    #: What a configuration says about the rows beside their schema.
    declaration: t.ClassVar[Mapping[str, t.Any]] = {}
    #: What a user may do where a response holds no rows at the place they are looked for.
    selector_hint: t.ClassVar[str] = (
        "Check `base_url` of {api}: another version or service may answer."
    )
    _tap: Host  # type: ignore[assignment]  # all that streams may see of it

    @override
    def __init__(self, tap: Tap, **kwargs: t.Any) -> None:
        #: What the run has learned of the stream's paging.
        self.paging_facts = PagingFacts()
        #: The first page, if it was fetched to sample the schema, by the request it answers.
        self.samples: dict[Request, FetchedPage] = {}
        super().__init__(tap, **kwargs)

    @classmethod
    def known_columns(cls) -> Mapping[str, t.Any]:
        """Return the schemas of the columns that are known without a request."""
        return t.cast("Mapping[str, t.Any]", t.cast("t.Any", cls).schema["properties"])

    @functools.cached_property
    def connection(self) -> ApiConnection:
        """The connection this stream shares with the other streams of its API."""
        return self._tap.connections[self.api]

    @property
    def label(self) -> str:
        """The stream and its endpoint, as messages name them."""
        return f"{self.name} ({self.path})"

    @functools.cached_property
    def parser(self) -> ResponseParser:
        """What makes rows of the stream's responses."""
        return ResponseParser(
            label=self.label,
            api=self.api,
            select=self.select,
            path=self.records_path,
            hint=self.selector_hint.format(api=self.api),
        )

    @property
    def page_size(self) -> int | None:
        """Rows to request per page: the limit of the paginator, else the page size of the API."""
        return self.paging.limit or self.connection.page_size

    @override
    def log(self, message: str, *args: t.Any, level: int = logging.INFO, **kwargs: t.Any) -> None:
        # The SDK tells that an error has passed a stream; what it is, the command tells, once.
        if level < logging.ERROR or sys.exception() is None:
            super().log(message, *args, level=level, **kwargs)

    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the contexts in which this child stream is read for a record of its parent."""
        for each in parent.generate_child_contexts(record=record, context=context):
            for name, value in (each or {}).items():
                needed = f"`{name}`, which the path needs. {self.parser.hint}"
                check_path_value(value, needed, child=self.label, parent=parent, row=record)
            if each is not None:
                yield each

    # --- catalog ----------------------------------------------------------------------------

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog; keys missing there are those of the stream.

        Primary and replication keys can't be deselected, because a run needs them for verification.
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

    def _build(self, context: Context | None, token: PageToken) -> Request:
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
        """Return the parameters that filter rows from `start`, inclusive, to `end`, exclusive."""
        return {}

    def endpoint(self, context: Context | None) -> Endpoint:
        """Return the endpoint of the stream, for a parent's context if it has one."""
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
            has_body=self.prepare_request_payload(context, None) is not None,
            build=functools.partial(self._build, context),
            parse=self.parser.parse,
            holds_null=self.parser.holds_null,
            post_process=functools.partial(self.post_process, context=context) if own else None,
            facts=self.paging_facts,
            samples=self.samples,
        )

    def select(self, payload: t.Any) -> list[Row]:  # noqa: ANN401 - any JSON value
        """Return the rows of a response; raises `SelectorError` where it has none to select."""
        return select_rows(payload, self.records_path)

    @override
    def request_records(self, context: Context | None) -> Iterator[Row]:
        for rows in PageReader(PageFetcher(endpoint=self.endpoint(context))):
            yield from t.cast("DictRows", rows).dicts

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
        self._tap.mapper.register_raw_stream_schema(self.name, selected, self.primary_keys)
        self._stream_maps = None

    @property
    def versioned(self) -> bool:
        """Whether rows have a version, so that a target can detect deleted ones."""
        is_full = self.replication_method == REPLICATION_FULL_TABLE
        return is_full and self.emit_activate_version_messages

    # --- the SDK's runs ---------------------------------------------------------------------

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Row, t.Any, t.Any]:
        # Pages are written whole, so no row is yielded.
        self._tap.sync_stream(self, context)
        yield from ()

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        self._tap.sync_stream(self, context)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Leave it to the end of the sync: only proof of the whole permits deletes."""
