"""The children of parents, read in order, while the first pages of those that come next are warmed.

All children of a page of parents stand in one line, and those of the next page behind them, so that
no place for a request stays empty where a page, or a child stream, ends.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.extraction import Extraction


@dataclass(frozen=True, slots=True)
class Visit:
    """One endpoint of a child stream: that of one parent."""

    child: Extraction
    context: Context

    def warm(self) -> bool:
        """Ask for the first page without waiting for it; False if there is no room."""
        return self.child.is_over or self.child.warm(self.context)

    def pay(self) -> None:
        """Read the endpoint to its end, if the child stream is still read."""
        self.child.run_parent(self.context)
        if self.child.is_over:
            self.child.drop()


@dataclass(slots=True)
class Visits:
    """The visits that follow from one walk over parents."""

    #: How many visits to warm; none or one, and nothing is taken early.
    ahead: Callable[[], int]
    _warmed: int = 0

    def pay(self, visits: Sequence[Visit], upcoming: Callable[[], Sequence[Visit]]) -> None:
        """Pay the visits of a page; `upcoming` names those of the next one, if it has come."""
        line = [*visits]
        is_whole = False
        for position, visit in enumerate(visits):
            end = position + 1 + self.ahead()
            self._warmed = max(self._warmed, position + 1)
            if end > len(line) and self.ahead() > 1 and not is_whole:
                line += upcoming()
                is_whole = True
            while self._warmed < min(end, len(line)) and line[self._warmed].warm():
                self._warmed += 1
            visit.pay()
        self._warmed = max(0, self._warmed - len(visits))
