"""Reads the rows of one endpoint, page by page.

The next page is requested before the current one is processed, and predictable pages are
prefetched. Prefetching only fills a cache: the paginator, which reads responses in order, decides
which page is next, so rows are the same at any concurrency.
"""

from __future__ import annotations

import typing as t
from contextlib import closing

from tap_analytics.pagination.fetcher import scope_of
from tap_analytics.pagination.read_ahead import ReadAhead
from tap_analytics.pagination.sequence import PageSequence
from tap_analytics.pagination.strategies.strategy import StopReason

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tap_analytics.pagination.early_stop import DescendingOrder
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.pagination.row_range import ReadRange
    from tap_analytics.records.rows import Row, Rows


class PageReader(PageSequence):
    """Iterates over the pages of an endpoint: the processed rows of each.

    `early_stop` tells when rows sorted newest first have passed the bookmark. At most
    `prefetch_limit` pages are prefetched, none beyond `max_rows` rows of the list.
    """

    def __init__(
        self,
        fetcher: PageFetcher,
        *,
        early_stop: DescendingOrder | None = None,
        prefetch_limit: int | None = None,
        max_rows: int | None = None,
        within: ReadRange | None = None,
    ) -> None:
        super().__init__(fetcher, within=within)
        self.early_stop = early_stop
        #: Returns what is new of a page beside rows that were read elsewhere.
        self.sift: Callable[[FetchedPage], FetchedPage] | None = None
        #: The keys of the rows that are yielded.
        self._yielded: Sequence[Hashable] = ()
        #: Seconds the response of the current page took.
        self.elapsed = 0.0
        limit = fetcher.endpoint.connection.concurrency
        limit = limit if prefetch_limit is None else prefetch_limit
        self._ahead = ReadAhead(paginator=self.paginator, limit=limit, max_rows=max_rows)

    def __iter__(self) -> Iterator[Rows]:
        """Yield the rows of each page."""
        with closing(self.pages()) as pages:
            for fetched in pages:
                self.elapsed = fetched.elapsed
                own = fetched if self.sift is None else self.sift(fetched)
                self._yielded = self.keys if self.sift is None else own.keys
                rows = self.endpoint.process(own.rows)
                is_open = self.following is not None or self.paginator.end is StopReason.SINGLE
                if is_open and self.early_stop is not None and self.early_stop.passed(rows):
                    self.stop(StopReason.BOOKMARK)
                if self.following is not None:
                    self._ahead.request(self._fetcher, self.following, fetched)
                yield rows

    def peek(self) -> list[Row]:
        """Return the new rows of the next page before it is due; an error is raised when it is.

        They may differ from those that are read: only then is the overlap compared.
        """
        if self.following is None or self._resumed is not None:
            return []
        fetched = self._fetcher.peek(self.following)
        if fetched is None:
            return []
        if self.guard.keyed:
            known = set(self.keys)
            fetched = fetched.filter([key not in known for key in fetched.keys])
        return self.endpoint.process_copy(fetched.rows)

    @property
    def is_filtered(self) -> bool:
        """Whether requests are filtered by the bookmark."""
        return bool(self._fetcher.window)

    @property
    def key_scope(self) -> Hashable:
        """What keys are unique within, such as a parent; None for the whole stream."""
        within = self.endpoint.keys_within
        return scope_of(self.endpoint.name, within) if within else None

    @property
    def distinct_keys(self) -> Sequence[Hashable]:
        """The new keys of the current page; rows with the same content are one."""
        found = self._yielded
        return list(dict.fromkeys(found)) if self._fetcher.derives_keys else found

    @property
    def progress(self) -> tuple[int, int] | None:
        """The rows read and those of the whole list; None if unknown, as with an early stop."""
        return self.paginator.seen.progress if self.early_stop is None else None
