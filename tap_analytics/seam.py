"""The seam between two pages that are read by row number.

A row deleted in front of the reader moves all others one place forward, past the reader; one that
is inserted pushes rows back, in front of it again. So each page begins a row early: if its first
row is the last row of the page before, nothing has moved. If not, the rows tell what happened.
"""

from __future__ import annotations

import enum
import typing as t
from collections import deque
from dataclasses import dataclass, field

from tap_analytics.completeness import PaginationError
from tap_analytics.pagination import whole_number
from tap_analytics.transport.errors import Rejected

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from logging import Logger

    from tap_analytics.completeness import Proof
    from tap_analytics.pages import Fetched
    from tap_analytics.pagination import Page, Query, Seen

#: Pages whose keys are remembered; rows rarely move further.
PAGES = 8
#: Pages the reader goes back, at most, to find rows that moved past it.
STEPS_BACK = 8
INSERTED = "Rows were inserted in front of the reader; going on."


class Joint(enum.Enum):
    """How a page joins the one before."""

    JOINED = enum.auto()
    #: Rows that have been read lie before rows that have not: some were inserted in front.
    PUSHED = enum.auto()
    #: Nothing but rows that have been read.
    REPEATED = enum.auto()
    #: No row that has been read, or no row at all: some were deleted in front.
    TORN = enum.auto()


@dataclass(slots=True)
class Seam:
    """Remembers the keys of the last pages and judges how the next page joins them."""

    #: Name of the parameter that carries the row number.
    param: str
    #: Whether a page has joined; until then the server may not know odd row numbers.
    proven: bool = False
    _pages: deque[Sequence[Hashable]] = field(default_factory=lambda: deque(maxlen=PAGES))

    @property
    def is_open(self) -> bool:
        """Whether there is a row to join to."""
        return bool(self._pages)

    @property
    def width(self) -> int:
        """Return how many rows the last page had."""
        return len(self._pages[-1]) if self._pages else 0

    def judge(self, keys: Sequence[Hashable]) -> Joint:
        """Tell how a page that should begin with the last row joins."""
        if keys and keys[0] == self._pages[-1][-1]:
            return Joint.JOINED
        known = self._known()
        fresh = [key not in known for key in keys]
        if not keys or fresh[0]:
            return Joint.TORN
        return Joint.PUSHED if any(fresh) else Joint.REPEATED

    def fresh(self, keys: Sequence[Hashable]) -> list[bool]:
        """Return which rows have not been read."""
        known = self._known()
        return [key not in known for key in keys]

    def has_all(self, keys: Sequence[Hashable]) -> bool:
        """Whether there are rows, and all of them have been read."""
        return self.is_open and bool(keys) and not any(self.fresh(keys))

    def remember(self, keys: Sequence[Hashable]) -> None:
        """Take note of a page's rows, in order."""
        if keys:
            self._pages.append(keys)

    def _known(self) -> set[Hashable]:
        return {key for page in self._pages for key in page}


#: A page, and which of its rows are new where not all are.
Joined = tuple["Fetched", list[bool] | None]


@dataclass(slots=True, kw_only=True)
class Joiner:
    """Fetches pages by row number, in order, and returns what is new of each.

    Raises `PaginationError` where the server repeats itself, or where rows move faster than they
    can be read.
    """

    seam: Seam
    proof: Proof
    logger: Logger
    fetch: Callable[[Query], Fetched]
    #: Forgets the pages that were read ahead: they lie where the rows were.
    drop: Callable[[], None]
    #: Rows of the list that lie behind the reader.
    _reached: int = 0

    @property
    def seen(self) -> Seen:
        """What the walk has received."""
        return self.proof.paginator.seen

    def take(self, query: Query) -> Fetched:
        """Return what is new of a page, rows that have moved meanwhile included."""
        fetched, fresh = self._joined(query)
        if not self.seam.is_open and fetched.page.received > 1:
            self.seen.overlap = 1
        self.seam.remember(fetched.keys)
        self._reached = self._end(fetched.page)
        return fetched if fresh is None else fetched.keep(fresh)

    def go_on(self, fetched: Fetched) -> None:
        """Take note of the page an earlier run has ended with."""
        if len(fetched.keys) > 1:
            self.seam.remember(fetched.keys)
            self.seen.overlap = 1
        self._reached = self._end(fetched.page)

    def _end(self, page: Page) -> int:
        return self.proof.paginator.paging.reached(page, self.seen)

    def _joined(self, query: Query) -> Joined:
        start = whole_number(query.get(self.seam.param))
        if not self.seam.is_open or start is None or start > self._reached:
            return self.fetch(query), None
        if start == self._reached:
            return self._confirmed(self.fetch(query))
        try:
            fetched = self.fetch(query)
        except Rejected as error:
            if self.seam.proven or error.status not in {400, 422}:
                raise
            return self._realigned(query), None
        return self._judged(query, fetched)

    def _judged(self, query: Query, fetched: Fetched) -> Joined:
        """Judge a page that begins a row early."""
        joint = self.seam.judge(fetched.keys)
        if joint is Joint.JOINED:
            self.seam.proven = True
            return fetched, [False, *([True] * (len(fetched.keys) - 1))]
        if joint is Joint.REPEATED:
            proven = self.seam.proven
            return self._beyond(fetched) if proven else self._confirmed(self._realigned(query))
        if not fetched.keys and not self.seam.proven:
            # Some servers answer odd row numbers with nothing; so does a list that has shrunk.
            aligned = self._realigned(query)
            if aligned.keys:
                return self._confirmed(aligned)
            self.seen.overlap = 1
        self.drop()
        self.proof.moved()
        if joint is Joint.PUSHED:
            self.logger.warning(INSERTED)
            return fetched, self.seam.fresh(fetched.keys)
        back = self._stepped_back(query)
        fresh = self.seam.fresh(back.keys)
        # Nothing on this page and nothing new before it: that was the end.
        return (back, fresh) if fetched.keys or any(fresh) else (fetched, None)

    def _confirmed(self, fetched: Fetched) -> Joined:
        """Judge a page asked for where the page before ended, which is mostly the end."""
        if self.seam.has_all(fetched.keys):
            return self._beyond(fetched)
        if not fetched.keys or not self.seen.overlap:
            return fetched, None
        # The page before was short because the server caps its pages: this seam is open yet.
        early = {**fetched.page.query, self.seam.param: str(self._reached - 1)}
        self.proof.moved()
        return self._judged(early, self.fetch(early))

    def _beyond(self, fetched: Fetched) -> Joined:
        """Look behind a page of known rows: rows were inserted, or the server repeats itself."""
        self.drop()
        query = {**fetched.page.query, self.seam.param: str(self._end(fetched.page) - 1)}
        beyond = self.fetch(query)
        joins = bool(beyond.keys) and beyond.keys[0] == fetched.keys[-1]
        if self.seam.has_all(beyond.keys) and not (joins and len(beyond.keys) == 1):
            raise self.proof.repeated(fetched.page)
        self.proof.moved()
        self.logger.warning(INSERTED)
        if not joins:
            beyond = self._stepped_back(query)
        return beyond, self.seam.fresh(beyond.keys)

    def _realigned(self, query: Query) -> Fetched:
        """Ask again where the page before ended: this server knows whole pages only."""
        self.seen.overlap = 0
        self.drop()
        return self.fetch({**query, self.seam.param: str(int(str(query[self.seam.param])) + 1)})

    def _stepped_back(self, query: Query) -> Fetched:
        """Read backwards to a page that begins with a known row, or to the first page."""
        position = int(str(query[self.seam.param]))
        for step in range(1, STEPS_BACK + 1):
            position = max(0, position - max(2, self.seen.asked or 0, self.seam.width) + 1)
            fetched = self.fetch({**query, self.seam.param: str(position)})
            fresh = self.seam.fresh(fetched.keys)
            if position == 0 or (fresh and not fresh[0]):
                self.seam.proven = True
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
            "steps back the reader found no row it knew. Read the stream at a quieter time, or "
            "with a larger `page_size`."
        )
