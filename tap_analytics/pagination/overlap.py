"""The seam between two pages that are read by row number.

A row deleted in front of the reader moves all others one place forward, past the reader; one that
is inserted pushes rows back, in front of it again. So each page begins a row early: if its first
row is the last row of the page before, nothing has moved. If not, the rows tell what happened.
"""

from __future__ import annotations

import enum
import operator
import typing as t
from collections import deque
from dataclasses import dataclass, field, replace

from tap_analytics.pagination import whole_number
from tap_analytics.pagination.completeness import PUSHED, UNORDERED, UNSTEADY, PaginationError
from tap_analytics.pagination.stall import StallDetector
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from logging import Logger, LoggerAdapter

    from tap_analytics.pagination import Page, PageToken, PagingState
    from tap_analytics.pagination.completeness import PaginationGuard
    from tap_analytics.pagination.page import FetchedPage

#: Pages whose keys are remembered, and rows where pages are small; rows rarely move further.
PAGES = 8
ROWS = 1000
#: Pages the reader goes back, at most, to find rows that moved past it.
STEPS_BACK = 8
INSERTED = "Rows were inserted in front of the reader; going on."


class OverlapMatch(enum.Enum):
    """How a page joins the one before."""

    MATCHED = enum.auto()
    #: Rows that have been read lie before rows that have not: some were inserted in front.
    INSERTED = enum.auto()
    #: Nothing but rows that have been read.
    REPEATED = enum.auto()
    #: No row that has been read, or no row at all: some were deleted in front.
    DELETED = enum.auto()


@dataclass(slots=True)
class OverlapWindow:
    """Remembers the keys of the last pages and judges how the next page joins them."""

    #: Name of the parameter that carries the row number.
    param: str
    #: Whether the server is known to know odd row numbers, which some don't.
    proven: bool = False
    #: The page that the next one is to join, and the last ones that brought rows.
    _last: Sequence[Hashable] = ()
    _pages: deque[Sequence[Hashable]] = field(default_factory=deque)
    _rows: int = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a row to join to."""
        return bool(self._last)

    @property
    def width(self) -> int:
        """Return how many rows the last page had."""
        return len(self._last)

    @property
    def last(self) -> Hashable:
        """Return the row to join to."""
        return self._last[-1]

    def judge(self, keys: Sequence[Hashable]) -> OverlapMatch:
        """Tell how a page that should begin with the last row joins."""
        if keys and keys[0] == self.last:
            return OverlapMatch.MATCHED
        fresh = self.fresh(keys)
        if not keys or fresh[0]:
            return OverlapMatch.DELETED
        return OverlapMatch.INSERTED if any(fresh) else OverlapMatch.REPEATED

    def fresh(self, keys: Sequence[Hashable]) -> list[bool]:
        """Return which rows have not been read."""
        known = {key for page in self._pages for key in page}.union(self._last)
        return [key not in known for key in keys]

    def keeps_order(self, keys: Sequence[Hashable]) -> bool:
        """Whether rows that have been read come again in the order they came in."""
        for page in (*self._pages, self._last):
            places = {key: place for place, key in enumerate(page)}
            found = [places[key] for key in keys if key in places]
            if any(map(operator.gt, found, found[1:])):
                return False
        return True

    def is_last(self, keys: Sequence[Hashable]) -> bool:
        """Whether a page is the last one again, row for row."""
        return len(keys) == len(self._last) and all(map(operator.eq, keys, self._last))

    def remember(self, keys: Sequence[Hashable], *, new: bool = True) -> None:
        """Take note of a page's rows, in order; one without a new row pushes no other out."""
        if not keys:
            return
        self._last = keys
        if not new:
            return
        self._pages.append(keys)
        self._rows += len(keys)
        while len(self._pages) > PAGES and self._rows > ROWS:
            self._rows -= len(self._pages.popleft())


#: A page, and which of its rows are new where not all are.
Overlapped = tuple["FetchedPage", list[bool] | None]


@dataclass(slots=True, kw_only=True)
class OverlapReader:
    """Fetches pages by row number, in order, and returns what is new of each.

    What it takes begins with a row that has been read, or with the first row of the list: so no row
    lies between. Raises `PaginationError` where the server repeats itself, or where rows move
    faster than they can be read.
    """

    seam: OverlapWindow
    proof: PaginationGuard
    logger: Logger | LoggerAdapter[Logger]
    fetch: Callable[[PageToken], FetchedPage]
    #: Forgets the pages that were read ahead: they lie where the rows were.
    drop: Callable[[], None]
    #: Rows of the list that lie behind the reader.
    _reached: int = 0
    #: Whether rows have moved, so that rows that have been read may come again on any page.
    _moved: bool = False
    #: Whether a row number that had to be there was answered with nothing.
    _was_empty: bool = False
    #: Rows by which others were pushed back since the walk began, and the first row of the list.
    pushed: int = 0
    first: Hashable = None
    #: Whether rows are read again because others were deleted.
    _steps_back: bool = False
    _still: StallDetector = field(default_factory=StallDetector)

    @property
    def seen(self) -> PagingState:
        """What the walk has received."""
        return self.proof.paginator.seen

    def read(self, query: PageToken) -> FetchedPage:
        """Return what is new of a page, rows that have moved meanwhile included."""
        fetched, fresh = self._joined(query)
        idle = bool(fresh and not any(fresh) and fetched.page.received)
        if not self.seam.is_open and fetched.page.received > 1:
            self.seen.overlap, self.first = 1, fetched.keys[0]
        self.seam.remember(fetched.keys, new=not idle)
        self._reached = self._end(fetched.page)
        if idle:
            self._wait(fetched)
        else:
            self._still.end()
        return fetched if fresh is None else fetched.filter(fresh)

    def resume(self, fetched: FetchedPage) -> None:
        """Take note of the page an earlier run has ended with."""
        if len(fetched.keys) > 1:
            self.seam.remember(fetched.keys)
            self.seen.overlap = 1
        self._reached = self._end(fetched.page)

    def traced(
        self, start: PageToken, *, fresh: Callable[[Sequence[Hashable]], list[bool]]
    ) -> Iterator[FetchedPage]:
        """Yield the new rows in front of the first that was read, as far as others were pushed.

        If they are as many as the rows that were pushed back, they explain it: they may be new, or
        rows of the list that have moved there.
        """
        found, position, is_there = 0, 0, False
        while self.first is not None and found < self.pushed and not is_there:
            fetched = self.fetch({**start, self.seam.param: str(position)})
            keys = list(fetched.keys)
            is_there = self.first in keys
            number = keys.index(self.first) if is_there else len(keys)
            kept = fetched.filter([new and at < number for at, new in enumerate(fresh(keys))])
            found, position = found + kept.page.size, position + len(keys)
            yield kept
            if kept.page.size < number or not keys:
                return
        if is_there and found >= self.pushed and self.proof.doubt == PUSHED:
            self.proof.doubt = None

    def _end(self, page: Page) -> int:
        return self.proof.paginator.paging.reached(page, self.seen)

    def _at(self, query: PageToken, start: int) -> FetchedPage:
        return self._ask({**query, self.seam.param: str(start)})

    def _ask(self, query: PageToken) -> FetchedPage:
        fetched = self.fetch(query)
        self._still.record(fetched.keys)
        if self._moved:
            self._check_order(fetched)
        return fetched

    def _check_order(self, fetched: FetchedPage) -> None:
        if not self.seam.keeps_order(fetched.keys):
            self.proof.doubt_because(UNORDERED)

    def _joined(self, query: PageToken) -> Overlapped:
        start = whole_number(query.get(self.seam.param))
        if not self.seam.is_open or start is None or start > self._reached:
            return self._ask(query), None
        if start == self._reached:
            return self._confirmed(self._ask(query))
        try:
            fetched = self._ask(query)
        except Rejected as error:
            if self.seam.proven or error.status not in {400, 422}:
                raise
            self._align()
            return self._at(query, start + 1), None
        return self._judged(fetched, start)

    def _judged(self, fetched: FetchedPage, start: int) -> Overlapped:
        """Judge a page that begins a row early."""
        joint = self.seam.judge(fetched.keys)
        if joint is OverlapMatch.MATCHED:
            self.seam.proven = True
            if self._moved:
                return fetched, self._counted(fetched)
            return fetched, [False, *([True] * (len(fetched.keys) - 1))]
        if not self.seam.proven and (not fetched.keys or self.seam.is_last(fetched.keys)):
            return self._aligned(fetched, start)
        # Whatever else comes, the server knows odd row numbers.
        self.seam.proven |= bool(fetched.keys)
        self._move()
        self._check_order(fetched)
        self._check_steady(fetched)
        if joint is OverlapMatch.DELETED:
            return self._torn(fetched, start)
        self.logger.warning(INSERTED)
        return fetched, self._counted(fetched)

    def _counted(self, fetched: FetchedPage, *, early: int = 1) -> list[bool]:
        """Return which rows are new; those that are not, but for the seam, were pushed back."""
        fresh = self.seam.fresh(fetched.keys)
        again = fresh.count(False) - early
        if self._steps_back:
            self._steps_back = again > 0
        elif again > 0:
            self.pushed += again
            self.proof.doubt_because(PUSHED)
        return fresh

    def _confirmed(self, fetched: FetchedPage) -> Overlapped:
        """Judge a page asked for where the page before ended, which is mostly the end."""
        fresh = self.seam.fresh(fetched.keys)
        if not fetched.keys or (all(fresh) and not self.seen.overlap):
            return fetched, None
        self._move()
        self._check_order(fetched)
        self._check_steady(fetched)
        if not fresh[0]:
            self._counted(fetched, early=0)
        if not any(fresh) and self._is_end(fetched):
            return replace(fetched, page=replace(fetched.page, received=0)), fresh
        if not fresh[0] or not self.seen.overlap:
            return fetched, fresh
        # The page before was short because the server caps its pages: this seam is open yet.
        early = self._reached - 1
        return self._judged(self._at(fetched.page.query, early), early)

    def _is_end(self, fetched: FetchedPage) -> bool:
        """Whether a page ends with the last row, which was pushed there, though it has room."""
        short = fetched.page.received < self.seen.max_rows
        return short and fetched.keys[-1] == self.seam.last

    def _aligned(self, early: FetchedPage, start: int) -> Overlapped:
        """Judge a page as servers give it that know whole pages only: the last one, or nothing.

        Rows that moved may look like that, but not twice: such a server answers the same again.
        """
        self._move()
        query = early.page.query
        aligned = self._at(query, start + 1)
        fresh = self.seam.fresh(aligned.keys)
        if not aligned.keys and not early.keys:
            return self._torn(early, start)
        if fresh and not fresh[0]:
            return aligned, fresh
        if not all(fresh) or not self._is_aligned(early, aligned, start):
            return self._torn(aligned, start)
        if not early.keys and not self._was_empty:
            # A list that shrinks and grows may look so once.
            self._was_empty = True
            return self._torn(aligned, start)
        if aligned.keys:
            self._align()
        return aligned, None

    def _is_aligned(self, early: FetchedPage, aligned: FetchedPage, start: int) -> bool:
        """Whether odd row numbers are answered the same again, with a whole page or nothing."""
        query = early.page.query
        if list(self._at(query, start).keys) != list(early.keys):
            return False
        if not (early.keys and aligned.keys):
            return True
        return list(self._at(query, start + 2).keys) == list(aligned.keys)

    def _align(self) -> None:
        """From here on ask where the page before ended: this server knows whole pages only."""
        self.seen.overlap = 0
        self.drop()

    def _move(self) -> None:
        """Note that rows have moved, so that what was read ahead lies elsewhere now."""
        self._moved = True
        self.drop()
        self.proof.forget_tokens()

    def _check_steady(self, fetched: FetchedPage) -> None:
        """Ask once more for a page that shows a move: rows that moved stay where they are now.

        Where replicas differ, they don't.
        """
        if self.proof.doubt is None:
            again = self.fetch(fetched.page.query)
            if list(again.keys) != list(fetched.keys):
                self.proof.doubt_because(UNSTEADY)

    def _wait(self, fetched: FetchedPage) -> None:
        """Let a page without a new row pass, unless the server repeats itself."""
        if self._still.should_probe(fetched.keys) and self._is_everywhere(fetched):
            raise self.proof.repeated(fetched.page)
        if self._still.is_over:
            raise PaginationError(
                f"{self.proof.label}: rows move faster than they can be read: {self._still.pages} "
                "pages in a row brought none that is new. Read the stream at a quieter time, or "
                "in larger pages."
            )

    def _is_everywhere(self, fetched: FetchedPage) -> bool:
        """Whether the server gives rows far ahead that it has just given here."""
        far = self._end(fetched.page) + max(self._still.reach, self.seen.page_size or 0)
        try:
            beyond = self.fetch({**fetched.page.query, self.seam.param: str(far)})
        except Rejected:
            return False
        self._check_order(beyond)
        return self._still.has(beyond.keys)

    def _torn(self, torn: FetchedPage, start: int) -> Overlapped:
        """Return the rows that moved past the reader, found by going back."""
        self._steps_back = True
        back = self._stepped_back(torn.page.query, start)
        fresh = self.seam.fresh(back.keys)
        # The end, if this page isn't full, or if odd row numbers are answered with nothing.
        odd = not self.seam.proven and self._end(back.page) > start
        is_end = odd or back.page.received < self.seen.max_rows
        return (torn, None) if is_end and not torn.keys and not any(fresh) else (back, fresh)

    def _stepped_back(self, query: PageToken, position: int) -> FetchedPage:
        """Read backwards to a page that begins with a known row, or to the first page."""
        for step in range(1, STEPS_BACK + 1):
            position = max(0, position - max(2, self.seen.max_rows, self.seam.width) + 1)
            fetched = self._at(query, position)
            fresh = self.seam.fresh(fetched.keys)
            if position == 0 or (fresh and not fresh[0]):
                self.logger.warning(
                    "Rows were deleted in front of the reader: stepped back to row %d, "
                    "found %d rows that had moved past it, with %d more requests.",
                    position,
                    sum(fresh),
                    step,
                )
                return fetched
        raise PaginationError(
            f"{self.proof.label}: rows move faster than they can be read: after {STEPS_BACK} "
            "steps back the reader found no row it knew. Read the stream at a quieter time."
        )
