"""A walk over the pages of one endpoint, in the order the server gives, each page proven.

The next page is asked for before this one is handed on, and pages that can be named are read
ahead. What was read ahead only warms a cache: the paginator, reading responses in order, says
which page comes next, so the rows are the same at any concurrency.
"""

from __future__ import annotations

import typing as t
from itertools import islice

from tap_analytics.pagination import Auto, Offset, Paginator, StopReason
from tap_analytics.pagination.completeness import (
    MOVED,
    NOT_LOOKED_AT,
    PaginationError,
    PaginationGuard,
)
from tap_analytics.pagination.end_check import EndCheck
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.pagination.overlap import OverlapReader, OverlapWindow
from tap_analytics.pagination.rescan import Rescan, fingerprint
from tap_analytics.records.rows import DictRows, StructRows
from tap_analytics.transport.errors import Cancelled, Rejected, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tap_analytics.pagination import Page, PageToken
    from tap_analytics.pagination.completeness import Finding, Verdict
    from tap_analytics.pagination.early_stop import DescendingOrder
    from tap_analytics.pagination.endpoint import Endpoint
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.pagination.position import Checkpoint
    from tap_analytics.records.rows import Row, RowDecoder, Rows


#: Seconds an answer takes at least for a page to be worth another thread: waiting is all that
#: reading ahead saves, and to hand a page over takes time as well.
HANDOFF = 0.003


class PageReader:
    """Iterates over the pages of an endpoint: a list of processed rows for each.

    `window` holds the parameters of the server's own filter; they are dropped, with a warning,
    where the server refuses them. `early_stop` says when rows that come newest first have passed
    the bookmark. At most `prefetch_limit` pages are read ahead, none beyond `max_rows` rows.
    Raises `PaginationError` and the transport's errors.
    """

    def __init__(  # noqa: PLR0913 - what a run decides, each by its name
        self,
        endpoint: Endpoint,
        *,
        window: PageToken | None = None,
        sorting: PageToken | None = None,
        early_stop: DescendingOrder | None = None,
        decoder: RowDecoder | None = None,
        prefetch_limit: int | None = None,
        max_rows: int | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.early_stop = early_stop
        self.paginator = Paginator(endpoint.paging)
        self.paginator.seen.page_size = endpoint.page_size
        self.paginator.seen.spoken = endpoint.shown.spoken
        self.paginator.seen.counted = endpoint.shown.counted
        self.proof = PaginationGuard(
            paginator=self.paginator, label=endpoint.label, keyed=bool(endpoint.primary_keys)
        )
        #: The page in hand: its token, its new keys, and the key of its last row.
        self.token = self.paginator.current_value
        self.keys: Sequence[Hashable] = ()
        self.last_key: Hashable = None
        #: Seconds its answer took.
        self.elapsed = 0.0
        self.pages = PageFetcher(
            endpoint, first=self.token, window=window, sorting=sorting, codec=decoder
        )
        #: Token of the page after the one in hand, and what came of it if it was taken early.
        self._following: PageToken | None = None
        self._early: FetchedPage | Exception | None = None
        self._joiner = self._new_joiner()
        self._end_check = EndCheck(
            endpoint=endpoint, pages=self.pages, proof=self.proof, fetch=self._fetch
        )
        self._resumed: FetchedPage | None = None
        limit = endpoint.connection.concurrency
        self._prefetch_limit = limit if prefetch_limit is None else prefetch_limit
        self._max_rows = max_rows
        self._width = 1
        self._recheck = Rescan(
            paginator=self.paginator,
            fetch=self._fetch,
            want=self.pages.prefetch,
            breadth=endpoint.connection.concurrency,
            logger=endpoint.logger,
        )

    def _new_joiner(self) -> OverlapReader | None:
        """Return what checks the seams, where pages go by row number and rows have keys."""
        paging = self.endpoint.paging
        if not self.proof.keyed or not isinstance(paging, Offset):
            return None
        return OverlapReader(
            seam=OverlapWindow(paging.offset_param),
            proof=self.proof,
            logger=self.endpoint.logger,
            fetch=self._fetch,
            drop=self.pages.discard,
        )

    def __iter__(self) -> Iterator[Rows]:
        """Yield the rows of each page."""
        query: PageToken | None = self.token
        try:
            while query is not None:
                self.proof.check_token(query)
                fetched = self._take(query)
                if fetched is None:
                    query = self._end_check.another()
                    continue
                self.token = fetched.page.query
                self.keys = fetched.keys
                self.elapsed = fetched.elapsed
                self.last_key = fetched.keys[-1] if fetched.keys else self.last_key
                query = self._advance(fetched)
                rows = self._process(fetched.rows)
                is_open = query is not None or self.paginator.end is StopReason.SINGLE
                if is_open and self._passed(rows):
                    self.paginator.end, query = StopReason.BOOKMARK, None
                slow = fetched.elapsed > HANDOFF
                if query is not None and slow and self.endpoint.connection.concurrency > 1:
                    self._read_ahead(query, fetched.page)
                self._following = query
                yield rows
                if query is None:
                    query = self._end_check.after(fetched)
        finally:
            self.endpoint.shown.spoken |= self.paginator.seen.spoken
            self.endpoint.shown.counted |= self.paginator.seen.counted
            self.pages.discard()

    def peek(self) -> list[Row]:
        """Return the rows that the next page adds, taken before its turn; an error waits for that.

        The rows are good for a guess only: when the page's turn comes, the seam may show others.
        """
        if self._following is None or self._resumed is not None:
            return []
        if self._early is None:
            try:
                self._early = self.pages.fetch(self._following)
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - raised when the page's turn comes
                self._early = error
        if isinstance(self._early, Exception):
            return []
        fetched, known = self._early, set(self.keys)
        if self.proof.keyed:
            fetched = fetched.filter([key not in known for key in fetched.keys])
        return self._foreseen(fetched)

    def rescan(
        self,
        *,
        whole: bool,
        repeats: bool,
        fresh: Callable[[Sequence[Hashable]], list[bool]],
    ) -> Iterator[Rows]:
        """Yield the rows that moved past the reader, where pages by number don't overlap.

        A total that is reached vouches for them, unless it fell or rows were repeated. Deletes
        ask for the `whole`, total or not, for one row gone and another one new leave it as it was.
        `fresh` tells which keys the stream has not brought yet.
        """
        yield from self._inserted(fresh)
        seen, suspect = self.paginator.seen, self._is_suspect(repeats=repeats)
        if not self._may_have_moved(suspect=suspect, whole=whole):
            return
        whole, found = whole or suspect, 0
        budget, partial = self.endpoint.connection.budget, self._recheck.partial
        if (
            partial
            and budget is not None
            and budget.left < len(self._recheck.pages_to_read(whole=whole))
        ):
            # The next run would come no further than this one.
            self.proof.doubt_because(NOT_LOOKED_AT)
            return
        try:
            for fetched in self._recheck.run(whole=whole):
                kept = fetched.filter(fresh(fetched.keys))
                self.keys = kept.keys
                found += kept.page.size
                yield self._process(kept.rows)
        finally:
            self.pages.discard()
        seen.rows += found
        if self._recheck.changed:
            self.proof.doubt_because(MOVED)
        elif whole and partial:
            self.proof.doubt_because(NOT_LOOKED_AT)
        self._recheck.report(found=found, loud=self.endpoint.context is None)

    def _inserted(self, fresh: Callable[[Sequence[Hashable]], list[bool]]) -> Iterator[Rows]:
        """Yield the rows that were put in front of the reader, which explain that others moved."""
        if self._joiner is None or not self._joiner.pushed:
            return
        for kept in self._joiner.traced(self.pages.first, fresh=fresh):
            self.keys = kept.keys
            self.paginator.seen.rows += kept.page.size
            yield self._process(kept.rows)

    @property
    def confirmation(self) -> int:
        """How many requests it takes to see that nothing follows the page in hand."""
        seen, paging = self.paginator.seen, self.endpoint.paging
        if self.paginator.end is StopReason.SINGLE and seen.pages == 1:
            return int(seen.max_rows > 1 and not isinstance(paging, Auto))
        return int(self.paginator.confirming is not None)

    def rescan_cost(self, *, whole: bool) -> int:
        """Return how many requests it takes to look again where nothing has moved."""
        suspect = self._is_suspect(repeats=False)
        if not self._may_have_moved(suspect=suspect, whole=whole):
            return 0
        whole = whole or suspect
        return len(self._recheck.pages_to_read(whole=whole))

    def _is_suspect(self, *, repeats: bool) -> bool:
        """Whether there is a total that doesn't vouch for the rows."""
        seen = self.paginator.seen
        return seen.total is not None and (seen.total_fell or repeats or seen.rows < seen.total)

    def _may_have_moved(self, *, suspect: bool, whole: bool) -> bool:
        """Whether rows may have moved past the reader without a sign."""
        seen = self.paginator.seen
        if not self.proof.keyed or self._is_joined:
            return False
        if not (self._recheck.pages or self._recheck.partial):
            return False
        return seen.total is None or suspect or whole

    @property
    def _is_joined(self) -> bool:
        """Whether pages overlap, or the server names them: each follows from the one before."""
        seen = self.paginator.seen
        return bool(seen.overlap) or not self.endpoint.paging.is_numbered(self.token)

    @property
    def checks(self) -> list[tuple[PageToken, str]]:
        """A few pages that a run which takes up the walk looks at again: tokens, fingerprints."""
        return [] if self._is_joined else self._recheck.pages.sample()

    def resume(self, position: Checkpoint) -> bool:
        """Go on behind a position of an earlier run; False if it doesn't hold any more."""
        window, self.pages.first = self.pages.window, position.token
        if not position.filtered:
            self.pages.window = {}
        try:
            fetched = self.pages.fetch(position.token)
        except (TransportError, PaginationError) as error:
            # An expired cursor has many faces; what stops the API as a whole has others.
            if getattr(error, "cause", None) in {"credentials", "forbidden", "unreachable"}:
                raise
            fetched = None
        behind = position.rows_after(fetched.keys) if fetched is not None else None
        if fetched is None or behind is None:
            self.pages.first, self.pages.window = self.token, window
            return False
        seen = self.paginator.seen
        seen.rows, seen.pages, seen.max_rows = position.rows, position.pages - 1, len(behind)
        seen.filled = seen.pages
        seen.total, seen.counted = position.total, position.counted
        seen.spoken |= position.spoken
        if self._joiner is not None:
            self._joiner.resume(fetched)
        self.proof.doubt = position.doubt
        self._recheck.partial = True
        for token, mark in position.checks:
            self._recheck.remember(token, bytes.fromhex(mark), rows=len(behind))
        self.token, self._resumed = position.token, fetched.filter(behind)
        return True

    def prefetch(self) -> bool:
        """Ask for the first page without waiting for it; False if there is no room."""
        return self.pages.prefetch(self.token)

    def sample(self) -> list[Row]:
        """Return the rows of the first page alone; the walk that comes later finds it again."""
        self.pages.is_sample = True
        fetched = self._fetch(self.token)
        self.endpoint.samples.clear()
        self.endpoint.samples[self.pages.request(self.token)] = fetched
        return self._foreseen(fetched)

    def _foreseen(self, fetched: FetchedPage) -> list[Row]:
        """Return the processed rows of a page whose turn is yet to come, which stays as it is."""
        rows = t.cast("DictRows", fetched.rows)
        return self._process(DictRows([dict(row) for row in rows.dicts])).dicts

    @property
    def key_scope(self) -> Hashable:
        """What keys are unique within: the parent, None for a stream that has none."""
        return self.pages.owner if self.endpoint.context else None

    @property
    def distinct_keys(self) -> Sequence[Hashable]:
        """The new keys of the page in hand, without twins that are one row."""
        return list(dict.fromkeys(self.keys)) if self.pages.derives_keys else self.keys

    @property
    def finding(self) -> Finding:
        """What the walk, once finished, can say about its completeness."""
        return self.proof.finding()

    @property
    def verdict(self) -> Verdict:
        """The verdict alone."""
        return self.finding.verdict

    @property
    def progress(self) -> tuple[int, int] | None:
        """The rows read so far and those of the whole list; None where the whole isn't known.

        A total that one page reaches may count the rows of that page, and a walk that ends at the
        bookmark has no end that a total tells.
        """
        seen = self.paginator.seen
        if seen.total is None or seen.total <= seen.max_rows or self.early_stop is not None:
            return None
        return min(seen.rows, seen.total), seen.total

    def _take(self, query: PageToken) -> FetchedPage | None:
        """Return what is new of the page that comes next; None for one that is only a repetition.

        That is no error where the page was asked for to see that there is none.
        """
        if self._resumed is not None:
            fetched, self._resumed = self._resumed, None
            return fetched
        if self.paginator.confirming is not None:
            confirmed = self._end_check.confirmed(query, known=self._is_known)
            if confirmed is None or self._joiner is None or not confirmed.keys:
                return confirmed
            self._following, self._early = query, confirmed
        return self._fetch(query) if self._joiner is None else self._joiner.read(query)

    def _is_known(self, keys: Sequence[Hashable]) -> bool:
        """Whether a page has rows, and all of them have been read."""
        if self._joiner is not None:
            return bool(keys) and not any(self._joiner.seam.fresh(keys))
        return bool(keys) and set(self.keys).issuperset(keys)

    def _fetch(self, query: PageToken) -> FetchedPage:
        early, self._early = self._early, None
        if early is not None and query == self._following:
            if isinstance(early, Exception):
                raise early
            return early
        try:
            return self.pages.fetch(query)
        except Rejected as error:
            begun, window = self.paginator.seen.pages > 0, self.pages.window
            if begun or not window or error.status not in {400, 422}:
                raise
            self.endpoint.logger.warning(
                "The server refuses the filter %s; reading without it.", ", ".join(window)
            )
            self.pages.window = {}
            return self.pages.fetch(query)

    def _advance(self, fetched: FetchedPage) -> PageToken | None:
        """Take note of a page and return the token of the next one, or None at the end."""
        mark = fingerprint(fetched.keys)
        admitted = self.proof.check_page(fetched.page, mark)
        if not admitted:
            fetched.page.size, fetched.rows, self.keys = 0, DictRows([]), ()
        query = self.paginator.receive(fetched.page)
        if fetched.page.size == fetched.page.received > 0:
            self._recheck.remember(fetched.page.query, mark, rows=fetched.page.size)
        if query is None:
            return None
        # A link may repeat the credential of the request it answers; the next one is signed anew.
        secret = self.endpoint.connection.auth.param_names
        return {name: value for name, value in query.items() if name not in secret}

    @t.overload
    def _process(self, rows: DictRows) -> DictRows: ...
    @t.overload
    def _process(self, rows: StructRows) -> StructRows: ...
    def _process(self, rows: Rows) -> Rows:
        """Apply the stream's own `post_process` where it has one, and the parent's keys."""
        if isinstance(rows, StructRows):
            return rows
        dicts, context = rows.dicts, self.endpoint.context or {}
        if (post_process := self.endpoint.post_process) is not None:
            dicts = [row for row in map(post_process, dicts) if row is not None]
        for row in dicts if context else ():
            for name, value in context.items():
                row.setdefault(name, value)
        return DictRows(dicts)

    def _passed(self, rows: Rows) -> bool:
        """Whether rows come newest first and the bookmark lies behind these."""
        return self.early_stop is not None and self.early_stop.passed(rows)

    def _read_ahead(self, query: PageToken, page: Page) -> None:
        """Ask for the next page, and for more where they can be named.

        Without a total the width grows from page to page as long as pages are full, so that a
        short stream costs few requests that nobody needs.
        """
        asked, widest = self.endpoint.page_size, self._breadth(page)
        if widest < 1:
            return
        full = page.size > 0 and (asked is None or page.received >= asked)
        known = self.paginator.seen.total is not None
        grown = min(self._width * 2, widest) if full else 1
        self._width = widest if known else grown
        named = self.endpoint.paging.predict(query, page, self.paginator.seen)
        for token in (query, *islice(named, self._width - 1)):
            self.pages.prefetch(token)

    def _breadth(self, page: Page) -> int:
        """Return how many pages may be read ahead."""
        widest = 1 if self.endpoint.connection.budget_low else self._prefetch_limit
        if self._max_rows is None:
            return widest
        lacking = max(0, self._max_rows - self.paginator.seen.rows)
        return min(widest, -(-lacking // max(1, page.size)))
