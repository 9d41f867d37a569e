"""Reads and verifies the pages of one endpoint in order.

The next page is requested before the current one is processed, and predictable pages are
prefetched. Prefetching only fills a cache: the paginator, which reads responses in order, decides
which page is next, so rows are the same at any concurrency.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from itertools import chain, islice

from tap_analytics.pagination.completeness import PaginationError, PaginationGuard
from tap_analytics.pagination.end_check import EndCheck
from tap_analytics.pagination.overlap import DirectReader, OverlapReader
from tap_analytics.pagination.paginator import Paginator
from tap_analytics.pagination.rescan import Rescan, fingerprint
from tap_analytics.pagination.row_fetcher import RowFetcher
from tap_analytics.pagination.strategies.auto import Auto
from tap_analytics.pagination.strategies.numbered import Offset
from tap_analytics.pagination.strategies.strategy import StopReason
from tap_analytics.records.digests import digest_of
from tap_analytics.records.rows import DictRows, StructRows
from tap_analytics.transport.errors import TransportError
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tap_analytics.pagination.completeness import Finding
    from tap_analytics.pagination.early_stop import DescendingOrder
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage, Page, PageToken
    from tap_analytics.pagination.position import Checkpoint
    from tap_analytics.records.rows import Row, Rows

#: Seconds a response takes at least for a page to be worth another thread: waiting is all that
#: reading ahead saves, and to hand a page over takes time as well.
HANDOFF = 0.003
#: Failures that stop the API as a whole, not only a page by a token that has expired.
_LASTING = frozenset({"credentials", "forbidden", "unreachable"})


class PageReader:
    """Iterates over the pages of an endpoint: a list of processed rows for each.

    `early_stop` says when rows that come newest first have passed the bookmark. At most
    `prefetch_limit` pages are read ahead, none beyond `max_rows` rows. Raises `PaginationError` and
    the transport's errors.
    """

    def __init__(
        self,
        fetcher: PageFetcher,
        *,
        early_stop: DescendingOrder | None = None,
        prefetch_limit: int | None = None,
        max_rows: int | None = None,
    ) -> None:
        self.endpoint = endpoint = fetcher.endpoint
        self.early_stop = early_stop
        self.paginator = Paginator(endpoint.paging, endpoint.page_size, endpoint.facts)
        self.guard = PaginationGuard(
            paginator=self.paginator,
            label=endpoint.label,
            keyed=bool(endpoint.primary_keys),
            has_body=endpoint.has_body,
        )
        #: The new keys of the page in hand, and the key of its last row.
        self.keys: Sequence[Hashable] = ()
        self.last_key: Hashable = None
        #: Seconds its response took.
        self.elapsed = 0.0
        self._following: PageToken | None = None
        self._resumed: FetchedPage | None = None
        limit = endpoint.connection.concurrency if prefetch_limit is None else prefetch_limit
        self._ahead = ReadAhead(paginator=self.paginator, limit=limit, max_rows=max_rows)
        self._open(fetcher)

    def _open(self, fetcher: PageFetcher) -> None:
        """Read from a fetcher, with overlap where pages go by row number and rows have keys."""
        self._fetcher, paging = fetcher, self.endpoint.paging
        self._source = DirectReader(fetcher=fetcher)
        if self.guard.keyed and isinstance(paging, Offset):
            rows = RowFetcher(fetcher=fetcher, guard=self.guard, param=paging.offset_param)
            self._source = OverlapReader(fetcher=fetcher, rows=rows)
        self._end_check = EndCheck(source=self._source, guard=self.guard)
        self._rescan = Rescan(fetcher=fetcher, guard=self.guard)

    # --- pages ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Rows]:
        """Yield the rows of each page."""
        token: PageToken | None = self.paginator.token
        try:
            while token is not None:
                self.guard.check_token(token)
                fetched = self._take(token)
                if fetched is None:
                    token = self._end_check.another()
                    continue
                self.keys, self.elapsed = fetched.keys, fetched.elapsed
                self.last_key = fetched.keys[-1] if fetched.keys else self.last_key
                token = self._advance(fetched)
                rows = self._process(fetched.rows)
                is_open = token is not None or self.paginator.end is StopReason.SINGLE
                if is_open and self.early_stop is not None and self.early_stop.passed(rows):
                    self.paginator.stop(StopReason.BOOKMARK)
                    token = None
                if token is not None and fetched.elapsed > HANDOFF:
                    self._ahead.request(self._fetcher, token, fetched.page)
                self._following = token
                yield rows
                if token is None:
                    token = self._end_check.after(fetched)
        finally:
            self._fetcher.discard()

    def _take(self, token: PageToken) -> FetchedPage | None:
        """Return what is new of the page that comes next; None for one that only ends the list."""
        if self._resumed is not None:
            fetched, self._resumed = self._resumed, None
            return fetched
        if self.paginator.confirming is not None and self._end_check.is_end(token, self.keys):
            return None
        return self._source.read(token)

    def _advance(self, fetched: FetchedPage) -> PageToken | None:
        """Check a page and return the token of the next one, or None at the end."""
        mark = fingerprint(fetched.keys)
        if not self.guard.check_page(fetched.page, mark):
            fetched.page.size, fetched.rows, self.keys = 0, DictRows([]), ()
        token = self.paginator.get_next(fetched.page)
        if fetched.page.size == fetched.page.received > 0:
            self._rescan.remember(fetched.page.query, mark, rows=fetched.page.size)
        if token is None:
            return None
        # A link may repeat the credential of the request it answers; the next one is signed anew.
        secret = self.endpoint.connection.auth.param_names
        return {name: value for name, value in token.items() if name not in secret}

    def _process(self, rows: Rows) -> Rows:
        """Apply the stream's own `post_process` where it has one, and the parent's keys."""
        if isinstance(rows, StructRows):
            return rows
        dicts, columns = rows.dicts, self.endpoint.columns
        if (post_process := self.endpoint.post_process) is not None:
            dicts = [row for row in map(post_process, dicts) if row is not None]
        for row in dicts if columns else ():
            for name, value in columns.items():
                row.setdefault(name, value)
        return DictRows(dicts)

    # --- before their turn ----------------------------------------------------------------------

    def prefetch(self) -> bool:
        """Request the first page without waiting for it; False if there is no room."""
        return self._fetcher.prefetch(self._fetcher.first)

    def sample(self) -> list[Row]:
        """Return the rows of the first page alone; the reader that comes later finds it again."""
        return self._process_copy(self._fetcher.sample(self._fetcher.first))

    def peek(self) -> list[Row]:
        """Return the rows that the next page adds, fetched before its turn; an error waits for it.

        The rows are good for a guess only: when the page's turn comes, the overlap may show others.
        """
        if self._following is None or self._resumed is not None:
            return []
        fetched = self._fetcher.peek(self._following)
        if fetched is None:
            return []
        if self.guard.keyed:
            known = set(self.keys)
            fetched = fetched.filter([key not in known for key in fetched.keys])
        return self._process_copy(fetched)

    def _process_copy(self, fetched: FetchedPage) -> list[Row]:
        """Return the processed rows of a page whose turn is yet to come, which stays as it is."""
        copies = [dict(row) for row in t.cast("DictRows", fetched.rows).dicts]
        return t.cast("DictRows", self._process(DictRows(copies))).dicts

    # --- once more ------------------------------------------------------------------------------

    def rescan(
        self,
        *,
        whole: bool,
        repeats: bool,
        fresh: Callable[[Sequence[Hashable]], list[bool]],
    ) -> Iterator[Rows]:
        """Yield the rows that moved past the reader, as far as the pages may hide some.

        `whole` asks for all pages that rows may have moved onto; `repeats` says that keys came more
        than once; `fresh` tells which keys the stream has not brought yet.
        """
        inserted = self._source.inserted(fresh)
        for kept in chain(inserted, self._rescan.run(whole=whole, repeats=repeats, fresh=fresh)):
            self.keys = kept.keys
            self.paginator.add_rows(kept.page.size)
            yield self._process(kept.rows)

    def closing_cost(self, *, whole: bool) -> int:
        """Return the number of requests to verify that nothing follows and no row has moved."""
        seen, is_open = self.paginator.seen, self.paginator.confirming is not None
        if self.paginator.end is StopReason.SINGLE and seen.pages == 1:
            is_open = seen.max_rows > 1 and not isinstance(self.endpoint.paging, Auto)
        return is_open + self._rescan.cost(whole=whole)

    # --- positions ------------------------------------------------------------------------------

    def place(self, *, repeats: int) -> dict[str, t.Any]:
        """Return the position after the current page, for a `Checkpoint`.

        `repeats` are keys that came more than once.
        """
        seen, doubt = self.paginator.seen, self.guard.standing_doubt(repeats=repeats)
        return {
            "token": tuple(self.paginator.token.items()),
            "last_key_digest": digest_of(self.last_key),
            "rows": seen.rows,
            "pages": seen.pages,
            "total": seen.total,
            "total_proven": seen.facts.total_proven,
            "names_next": seen.facts.names_next,
            "doubt": None if doubt is None else redact(doubt),
            "checks": self._rescan.checks,
            "filtered": self.is_filtered,
        }

    def resume(self, position: Checkpoint) -> bool:
        """Continue after a position of an earlier run; False if it is no longer valid."""
        window, token = self._fetcher.window if position.filtered else {}, dict(position.token)
        rest = replace(self._fetcher, first=token, window=window, has_begun=True)
        try:
            fetched = rest.fetch(token)
        except (TransportError, PaginationError) as error:
            # An expired cursor fails in many ways.
            if getattr(error, "cause", None) in _LASTING:
                raise
            return False
        behind = position.rows_after(fetched.keys)
        if behind is None:
            return False
        self.paginator.restore(position, page_rows=len(behind))
        self._open(rest)
        self._source.resume(fetched)
        self.guard.doubt_because(position.doubt)
        self._rescan.restore(position.checks, rows=len(behind))
        self._resumed = fetched.filter(behind)
        return True

    # --- what is known --------------------------------------------------------------------------

    @property
    def is_filtered(self) -> bool:
        """Whether requests are filtered by the bookmark."""
        return bool(self._fetcher.window)

    @property
    def key_scope(self) -> Hashable:
        """What keys are unique within: the parent, None for a stream that has none."""
        return self._fetcher.scope if self.endpoint.context else None

    @property
    def distinct_keys(self) -> Sequence[Hashable]:
        """The new keys of the page in hand, without twins that are one row."""
        return list(dict.fromkeys(self.keys)) if self._fetcher.derives_keys else self.keys

    def finding(self, *, repeats: int = 0) -> Finding:
        """Return what can be said about completeness, once all is read.

        `repeats` are keys that came more than once without rows having been seen to move.
        """
        check = self._end_check
        return self.guard.finding(
            repeats=repeats, missing=check.missing, awaits_next=check.awaits_next
        )

    @property
    def progress(self) -> tuple[int, int] | None:
        """The rows read so far and those of the whole list; None where the whole isn't known.

        A total that one page reaches may count the rows of that page, and a list that is read to
        the bookmark has no end that a total tells.
        """
        seen = self.paginator.seen
        if seen.total is None or seen.total <= seen.max_rows or self.early_stop is not None:
            return None
        return min(seen.rows, seen.total), seen.total


@dataclass(kw_only=True)
class ReadAhead:
    """How many pages to prefetch.

    Without a total the number grows from page to page while pages are full, so that a short stream
    costs few unneeded requests.
    """

    paginator: Paginator
    limit: int
    max_rows: int | None
    _width: int = 1

    def request(self, fetcher: PageFetcher, token: PageToken, page: Page) -> None:
        """Request the page after `page`, and more where they can be named."""
        seen, widest = self.paginator.seen, self._widest(fetcher, page)
        if widest < 1 or fetcher.endpoint.connection.concurrency == 1:
            return
        full = page.size > 0 and (seen.page_size is None or page.received >= seen.page_size)
        grown = min(self._width * 2, widest) if full else 1
        self._width = widest if seen.total is not None else grown
        named = self.paginator.paging.predict(token, page, seen)
        for each in (token, *islice(named, self._width - 1)):
            fetcher.prefetch(each)

    def _widest(self, fetcher: PageFetcher, page: Page) -> int:
        widest = 1 if fetcher.endpoint.connection.budget_low else self.limit
        if self.max_rows is None:
            return widest
        lacking = max(0, self.max_rows - self.paginator.seen.rows)
        return min(widest, -(-lacking // max(1, page.size)))
