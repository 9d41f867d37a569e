"""Keys of the last offset pages, and their match with the next page."""

from __future__ import annotations

import enum
import operator
import typing as t
from collections import deque
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

#: Pages whose keys are remembered, and rows where pages are small; rows rarely move further.
PAGES = 8
ROWS = 1000


class OverlapMatch(enum.Enum):
    """How a page follows the one before."""

    MATCHED = enum.auto()
    #: Rows that have been read come before any that have not: some were inserted before them.
    INSERTED = enum.auto()
    #: No row that has been read, or no row at all: some were deleted before them.
    DELETED = enum.auto()


@dataclass(slots=True)
class OverlapWindow:
    """The keys of the last pages, with which the next page is compared."""

    #: The page that the next one overlaps, and the last ones that brought rows.
    _last: Sequence[Hashable] = ()
    _pages: deque[Sequence[Hashable]] = field(default_factory=deque)
    _rows: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is no row to compare with."""
        return not self._last

    @property
    def width(self) -> int:
        """Return how many rows the last page had."""
        return len(self._last)

    @property
    def last(self) -> Hashable:
        """Return the last row."""
        return self._last[-1]

    def match(self, keys: Sequence[Hashable]) -> OverlapMatch:
        """Tell how a page that should begin with the last row follows."""
        if keys and keys[0] == self.last:
            return OverlapMatch.MATCHED
        is_known = bool(keys) and not self.fresh(keys[:1])[0]
        return OverlapMatch.INSERTED if is_known else OverlapMatch.DELETED

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
        """Remember a page's rows, in order; one without a new row pushes no other out."""
        if not keys:
            return
        self._last = keys
        if not new:
            return
        self._pages.append(keys)
        self._rows += len(keys)
        while len(self._pages) > PAGES and self._rows > ROWS:
            self._rows -= len(self._pages.popleft())
