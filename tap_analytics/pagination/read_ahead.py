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
    """How many pages to prefetch.

    Without a total the number doubles from page to page while pages are full, so that a short
    stream costs few unneeded requests.
    """

    paginator: Paginator
    limit: int
    max_rows: int | None
    _width: int = 1

    def request(self, fetcher: PageFetcher, token: PageToken, fetched: FetchedPage) -> None:
        """Request the page after `fetched`, and those predicted behind it."""
        if fetched.elapsed <= HANDOFF or fetcher.endpoint.connection.concurrency == 1:
            return
        seen, page = self.paginator.seen, fetched.page
        widest = self._widest(fetcher, page)
        if widest < 1:
            return
        full = page.size > 0 and (seen.page_size is None or page.received >= seen.page_size)
        grown = min(self._width * 2, widest) if full else 1
        self._width = widest if seen.total is not None else grown
        predicted = self.paginator.paging.predict(token, page, seen)
        for each in (token, *islice(predicted, self._width - 1)):
            fetcher.prefetch(each)

    def _widest(self, fetcher: PageFetcher, page: Page) -> int:
        widest = 1 if fetcher.endpoint.connection.budget_low else self.limit
        if self.max_rows is None:
            return widest
        lacking = max(0, self.max_rows - self.paginator.seen.rows)
        return min(widest, -(-lacking // max(1, page.size)))
