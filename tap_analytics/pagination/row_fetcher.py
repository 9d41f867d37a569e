"""Fetches pages by offset, and detects moving rows and repeated pages.

Rows inserted before the current offset move rows back that have been read, but not far. A server
that ignores the offset, or repeats the last page after the end, returns the same page for any
offset. Both give pages without new rows.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.pagination.completeness import UNORDERED, UNSTEADY, PaginationError
from tap_analytics.pagination.overlap_window import OverlapWindow
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_analytics.pagination.completeness import PaginationGuard
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage, Page, PageToken

#: Pages in a row that may bring nothing new while rows are inserted before the reader.
STALL_LIMIT = 12
#: Pages to look ahead of the reader for rows that can't be there.
FAR = 3
TOO_FAST = "rows keep shifting while pages are being read"


@dataclass(slots=True)
class StallDetector:
    """The pages that came since the last new row."""

    #: Pages that were to bring new rows and brought none.
    pages: int = 0
    _received: list[Sequence[Hashable]] = field(default_factory=list)
    _probed: int = -FAR

    @property
    def is_over(self) -> bool:
        """Whether nothing new has come for too long."""
        return self.pages > STALL_LIMIT

    @property
    def reach(self) -> int:
        """Return how far ahead no row can have been pushed."""
        return FAR * max(map(len, self._received), default=1)

    def record(self, keys: Sequence[Hashable]) -> None:
        """Remember a page."""
        if keys:
            self._received.append(keys)

    def reset(self) -> None:
        """Begin again, for the last page brought new rows."""
        self.pages, self._probed = 0, -FAR
        del self._received[:-1]

    def should_probe(self, keys: Sequence[Hashable]) -> bool:
        """Count a page without a new row; whether it calls for a look far ahead."""
        self.pages += 1
        if self._received.count(keys) == 1 or self.pages < self._probed + FAR:
            return False
        self._probed = self.pages
        return True

    def has(self, keys: Sequence[Hashable]) -> bool:
        """Whether a page has come before, row for row."""
        return keys in self._received


@dataclass(slots=True, kw_only=True)
class RowFetcher:
    """Fetches pages by row number.

    Raises `PaginationError` where the server repeats pages, or where rows keep shifting while they
    can be read.
    """

    fetcher: PageFetcher
    guard: PaginationGuard
    #: Name of the parameter that carries the row number.
    param: str
    window: OverlapWindow = field(default_factory=OverlapWindow)
    #: Whether rows have moved, so that rows that have been read may come again on any page.
    has_moved: bool = False
    _stall: StallDetector = field(default_factory=StallDetector)

    def fetch(self, token: PageToken, *, at: int | None = None) -> FetchedPage:
        """Return a page, or the one that begins at another row."""
        fetched = self.fetcher.fetch(token if at is None else {**token, self.param: str(at)})
        self._stall.record(fetched.keys)
        if self.has_moved:
            self._check_order(fetched)
        return fetched

    def end_of(self, page: Page) -> int:
        """Return the number of the row behind a page."""
        paginator = self.guard.paginator
        return paginator.paging.reached(page, paginator.seen)

    def note_move(self, fetched: FetchedPage) -> None:
        """Note that a page shows rows that moved: they stay where they are now.

        Where replicas differ, they don't.
        """
        self.forget_ahead()
        self._check_order(fetched)
        if self.guard.doubt is None:
            repeated = self.fetcher.fetch(fetched.page.query)
            if list(repeated.keys) != list(fetched.keys):
                self.guard.doubt_because(UNSTEADY)

    def forget_ahead(self) -> None:
        """Forget what was read ahead, which lies elsewhere now."""
        self.has_moved = True
        self.fetcher.discard()
        self.guard.forget_tokens()

    def stop_overlapping(self) -> None:
        """From here on, let pages begin where the page before ended."""
        self.guard.paginator.overlap_by(0)
        self.fetcher.discard()

    def remember(self, fetched: FetchedPage, *, is_new: bool) -> None:
        """Remember a page; let one without a new row pass, unless the server repeats itself."""
        self.window.remember(fetched.keys, new=is_new)
        if is_new:
            self._stall.reset()
            return
        if self._stall.should_probe(fetched.keys) and self._is_everywhere(fetched):
            raise self.guard.repeated(fetched.page)
        if self._stall.is_over:
            raise PaginationError(
                f"{self.guard.label}: {TOO_FAST}: {self._stall.pages} pages in a row brought none "
                "that is new. Read the stream at a quieter time, or in larger pages."
            )

    def _check_order(self, fetched: FetchedPage) -> None:
        if not self.window.keeps_order(fetched.keys):
            self.guard.doubt_because(UNORDERED)

    def _is_everywhere(self, fetched: FetchedPage) -> bool:
        """Whether the server gives rows far ahead that it has just given here."""
        page_size = self.guard.paginator.page_size or 0
        far = self.end_of(fetched.page) + max(self._stall.reach, page_size)
        try:
            beyond = self.fetcher.fetch({**fetched.page.query, self.param: str(far)})
        except Rejected:
            return False
        self._check_order(beyond)
        return self._stall.has(beyond.keys)
