"""Rows that move, told from a server that repeats itself: both bring pages without a new row.

Rows inserted in front of the reader push back what it has read, but never far behind it. A server
that ignores the row number, or answers the last page again beyond the end, gives the same pages
wherever it is asked.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

#: Pages, one after the other, that may bring nothing new while rows are inserted in front.
LIMIT = 12
#: Pages to look ahead of the reader for rows that can't be there.
FAR = 3


@dataclass(slots=True)
class StallDetector:
    """What was answered since the last new row."""

    #: Pages that were to bring new rows and brought none.
    pages: int = 0
    _answers: list[Sequence[Hashable]] = field(default_factory=list)
    _doubted: int = -FAR

    @property
    def is_over(self) -> bool:
        """Whether nothing new has come for too long."""
        return self.pages > LIMIT

    @property
    def reach(self) -> int:
        """Return how far ahead no row can have been pushed."""
        return FAR * max(map(len, self._answers), default=1)

    def record(self, keys: Sequence[Hashable]) -> None:
        """Take note of whatever was answered."""
        if keys:
            self._answers.append(keys)

    def end(self) -> None:
        """Take note that the last answer brought new rows."""
        self.pages, self._doubted = 0, -FAR
        del self._answers[:-1]

    def should_probe(self, keys: Sequence[Hashable]) -> bool:
        """Take note of a page without a new row; whether it calls for a look far ahead."""
        self.pages += 1
        if self._answers.count(keys) == 1 or self.pages < self._doubted + FAR:
            return False
        self._doubted = self.pages
        return True

    def has(self, keys: Sequence[Hashable]) -> bool:
        """Whether a page has been answered before, row for row."""
        return keys in self._answers
