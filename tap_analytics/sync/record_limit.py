"""A preview: a run that wants no more than so many records of each stream.

What is cut short by it proves nothing and leaves no trace in the state, so the next real run finds
everything as it was.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.rows import Rows
    from tap_analytics.reporting.results import StreamResult


@dataclass(frozen=True, slots=True)
class RecordLimit:
    """How many records of one stream are still wanted."""

    #: Records to write at most.
    most: int
    outcome: StreamResult
    #: Whether the stream is written, or read for its children only.
    written: bool

    @property
    def remaining(self) -> int:
        """Records still wanted; none of a stream that isn't written."""
        return self.most - self.outcome.rows if self.written else 0

    def wanted(self, rows: Rows, *, bookmark: Bookmark | None, key: str | None) -> Rows:
        """Return the rows of a page before the first that there is no room for."""
        if not self.written:
            return rows
        if bookmark is None or key is None:
            return rows.head(self.remaining)
        flags = bookmark.wanted(rows.column(key))
        places = [place for place, flag in enumerate(flags) if flag]
        return rows if len(places) <= self.remaining else rows.head(places[self.remaining])
