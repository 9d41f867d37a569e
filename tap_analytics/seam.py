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

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

#: Pages whose keys are remembered; rows rarely move further.
PAGES = 8


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
