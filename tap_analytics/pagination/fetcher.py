"""The pages of one endpoint by token: asked for, read ahead or not, decoded where they arrive.

A page is decoded once, in the thread that fetched it, so whoever takes it finds rows and keys.
"""

from __future__ import annotations

import functools
import typing as t

from tap_analytics.errors import TapError
from tap_analytics.pagination.completeness import describe
from tap_analytics.pagination.page import FetchedPage, Page
from tap_analytics.records.payload import raise_error
from tap_analytics.records.rows import DictRows, UnusableKeyError

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_analytics.pagination.endpoint import Endpoint
    from tap_analytics.pagination.page import PageToken
    from tap_analytics.records.rows import RowDecoder, Rows
    from tap_analytics.transport.request import Request, Response


class MissingKeyError(TapError):
    """A row that its primary key doesn't identify, which no target could place."""


class PageFetcher:
    """Takes the pages of an endpoint, in one context, by their tokens."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        first: PageToken,
        window: PageToken | None = None,
        sorting: PageToken | None = None,
        codec: RowDecoder | None = None,
    ) -> None:
        self.endpoint = endpoint
        #: Token of the page that teaches the codec in what order the API names fields.
        self.first = first
        #: Parameters of the server's own filter.
        self.window = window or {}
        self.sorting = sorting or {}
        #: Decodes pages without building their rows, for streams that pass rows on as they are.
        self.codec = codec
        #: Whether rows are only a sample, which may show first what their key is.
        self.is_sample = False
        #: Whether rows are told apart by their content, for lack of the key they get later.
        self.derives_keys = False
        self.owner: tuple[Hashable, ...] = (endpoint.name, *(endpoint.context or {}).values())
        self._lookahead = endpoint.connection.lookahead

    def unfiltered(self) -> PageFetcher:
        """Return the pages of the same list without the server's own filter."""
        return PageFetcher(self.endpoint, first=self.first, sorting=self.sorting)

    def request(self, query: PageToken) -> Request:
        """Return the request of a page."""
        return self.endpoint.build({**self.sorting, **self.window, **query})

    def prefetch(self, query: PageToken) -> bool:
        """Ask for a page without waiting for it; False if there is no room for it now."""
        return self._lookahead.prefetch(*self._job(query))

    def fetch(self, query: PageToken) -> FetchedPage:
        """Return the page that is needed now; raises what the transport raises."""
        fetched = self._take(query)
        if not self.is_sample:
            fetched.keys = self._identities(fetched)
        return fetched

    def _take(self, query: PageToken) -> FetchedPage:
        owner, request, decode = self._job(query)
        # A walk takes it once: asked for again, the page may have changed.
        sampled = self.endpoint.samples.pop(request, None)
        if sampled is not None:
            if self.codec is not None and query == self.first:
                self.codec.learn(t.cast("DictRows", sampled.rows).dicts)
            return sampled
        return t.cast("FetchedPage", self._lookahead.fetch(owner, request, decode))

    def _identities(self, fetched: FetchedPage) -> Sequence[Hashable]:
        """Return what identifies the rows of a page, before anything is taken out of them."""
        names, rows = self.endpoint.primary_keys, fetched.rows
        if not names:
            return t.cast("DictRows", rows).identities()
        try:
            return rows.keys(names, self.endpoint.context)
        except UnusableKeyError as error:
            if self.endpoint.post_process is not None:
                # The key is derived from the row later: rows that are alike are one.
                self.derives_keys = True
                return t.cast("DictRows", rows).digests()
            place = f"row {error.row} of {describe(fetched.page.query)}"
            raise MissingKeyError(
                f"{self.endpoint.label}: {place} {error}. "
                "Check `path`, `data_selector` and `primary_key`."
            ) from None

    def discard(self) -> None:
        """Forget the pages that were read ahead."""
        self._lookahead.discard(self.owner)

    def _job(self, query: PageToken) -> tuple[t.Any, Request, t.Callable[[Response], FetchedPage]]:
        request = self.request(query)
        return (self.owner, request), request, functools.partial(self._decode, query)

    def _decode(self, query: PageToken, response: Response) -> FetchedPage:
        payload, rows = self._read(query, response)
        return FetchedPage(
            page=Page(
                query=query,
                payload=payload,
                headers=response.headers,
                size=len(rows),
                received=len(rows),
                url=response.url,
                status=response.status,
                is_null=not rows and self.endpoint.holds_null(payload, response),
            ),
            rows=rows,
            elapsed=response.elapsed,
        )

    def _read(self, query: PageToken, response: Response) -> tuple[t.Any, Rows]:
        """Return the envelope and the rows of a response."""
        endpoint, codec = self.endpoint, self.codec
        endpoint.connection.sync_clock(response.headers.get("Date"), elapsed=response.elapsed)
        is_first = query == self.first
        if codec is not None and not is_first and (fast := codec.decode(response.body)):
            envelope, structs = fast
            raise_error(envelope, has_rows=len(structs) > 0, label=endpoint.label)
            return envelope, structs
        payload, rows = endpoint.parse(response)
        if codec is not None and is_first:
            codec.learn(rows)
        # Where the response is the row, its members don't speak of paging.
        return None if rows and rows[0] is payload else payload, DictRows(rows)
