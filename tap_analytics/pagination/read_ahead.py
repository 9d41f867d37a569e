"""Prefetches the pages after the current one, as far as they can be predicted."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from itertools import islice

if t.TYPE_CHECKING:
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage, Page, PageToken
    from tap_analytics.pagination.paginator import Paginator

#: Seconds of a response from which prefetching saves more time than it costs to pass a page from
#: thread to thread.
HANDOFF = 0.003


@dataclass(kw_only=True)
class ReadAhead:
    """Prefetches pages before they are due.

    Without a total their number doubles from page to page while pages are full, so that a short
    stream costs few unneeded requests. After a response has named another page than the predicted
    one, none is predicted for the stream.
    """

    paginator: Paginator
    limit: int
    max_rows: int | None
    _width: int = 1
    #: The token of the next page, and the one predicted to follow.
    _expected: tuple[PageToken, PageToken] | None = None

    def request(self, fetcher: PageFetcher, token: PageToken, fetched: FetchedPage) -> None:
        """Request the page after `fetched`, and those predicted after it."""
        if fetched.elapsed <= HANDOFF or fetcher.endpoint.connection.concurrency == 1:
            return
        page = fetched.page
        if self._is_mispredicted(token, page):
            self.paginator.learn(mispredicted=True)
            fetcher.discard()
        widest = self._widest(fetcher, page)
        if widest < 1:
            return
        self._width = self._next_width(page, widest)
        predicted = [*islice(self.paginator.predict(token), max(1, self._width - 1))]
        self._expected = (token, predicted[0]) if predicted else None
        for each in (token, *predicted[: self._width - 1]):
            fetcher.prefetch(each)

    def _is_mispredicted(self, token: PageToken, page: Page) -> bool:
        expected, self._expected = self._expected, None
        if expected is None or expected[0] != page.query or self.paginator.confirming is not None:
            return False
        return self.paginator.facts.names_next and expected[1] != token

    def _next_width(self, page: Page, widest: int) -> int:
        seen = self.paginator.seen
        if seen.total is not None:
            return widest
        full = page.size > 0 and (seen.page_size is None or page.received >= seen.page_size)
        return min(self._width * 2, widest) if full else 1

    def _widest(self, fetcher: PageFetcher, page: Page) -> int:
        widest = 1 if fetcher.endpoint.connection.budget_low else self.limit
        if self.max_rows is None:
            return widest
        lacking = max(0, self.max_rows - self.paginator.seen.rows)
        return min(widest, -(-lacking // max(1, page.size)))
