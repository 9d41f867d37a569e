"""The base class of all streams.

A stream class declares an endpoint; this module builds its requests and parses its responses.
Pagination is in `pagination`, the scope of a run in `streams.scope`, writing in `sync`.
"""

from __future__ import annotations

import functools
import typing as t
from urllib.parse import quote

from singer_sdk.streams import Stream
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_analytics.client.catalog import CatalogStream
from tap_analytics.pagination import PageToken, PagingFacts, SinglePage
from tap_analytics.pagination.endpoint import Endpoint
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.pagination.reader import PageReader
from tap_analytics.pagination.response import ResponseParser
from tap_analytics.records.payload import check_path_value, select_rows
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.request import Request

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PagingStrategy
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.payload import Row
    from tap_analytics.records.rows import DictRows
    from tap_analytics.transport.connection import ApiConnection
    from tap_analytics.transport.retry import RetryPolicy


class AnalyticsStream(CatalogStream):
    """Base of all streams; a subclass declares an endpoint."""

    #: Name of the API, which is also the name of its block in the configuration.
    api: t.ClassVar[str]
    #: Members that lead from the response to its rows; none where the response is the list.
    records_path: t.ClassVar[tuple[str, ...]] = ()
    paging: t.ClassVar[PagingStrategy] = SinglePage()
    #: Query parameters taken from settings: parameter name to setting name.
    setting_params: t.ClassVar[Mapping[str, str]] = {}
    #: Parameters that ask for an order in which rows don't move while they are read.
    stable_order: t.ClassVar[Mapping[str, str]] = {}
    #: Parameters that ask for the most recently changed rows first, where the server can.
    newest_first: t.ClassVar[Mapping[str, str]] = {}
    #: The stream's own retry policy, in place of its API's.
    retry: t.ClassVar[RetryPolicy | None] = None
    #: Whether children are read only of parents that have changed since the bookmark, because the
    #: time of change of a parent is also that of its children.
    incremental_dependency: t.ClassVar[bool] = False
    #: What a user may do where a response holds no rows at the place they are looked for.
    selector_hint: t.ClassVar[str] = (
        "Check `base_url` of {api}: another version or service may answer."
    )

    @override
    def __init__(self, tap: Tap, **kwargs: t.Any) -> None:
        #: What the run has learned of the stream's paging.
        self.paging_facts = PagingFacts()
        #: The first page, if it was fetched to sample the schema, by the request it answers.
        self.samples: dict[Request, FetchedPage] = {}
        super().__init__(tap, **kwargs)

    @functools.cached_property
    def connection(self) -> ApiConnection:
        """The connection this stream shares with the other streams of its API."""
        return self._tap.connections[self.api]

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

    @property
    def key_fields(self) -> Sequence[str]:
        """The fields of a row as it was sent that make its primary key, dotted where nested."""
        return self.primary_keys

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

    def parent_columns(self, context: Context | None) -> Mapping[str, t.Any]:
        """Return the values of a parent's context that become columns of rows that lack them."""
        return context or {}

    def passes(self, *, whole: bool) -> Iterable[Context]:  # noqa: ARG002 - for rows that the list hides
        """Yield the contexts in which a root stream is read once more, for rows that it hides.

        `whole`: the first list was read without a bookmark.
        """
        return ()

    def is_whole(self, context: Context | None) -> bool:
        """Whether a list is read whole in each run, whatever the bookmark: so are passes."""
        return context is not None and not self.is_divided

    def is_answered(self, context: Context, rows: Sequence[Row]) -> bool:  # noqa: ARG002 - for streams with passes
        """Whether the first rows of a pass are what was asked for."""
        return True

    def keys_within(self, context: Context | None) -> Sequence[object]:
        """Return the values of a context within which keys are unique; none for the whole stream.

        Those of passes and parents do, for a parent may have rows of the same key.
        """
        return [*(context or {}).values()]

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

    def build_request(self, context: Context | None, token: PageToken) -> Request:
        """Return the request of the page that a token names, for a parent's context."""
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
            body=None if http.data is None else ENCODER.encode(http.data),
            retry=self.retry,
            stream=self.name,
        )

    def window(self, start: t.Any, end: t.Any) -> PageToken:  # noqa: ANN401, ARG002 - values of the key; for servers that can filter
        """Return the parameters that filter rows from `start`, inclusive, to `end`, exclusive."""
        return {}

    def endpoint(self, context: Context | None, window: PageToken | None = None) -> Endpoint:  # noqa: ARG002 - for rows with columns of their window
        """Return the endpoint of the stream, for a parent's context and a window if it has them."""
        own = type(self).post_process is not Stream.post_process
        return Endpoint(
            name=self.name,
            label=self.label,
            logger=self.logger,
            connection=self.connection,
            paging=self.paging,
            page_size=self.page_size,
            primary_keys=self.key_fields,
            context=context,
            columns=self.parent_columns(context),
            keys_within=self.keys_within(context),
            bounds=self.bounds,
            has_body=self.prepare_request_payload(context, None) is not None,
            build=functools.partial(self.build_request, context),
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
