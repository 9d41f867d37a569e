"""Fetches pages by offset, and detects moving rows and repeated pages.

Rows inserted before the current offset shift known rows onto the next page, but not far. A server
that ignores the offset, or repeats the last page after the end, returns the same page for any
offset. Both give pages without new rows.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.errors import PaginationError
from tap_analytics.pagination.guard import ORDER_CHANGED, RESPONSES_DIFFER
from tap_analytics.pagination.overlap_window import OverlapWindow
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.guard import PaginationGuard
    from tap_analytics.pagination.page import FetchedPage, Page, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingState

#: Maximum number of consecutive pages without a new row while rows are inserted.
STALL_LIMIT = 12
#: Pages to look ahead for known rows, and pages without a new row before looking again.
PROBE_DISTANCE = 3
#: Maximum number of pages to go back for rows that moved before the offset.
STEPS_BACK = 8
TOO_FAST = "rows keep shifting while pages are being read"


@dataclass(slots=True)
class StallDetector:
    """The pages received since the last new row."""

    #: Pages without a new row.
    pages: int = 0
    _received: list[Sequence[Hashable]] = field(default_factory=list)
    _probed: int = -PROBE_DISTANCE

    @property
    def is_over(self) -> bool:
        """Whether nothing new has come for too long."""
        return self.pages > STALL_LIMIT

    @property
    def reach(self) -> int:
        """The number of rows ahead that no known row can have been shifted."""
        return PROBE_DISTANCE * max(map(len, self._received), default=1)

    def record(self, keys: Sequence[Hashable]) -> None:
        """Remember a page."""
        if keys:
            self._received.append(keys)

    def reset(self) -> None:
        """Begin again after a page with new rows."""
        self.pages, self._probed = 0, -PROBE_DISTANCE
        del self._received[:-1]

    def should_probe(self, keys: Sequence[Hashable]) -> bool:
        """Count a page without a new row; whether to request a page far ahead."""
        self.pages += 1
        if self._received.count(keys) == 1 or self.pages < self._probed + PROBE_DISTANCE:
            return False
        self._probed = self.pages
        return True

    def has(self, keys: Sequence[Hashable]) -> bool:
        """Whether the same page was received before, row for row."""
        return keys in self._received


@dataclass(slots=True, kw_only=True)
class RowFetcher:
    """Fetches pages by row number.

    Raises `PaginationError` if the server repeats pages, or if rows move faster than they can be
    read.
    """

    fetcher: PageFetcher
    guard: PaginationGuard
    #: Name of the parameter that carries the row number.
    param: str
    window: OverlapWindow = field(default_factory=OverlapWindow)
    #: Whether rows have moved, so that any page may have known rows.
    has_moved: bool = False
    _stall: StallDetector = field(default_factory=StallDetector)

    @property
    def seen(self) -> PagingState:
        """What was received of the endpoint so far."""
        return self.guard.paginator.seen

    def fetch(self, token: PageToken, *, at: int | None = None) -> FetchedPage:
        """Return a page; `at` replaces its row number."""
        fetched = self.fetcher.fetch(token if at is None else {**token, self.param: str(at)})
        self._stall.record(fetched.keys)
        if self.has_moved:
            self._check_order(fetched)
        return fetched

    def end_of(self, page: Page) -> int:
        """Return the number of the row after a page."""
        return self.guard.paginator.paging.reached(page, self.seen)

    def note_move(self, fetched: FetchedPage) -> None:
        """Note that a page shows that rows have moved, unless the same request differs each time.

        Replicas that differ look like rows that move.
        """
        self.forget_prefetched()
        self._check_order(fetched)
        if self.guard.doubt is None:
            repeated = self.fetcher.fetch(fetched.page.query)
            if list(repeated.keys) != list(fetched.keys):
                self.guard.doubt_because(RESPONSES_DIFFER)

    def forget_prefetched(self) -> None:
        """Discard prefetched pages, whose rows have moved, and allow repeated requests."""
        self.has_moved = True
        self.fetcher.discard()
        self.guard.forget_tokens()

    def stop_overlapping(self) -> None:
        """Let the following pages begin where the page before ended."""
        self.guard.paginator.overlap_by(0)
        self.fetcher.discard()

    def remember(self, fetched: FetchedPage, *, is_new: bool) -> None:
        """Remember a page; raises `PaginationError` if too many are without new rows."""
        self.window.remember(fetched.keys, new=is_new)
        if is_new:
            self._stall.reset()
            return
        if self._stall.should_probe(fetched.keys) and self._is_everywhere(fetched):
            raise self.guard.repeated(fetched.page)
        if self._stall.is_over:
            raise PaginationError(
                f"{self.guard.label}: {TOO_FAST}: {self._stall.pages} pages in a row had no new "
                "row. Read the stream at a quieter time, or in larger pages."
            )

    def go_back(self, token: PageToken, position: int) -> FetchedPage:
        """Read backwards to a page that begins with a known row, or to the first page."""
        for step in range(1, STEPS_BACK + 1):
            position = max(0, position - max(2, self.seen.max_rows, self.window.width) + 1)
            fetched = self.fetch(token, at=position)
            fresh = self.window.fresh(fetched.keys)
            if position == 0 or (fresh and not fresh[0]):
                self.fetcher.endpoint.logger.warning(
                    "Rows were deleted before the current offset: went back to row %d and found "
                    "%d rows that had moved, with %d more requests.",
                    *(position, sum(fresh), step),
                )
                return fetched
        raise PaginationError(
            f"{self.guard.label}: {TOO_FAST}: after {STEPS_BACK} steps back no row is one that "
            "was read. Read the stream at a quieter time."
        )

    def rounds_offsets(self, early: FetchedPage, aligned: FetchedPage, start: int) -> bool:
        """Whether offsets next to a multiple of the limit give the same page, or none, again."""
        token = early.page.query
        if list(self.fetch(token, at=start).keys) != list(early.keys):
            return False
        if not (early.keys and aligned.keys):
            return True
        return list(self.fetch(token, at=start + 2).keys) == list(aligned.keys)

    def _check_order(self, fetched: FetchedPage) -> None:
        if not self.window.keeps_order(fetched.keys):
            self.guard.doubt_because(ORDER_CHANGED)

    def _is_everywhere(self, fetched: FetchedPage) -> bool:
        """Whether the server returns the same rows for a page far ahead."""
        page_size = self.guard.paginator.page_size or 0
        far = self.end_of(fetched.page) + max(self._stall.reach, page_size)
        try:
            beyond = self.fetcher.fetch({**fetched.page.query, self.param: str(far)})
        except Rejected:
            return False
        self._check_order(beyond)
        return self._stall.has(beyond.keys)
