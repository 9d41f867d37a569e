"""Fetches and decodes the pages of one endpoint by token, with or without prefetching.

A page is decoded once, in the thread that fetched it.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from tap_analytics.pagination.page import LINK_PATH, FetchedPage, Page, describe
from tap_analytics.pagination.strategies.metadata import guessed_roots, metadata_of_row
from tap_analytics.records.payload import raise_error
from tap_analytics.records.rows import DictRows, MissingKeyError, UnusableKeyError
from tap_analytics.transport.errors import Cancelled, Ignored, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_analytics.pagination.endpoint import Endpoint
    from tap_analytics.pagination.page import PageToken
    from tap_analytics.records.rows import Row, RowDecoder, Rows
    from tap_analytics.transport.request import Request, Response


def scope_of(name: str, values: Iterable[t.Any]) -> tuple[Hashable, ...]:
    """Return the name of a stream with the values of a context."""
    # A field of the parent's row may be a list or an object.
    return (name, *(each if isinstance(each, Hashable) else repr(each) for each in values))


@dataclass(kw_only=True)
class PageFetcher:
    """Fetches the pages of an endpoint by their tokens.

    The parameters of `window`, the server's own filter, are dropped with a warning where the server
    refuses them with the first page.
    """

    endpoint: Endpoint
    window: PageToken = field(default_factory=dict)
    #: Whether the rows of another window would come without it.
    needs_window: bool = False
    sorting: PageToken = field(default_factory=dict)
    #: Decodes rows to structs, for streams whose rows nothing looks into.
    decoder: RowDecoder | None = None
    #: Token of the first page, from which the decoder learns the order of the fields.
    first: PageToken = field(default_factory=dict)
    #: Whether a page was received, so that the server accepts the filter.
    has_begun: bool = False
    #: Whether rows are identified by their content, because `post_process` makes their key.
    derives_keys: bool = field(init=False, default=False)
    scope: tuple[Hashable, ...] = field(init=False)
    #: The next page, if it was fetched before it is due, or the error that was raised instead.
    _early: tuple[PageToken, FetchedPage | Exception] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.first = self.first or self.endpoint.paging.start()
        known = (*(self.endpoint.context or {}).values(), *self.window.values())
        self.scope = scope_of(self.endpoint.name, known)
        self._prefetcher = self.endpoint.connection.prefetcher

    def request(self, token: PageToken) -> Request:
        """Return the request of a page."""
        values = {**self.sorting, **self.window, **token}
        path = values.pop(LINK_PATH, None)
        request = self.endpoint.build(values)
        return request if path is None else replace(request, url=urljoin(request.url, str(path)))

    def prefetch(self, token: PageToken) -> bool:
        """Request a page without waiting for it; False if there is no room."""
        job = self._job(token)
        return job[1] in self.endpoint.samples or self._prefetcher.prefetch(*job)

    def fetch(self, token: PageToken) -> FetchedPage:
        """Return a page.

        Raises the transport's errors, `PaginationError` and `MissingKeyError`.
        """
        early, self._early = self._early, None
        if early is None or early[0] != token:
            return self._identified(self._take(token))
        if isinstance(early[1], Exception):
            raise early[1]
        return early[1]

    def peek(self, token: PageToken) -> FetchedPage | None:
        """Return the next page before it is due; None after an error, which `fetch` raises."""
        if self._early is None:
            try:
                self.keep(token, self._identified(self._take(token)))
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - raised by `fetch`
                self.keep(token, error)
        early = self._early and self._early[1]
        return None if isinstance(early, Exception) else early

    def keep(self, token: PageToken, fetched: FetchedPage | Exception) -> None:
        """Keep a page for the next `fetch`."""
        self._early = token, fetched

    def sample(self, *, beside: bool = False) -> list[Row]:
        """Return the rows of the first page, which the next reader doesn't request again.

        It takes the place of other samples, unless it is kept `beside` them. Empty if its response
        is ignored, of which the reader takes note.
        """
        try:
            # It may be a sample that was taken before.
            fetched: FetchedPage | None = self._take(self.first)
        except Ignored:
            fetched = None
        if not beside:
            self.endpoint.samples.clear()
        if fetched is None:
            return []
        self.endpoint.samples[self.request(self.first)] = fetched
        return self.endpoint.process_copy(fetched.rows)

    def discard(self) -> None:
        """Discard prefetched pages."""
        self._prefetcher.discard(self.scope)

    def _take(self, token: PageToken) -> FetchedPage:
        try:
            fetched = self._received(token)
        except Rejected as error:
            if self.has_begun or error.status not in {400, 422}:
                raise
            if not self.window or self.needs_window:
                raise self._refused(error) from None
            self.endpoint.logger.warning(
                "The server refuses the filter %s; reading without it.", ", ".join(self.window)
            )
            self.window = {}
            try:
                fetched = self._received(token)
            except Rejected:
                # It may insist on a filter: what it says to one is of more use.
                raise self._refused(error) from None
        self.has_begun = True
        return fetched

    def _refused(self, error: Rejected) -> Rejected:
        """Return an error that names what the range of the request lacks, or may have wrong."""
        lacking = [f"`{name}`" for name in self.endpoint.bounds if name not in self.window]
        if self.needs_window:
            hint = "Check `step`, `granularity` and `convert` of `incremental`."
        elif lacking:
            hint = (
                f"{' and '.join(lacking)} was not sent: the API may insist on it. Set `end_value`, "
                "which may be `now`, `initial_value` or `step` of `incremental`."
            )
        else:
            return error
        return Rejected(error.what, hint=hint, status=error.status)

    def _received(self, token: PageToken) -> FetchedPage:
        key, request, decode = self._job(token)
        # A sample is used once: the page may change later.
        sampled = self.endpoint.samples.pop(request, None)
        if sampled is None:
            return t.cast("FetchedPage", self._prefetcher.fetch(key, request, decode))
        if self.decoder is not None and token == self.first:
            self._learn(t.cast("DictRows", sampled.rows).dicts, sampled.page.payload)
        return sampled

    def _learn(self, rows: Sequence[Row], payload: object) -> None:
        if self.decoder is not None:
            self.decoder.learn(rows, members=guessed_roots(payload))

    def _identified(self, fetched: FetchedPage) -> FetchedPage:
        """Set what identifies the rows, before `post_process` changes them."""
        names, rows = self.endpoint.primary_keys, fetched.rows
        if not names:
            fetched.keys = t.cast("DictRows", rows).identities()
            return fetched
        try:
            fetched.keys = rows.keys(names, self.endpoint.columns)
        except UnusableKeyError as error:
            if self.endpoint.post_process is None:
                page = describe(fetched.page.query)
                raise MissingKeyError(self.endpoint.label, page, error) from None
            # `post_process` makes the key: rows with the same content are one row.
            self.derives_keys = True
            fetched.keys = t.cast("DictRows", rows).digests()
        return fetched

    def _job(self, token: PageToken) -> tuple[t.Any, Request, t.Callable[[Response], FetchedPage]]:
        request = self.request(token)
        return (self.scope, request), request, functools.partial(self._decode, token)

    def _decode(self, token: PageToken, response: Response) -> FetchedPage:
        payload, rows = self._read(token, response)
        return FetchedPage(
            page=Page(
                query=token,
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

    def _read(self, token: PageToken, response: Response) -> tuple[t.Any, Rows]:
        endpoint, decoder = self.endpoint, self.decoder
        endpoint.connection.sync_clock(response.headers.get("Date"), elapsed=response.elapsed)
        is_first = token == self.first
        fast = None if decoder is None or is_first else decoder.decode(response.body)
        # All members of a page without rows count, not only those that paging needs.
        if fast is not None and len(fast[1]):
            envelope, structs = fast
            raise_error(envelope, has_rows=True, label=endpoint.label)
            return envelope, structs
        payload, rows = endpoint.parse(response)
        if is_first:
            self._learn(rows, payload)
        # If the body itself is the row, its members aren't paging metadata unless it is declared.
        is_row = bool(rows) and rows[0] is payload
        return metadata_of_row(endpoint.paging, payload) if is_row else payload, DictRows(rows)
