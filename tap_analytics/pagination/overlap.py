"""Reads offset pages that overlap by one row, to detect rows that move.

A row deleted before the current offset moves all later rows forward, so that one is skipped; an
inserted row moves them back, so that one is repeated. So each page starts one row early: if its
first row is the last row of the previous page, no row has moved. If not, the rows show what
happened.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from typing_extensions import override

from tap_analytics.pagination.completeness import PUSHED, PaginationError
from tap_analytics.pagination.overlap_window import OverlapMatch
from tap_analytics.pagination.row_fetcher import TOO_FAST, RowFetcher
from tap_analytics.pagination.strategies.metadata import whole_number
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tap_analytics.pagination.completeness import PaginationGuard
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.overlap_window import OverlapWindow
    from tap_analytics.pagination.page import FetchedPage, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingState

#: Maximum number of pages to go back for rows that moved before the offset.
STEPS_BACK = 8
INSERTED = "Rows were inserted before the current offset; continuing."

#: A page, and which of its rows are new where not all are.
Overlapped = tuple["FetchedPage", list[bool] | None]


@dataclass(slots=True, kw_only=True)
class DirectReader:
    """Takes pages as they are, where they don't overlap."""

    fetcher: PageFetcher

    def read(self, token: PageToken) -> FetchedPage:
        """Return a page."""
        return self.fetcher.fetch(token)

    def has_read(self, keys: Sequence[Hashable], last: Sequence[Hashable]) -> bool:
        """Whether a page has rows, and all of them were on the `last` one."""
        return bool(keys) and set(last).issuperset(keys)

    def resume(self, fetched: FetchedPage) -> None:
        """Continue behind the page that an earlier run ended with."""

    def inserted(self, fresh: Callable[[Sequence[Hashable]], list[bool]]) -> Iterator[FetchedPage]:  # noqa: ARG002 - for pages that overlap
        """Yield the rows that were inserted before the first one: nothing shows any."""
        return iter(())


@dataclass(slots=True, kw_only=True)
class OverlapReader(DirectReader):
    """Reads pages by row number, in order, and returns what is new of each.

    What it takes begins with a row that has been read, or with the first row of the list: so no row
    lies between. Raises `PaginationError` where the server repeats itself, or where rows move
    faster than they can be read.
    """

    rows: RowFetcher
    #: Whether the server is known to know odd row numbers, which some don't.
    _knows_any_row: bool = False
    #: Rows of the list that lie behind the reader.
    _reached: int = 0
    #: Whether a row number that had to be there was answered with nothing.
    _was_empty: bool = False
    #: Rows by which others were pushed back since the first page, and the first row of the list.
    _pushed: int = 0
    _first: Hashable = None
    #: Whether rows are read again because others were deleted.
    _steps_back: bool = False

    @property
    def _guard(self) -> PaginationGuard:
        return self.rows.guard

    @property
    def _window(self) -> OverlapWindow:
        return self.rows.window

    @property
    def _seen(self) -> PagingState:
        return self.rows.guard.paginator.seen

    @override
    def read(self, token: PageToken) -> FetchedPage:
        fetched, fresh = self._overlapped(token)
        idle = bool(fresh and not any(fresh) and fetched.page.received)
        if self._window.is_empty and fetched.page.received > 1:
            self._guard.paginator.overlap_by(1)
            self._first = fetched.keys[0]
        self._reached = self.rows.end_of(fetched.page)
        self.rows.remember(fetched, is_new=not idle)
        return fetched if fresh is None else fetched.filter(fresh)

    @override
    def has_read(self, keys: Sequence[Hashable], last: Sequence[Hashable]) -> bool:
        return bool(keys) and not any(self._window.fresh(keys))

    @override
    def resume(self, fetched: FetchedPage) -> None:
        if len(fetched.keys) > 1:
            self._window.remember(fetched.keys)
            self._guard.paginator.overlap_by(1)
        self._reached = self.rows.end_of(fetched.page)

    @override
    def inserted(self, fresh: Callable[[Sequence[Hashable]], list[bool]]) -> Iterator[FetchedPage]:
        """Yield the new rows before the first that was read, as far as others were pushed back.

        If they are as many as the rows that were pushed back, they explain it: they may be new, or
        rows of the list that have moved there.
        """
        found, position, is_there = 0, 0, False
        while self._first is not None and found < self._pushed and not is_there:
            fetched = self.fetcher.fetch({**self.fetcher.first, self.rows.param: str(position)})
            keys = list(fetched.keys)
            is_there = self._first in keys
            number = keys.index(self._first) if is_there else len(keys)
            kept = fetched.filter([new and at < number for at, new in enumerate(fresh(keys))])
            found, position = found + kept.page.size, position + len(keys)
            yield kept
            if kept.page.size < number or not keys:
                return
        if is_there and found >= self._pushed:
            self._guard.withdraw(PUSHED)

    # --- how a page follows ---------------------------------------------------------------------

    def _overlapped(self, token: PageToken) -> Overlapped:
        start = whole_number(token.get(self.rows.param))
        if self._window.is_empty or start is None or start > self._reached:
            return self.rows.fetch(token), None
        if start == self._reached:
            return self._adjacent(self.rows.fetch(token))
        try:
            fetched = self.rows.fetch(token)
        except Rejected as error:
            if self._knows_any_row or error.status not in {400, 422}:
                raise
            self.rows.stop_overlapping()
            return self.rows.fetch(token, at=start + 1), None
        return self._early(fetched, start)

    def _early(self, fetched: FetchedPage, start: int) -> Overlapped:
        """Compare a page that begins a row early."""
        match = self._window.match(fetched.keys)
        if match is OverlapMatch.MATCHED:
            self._knows_any_row = True
            if self.rows.has_moved:
                return fetched, self._counted(fetched)
            return fetched, [False, *([True] * (len(fetched.keys) - 1))]
        if not self._knows_any_row and (not fetched.keys or self._window.is_last(fetched.keys)):
            return self._whole_page(fetched, start)
        # Whatever else comes, the server knows odd row numbers.
        self._knows_any_row |= bool(fetched.keys)
        self.rows.note_move(fetched)
        if match is OverlapMatch.DELETED:
            return self._deleted(fetched, start)
        self.fetcher.endpoint.logger.warning(INSERTED)
        return fetched, self._counted(fetched)

    def _adjacent(self, fetched: FetchedPage) -> Overlapped:
        """Compare a page that begins where the page before ended, which is mostly the end."""
        fresh = self._window.fresh(fetched.keys)
        if not fetched.keys or (all(fresh) and not self._seen.overlap):
            return fetched, None
        self.rows.note_move(fetched)
        if not fresh[0]:
            self._counted(fetched, early=0)
        if not any(fresh) and self._is_end(fetched):
            return replace(fetched, page=replace(fetched.page, received=0)), fresh
        if not fresh[0] or not self._seen.overlap:
            return fetched, fresh
        # The page before was short because the server caps its pages: rows may lie between.
        early = self._reached - 1
        return self._early(self.rows.fetch(fetched.page.query, at=early), early)

    def _is_end(self, fetched: FetchedPage) -> bool:
        """Whether a page ends with the last row, which was pushed there, though it has room."""
        short = fetched.page.received < self._seen.max_rows
        return short and fetched.keys[-1] == self._window.last

    def _counted(self, fetched: FetchedPage, *, early: int = 1) -> list[bool]:
        """Return which rows are new; those that are not, but for the overlap, were pushed back."""
        fresh = self._window.fresh(fetched.keys)
        repeated = fresh.count(False) - early
        if self._steps_back:
            self._steps_back = repeated > 0
        elif repeated > 0:
            self._pushed += repeated
            self._guard.doubt_because(PUSHED)
        return fresh

    # --- rows that moved ------------------------------------------------------------------------

    def _deleted(self, fetched: FetchedPage, start: int) -> Overlapped:
        """Return the rows that moved past the reader, found by going back."""
        self._steps_back = True
        back = self._go_back(fetched.page.query, start)
        fresh = self._window.fresh(back.keys)
        # The end, if this page isn't full, or if odd row numbers are answered with nothing.
        odd = not self._knows_any_row and self.rows.end_of(back.page) > start
        is_end = odd or back.page.received < self._seen.max_rows
        return (fetched, None) if is_end and not fetched.keys and not any(fresh) else (back, fresh)

    def _go_back(self, token: PageToken, position: int) -> FetchedPage:
        """Read backwards to a page that begins with a known row, or to the first page."""
        for step in range(1, STEPS_BACK + 1):
            position = max(0, position - max(2, self._seen.max_rows, self._window.width) + 1)
            fetched = self.rows.fetch(token, at=position)
            fresh = self._window.fresh(fetched.keys)
            if position == 0 or (fresh and not fresh[0]):
                self.fetcher.endpoint.logger.warning(
                    "Rows were deleted before the current offset: went back to row %d and found "
                    "%d rows that had moved, with %d more requests.",
                    *(position, sum(fresh), step),
                )
                return fetched
        raise PaginationError(
            f"{self._guard.label}: {TOO_FAST}: after {STEPS_BACK} steps back no row is one that "
            "was read. Read the stream at a quieter time."
        )

    # --- servers that know whole pages only -----------------------------------------------------

    def _whole_page(self, early: FetchedPage, start: int) -> Overlapped:
        """Compare a page of a server that supports only multiples of the limit as offset.

        Rows that moved may look like that, but not twice: such a server answers the same again.
        """
        self.rows.forget_ahead()
        aligned = self.rows.fetch(early.page.query, at=start + 1)
        fresh = self._window.fresh(aligned.keys)
        if not aligned.keys and not early.keys:
            return self._deleted(early, start)
        if fresh and not fresh[0]:
            return aligned, fresh
        if not all(fresh) or not self._knows_whole_pages(early, aligned, start):
            return self._deleted(aligned, start)
        if not early.keys and not self._was_empty:
            # A list that shrinks and grows may look so once.
            self._was_empty = True
            return self._deleted(aligned, start)
        if aligned.keys:
            self.rows.stop_overlapping()
        return aligned, None

    def _knows_whole_pages(self, early: FetchedPage, aligned: FetchedPage, start: int) -> bool:
        """Whether odd row numbers are answered the same again, with a whole page or nothing."""
        token = early.page.query
        if list(self.rows.fetch(token, at=start).keys) != list(early.keys):
            return False
        if not (early.keys and aligned.keys):
            return True
        return list(self.rows.fetch(token, at=start + 2).keys) == list(aligned.keys)
