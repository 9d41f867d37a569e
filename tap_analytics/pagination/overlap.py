"""Reads offset pages that overlap by one row, to detect rows that move.

A row deleted before the current offset moves all later rows forward, so that one is skipped; an
inserted row moves them back, so that one is repeated. So each page starts one row early: if its
first row is the last row of the previous page, no row has moved. If not, the rows show what
happened.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from itertools import takewhile

from tap_analytics.pagination.guard import ROWS_INSERTED
from tap_analytics.pagination.overlap_window import OverlapMatch
from tap_analytics.pagination.row_fetcher import RowFetcher
from tap_analytics.pagination.strategies.metadata import whole_number
from tap_analytics.pagination.strategies.numbered import Offset
from tap_analytics.records.notation import comparable
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.guard import PaginationGuard
    from tap_analytics.pagination.page import FetchedPage, Fresh, PageToken

INSERTED = "Rows were inserted before the current offset; continuing."

#: A page, and which of its rows are new; None if all are.
Overlapped = tuple["FetchedPage", list[bool] | None]


def open_source(fetcher: PageFetcher, guard: PaginationGuard) -> PageSource:
    """Return what reads the pages: with overlap if they go by row number and rows have keys."""
    paging = fetcher.endpoint.paging
    if not guard.keyed or not isinstance(paging, Offset) or not paging.is_whole:
        return DirectReader(fetcher=fetcher, guard=guard)
    return OverlapReader(rows=RowFetcher(fetcher=fetcher, guard=guard, param=paging.offset_param))


@dataclass(slots=True, kw_only=True)
class DirectReader:
    """Returns pages unchanged.

    A link or cursor may move the start of the range, which is inclusive: then the first rows of a
    page may be the last ones of the page before, which is no sign that rows moved.
    """

    fetcher: PageFetcher
    guard: PaginationGuard
    #: The start of the range of the last page, and its keys.
    _start: PageToken = field(default_factory=dict)
    _keys: Sequence[Hashable] = ()

    def read(self, token: PageToken) -> FetchedPage:
        """Return a page."""
        fetched = self.fetcher.fetch(token)
        window = self.fetcher.window
        names = [name for name in self.fetcher.endpoint.bounds if name in window]
        start = {name: token.get(name, window[name]) for name in names}
        if any(_is_later(start[name], self._start.get(name)) for name in names):
            known = set(self._keys)
            self.guard.explained += sum(1 for _ in takewhile(known.__contains__, fetched.keys))
        self._start, self._keys = start, fetched.keys
        return fetched

    def has_read(self, keys: Sequence[Hashable], last: Sequence[Hashable]) -> bool:
        """Whether a page has rows, and all of them were on the `last` one."""
        return bool(keys) and set(last).issuperset(keys)

    def resume(self, fetched: FetchedPage) -> None:
        """Continue after the last page of an earlier run."""

    def inserted(self, fresh: Fresh) -> Iterator[FetchedPage]:  # noqa: ARG002 - for pages that overlap
        """Yield the rows inserted before the first one, of which nothing is known."""
        return iter(())


def _is_later(value: str | tuple[str, ...], before: str | tuple[str, ...] | None) -> bool:
    """Whether a value of a range is a later time, or a larger number, than another."""
    place, earlier = comparable(value), comparable(before)
    return type(place) is type(earlier) is not type(None) and t.cast("t.Any", place) > earlier


@dataclass(slots=True, kw_only=True)
class OverlapReader:
    """Reads pages by row number, in order, and returns the new rows of each.

    Each page it returns begins with a known row or with the first row of the list, so no row is
    skipped. Raises `PaginationError` if the server repeats itself, or if rows move faster than
    they can be read.
    """

    rows: RowFetcher
    #: Whether the server is known to support offsets that aren't multiples of the limit.
    _supports_any_offset: bool = False
    #: Number of the row after the last one read.
    _reached: int = 0
    #: Whether an offset before the end was answered with an empty page.
    _was_empty: bool = False
    _shifted: ShiftedRows = field(init=False)
    #: Whether known rows are read again because others were deleted.
    _steps_back: bool = False

    def __post_init__(self) -> None:
        self._shifted = ShiftedRows(rows=self.rows)

    def read(self, token: PageToken) -> FetchedPage:
        """Return the new rows of a page."""
        fetched, fresh = self._overlapped(token)
        nothing_new = bool(fresh and not any(fresh) and fetched.page.received)
        if self.rows.window.is_empty and fetched.page.received > 1:
            self.rows.guard.paginator.overlap_by(1)
            self._shifted.first = fetched.keys[0]
        self._reached = self.rows.end_of(fetched.page)
        self.rows.remember(fetched, is_new=not nothing_new)
        return fetched if fresh is None else fetched.filter(fresh)

    def has_read(self, keys: Sequence[Hashable], last: Sequence[Hashable]) -> bool:  # noqa: ARG002 - for pages that don't overlap
        """Whether a page has rows, and all of them were on the last pages."""
        return bool(keys) and not any(self.rows.window.fresh(keys))

    def resume(self, fetched: FetchedPage) -> None:
        """Continue after the last page of an earlier run."""
        if len(fetched.keys) > 1:
            self.rows.window.remember(fetched.keys)
            self.rows.guard.paginator.overlap_by(1)
        self._reached = self.rows.end_of(fetched.page)

    def inserted(self, fresh: Fresh) -> Iterator[FetchedPage]:
        """Yield the rows inserted before the first one, as far as others were shifted by them."""
        return self._shifted.inserted(fresh)

    def _overlapped(self, token: PageToken) -> Overlapped:
        start = whole_number(token.get(self.rows.param))
        if self.rows.window.is_empty or start is None or start > self._reached:
            return self.rows.fetch(token), None
        if start == self._reached:
            return self._adjacent(self.rows.fetch(token))
        try:
            fetched = self.rows.fetch(token)
        except Rejected as error:
            if self._supports_any_offset or error.status not in {400, 422}:
                raise
            self.rows.stop_overlapping()
            return self.rows.fetch(token, at=start + 1), None
        return self._early(fetched, start)

    def _early(self, fetched: FetchedPage, start: int) -> Overlapped:
        """Compare a page that begins a row early."""
        match = self.rows.window.match(fetched.keys)
        if match is OverlapMatch.MATCHED:
            self._supports_any_offset = True
            if self.rows.has_moved:
                return fetched, self._fresh(fetched)
            return fetched, [False, *([True] * (len(fetched.keys) - 1))]
        if not self._supports_any_offset and (
            not fetched.keys or self.rows.window.is_last(fetched.keys)
        ):
            return self._aligned(fetched, start)
        # Rows other than those of the page before show that the offset was applied.
        self._supports_any_offset |= bool(fetched.keys)
        self.rows.note_move(fetched)
        if match is OverlapMatch.DELETED:
            return self._deleted(fetched, start)
        self.rows.fetcher.endpoint.logger.warning(INSERTED)
        return fetched, self._fresh(fetched)

    def _adjacent(self, fetched: FetchedPage) -> Overlapped:
        """Compare a page that begins where the page before ended, which is mostly the end."""
        fresh = self.rows.window.fresh(fetched.keys)
        if not fetched.keys or (all(fresh) and not self.rows.seen.overlap):
            return fetched, None
        self.rows.note_move(fetched)
        if not fresh[0]:
            self._fresh(fetched, overlap=0)
        if not any(fresh) and self._is_end(fetched):
            return replace(fetched, page=replace(fetched.page, received=0)), fresh
        if not fresh[0] or not self.rows.seen.overlap:
            return fetched, fresh
        # The page before was short because the server caps its pages: rows may lie between.
        start = self._reached - 1
        return self._early(self.rows.fetch(fetched.page.query, at=start), start)

    def _is_end(self, fetched: FetchedPage) -> bool:
        """Whether a page that isn't full ends with the last row, which was shifted onto it."""
        short = fetched.page.received < self.rows.seen.max_rows
        return short and fetched.keys[-1] == self.rows.window.last

    def _fresh(self, fetched: FetchedPage, *, overlap: int = 1) -> list[bool]:
        """Return which rows are new; known ones other than the overlap were shifted."""
        fresh = self.rows.window.fresh(fetched.keys)
        repeated = fresh.count(False) - overlap
        if self._steps_back:
            self._steps_back = repeated > 0
        elif repeated > 0:
            self._shifted.count += repeated
            self.rows.guard.doubt_because(ROWS_INSERTED)
        return fresh

    def _deleted(self, fetched: FetchedPage, start: int) -> Overlapped:
        """Return the rows that moved before the offset, found by going back."""
        self._steps_back = True
        earlier = self.rows.go_back(fetched.page.query, start)
        fresh = self.rows.window.fresh(earlier.keys)
        # An empty page is the end after a page that isn't full, or where only multiples of the
        # limit are answered with rows.
        is_aligned = not self._supports_any_offset and self.rows.end_of(earlier.page) > start
        is_end = is_aligned or earlier.page.received < self.rows.seen.max_rows
        return (
            (fetched, None) if is_end and not fetched.keys and not any(fresh) else (earlier, fresh)
        )

    def _aligned(self, early: FetchedPage, start: int) -> Overlapped:
        """Compare a page of a server that may support only multiples of the limit as offset.

        Rows that moved may look the same once; such a server gives the same response again.
        """
        self.rows.forget_prefetched()
        aligned = self.rows.fetch(early.page.query, at=start + 1)
        fresh = self.rows.window.fresh(aligned.keys)
        if not aligned.keys and not early.keys:
            return self._deleted(early, start)
        if fresh and not fresh[0]:
            return aligned, fresh
        if not all(fresh) or not self.rows.rounds_offsets(early, aligned, start):
            return self._deleted(aligned, start)
        if not early.keys and not self._was_empty:
            # A list that shrinks and grows may look the same once.
            self._was_empty = True
            return self._deleted(aligned, start)
        if aligned.keys:
            self.rows.stop_overlapping()
        return aligned, None


PageSource = DirectReader | OverlapReader


@dataclass(slots=True, kw_only=True)
class ShiftedRows:
    """Rows shifted by rows inserted before the first page, and the search for the latter."""

    rows: RowFetcher
    #: Number of rows shifted onto a later page since the first page.
    count: int = 0
    #: The key of the first row of the first page.
    first: Hashable = None

    def inserted(self, fresh: Fresh) -> Iterator[FetchedPage]:
        """Yield the new rows before the first one that was read.

        If there are as many of them as rows were shifted, they explain the shift: they may be new,
        or rows of the list that were moved there.
        """
        fetcher, found, position, is_there = self.rows.fetcher, 0, 0, False
        while self.first is not None and found < self.count and not is_there:
            fetched = fetcher.fetch({**fetcher.first, self.rows.param: str(position)})
            keys = list(fetched.keys)
            is_there = self.first in keys
            number = keys.index(self.first) if is_there else len(keys)
            kept = fetched.filter([new and at < number for at, new in enumerate(fresh(keys))])
            found, position = found + kept.page.size, position + len(keys)
            yield kept
            if kept.page.size < number or not keys:
                return
        if is_there and found >= self.count:
            self.rows.guard.withdraw(ROWS_INSERTED)
