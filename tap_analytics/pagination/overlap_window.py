"""The keys of the last offset pages, compared with those of the next page."""

from __future__ import annotations

import enum
import operator
import typing as t
from collections import deque
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

#: Pages whose keys are kept, or as many as have this number of rows; rows rarely move further.
PAGES = 8
ROWS = 1000


class OverlapMatch(enum.Enum):
    """How a page follows the one before."""

    MATCHED = enum.auto()
    #: The page begins with a known row, but not the last one: rows were inserted before it.
    INSERTED = enum.auto()
    #: The page begins with an unknown row, or is empty: rows were deleted before it.
    DELETED = enum.auto()


@dataclass(slots=True)
class OverlapWindow:
    """The keys of the last pages."""

    #: The page that the next one overlaps, and the last ones with new rows.
    _last: Sequence[Hashable] = ()
    _pages: deque[Sequence[Hashable]] = field(default_factory=deque)
    _rows: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether no row was read."""
        return not self._last

    @property
    def width(self) -> int:
        """The number of rows of the last page."""
        return len(self._last)

    @property
    def last(self) -> Hashable:
        """The key of the last row."""
        return self._last[-1]

    def match(self, keys: Sequence[Hashable]) -> OverlapMatch:
        """Return how a page that should begin with the last row follows."""
        if keys and keys[0] == self.last:
            return OverlapMatch.MATCHED
        is_known = bool(keys) and not self.fresh(keys[:1])[0]
        return OverlapMatch.INSERTED if is_known else OverlapMatch.DELETED

    def fresh(self, keys: Sequence[Hashable]) -> list[bool]:
        """Return which rows are not known."""
        known = {key for page in self._pages for key in page}.union(self._last)
        return [key not in known for key in keys]

    def keeps_order(self, keys: Sequence[Hashable]) -> bool:
        """Whether known rows are in the same order as before."""
        for page in (*self._pages, self._last):
            places = {key: place for place, key in enumerate(page)}
            found = [places[key] for key in keys if key in places]
            if any(map(operator.gt, found, found[1:])):
                return False
        return True

    def is_last(self, keys: Sequence[Hashable]) -> bool:
        """Whether a page equals the last one, row for row."""
        return len(keys) == len(self._last) and all(map(operator.eq, keys, self._last))

    def remember(self, keys: Sequence[Hashable], *, new: bool = True) -> None:
        """Remember a page; a page that isn't `new` removes no other."""
        if not keys:
            return
        self._last = keys
        if not new:
            return
        self._pages.append(keys)
        self._rows += len(keys)
        while len(self._pages) > PAGES and self._rows > ROWS:
            self._rows -= len(self._pages.popleft())
