"""A preview: a run that wants no more than so many records of each stream.

What is cut short by it proves nothing and leaves no trace in the state, so the next real run finds
everything as it was.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from tap_analytics.incremental import Bookmark
    from tap_analytics.outcome import Outcome
    from tap_analytics.rows import Rows


@dataclass(frozen=True, slots=True)
class Preview:
    """How many records of one stream are still wanted."""

    #: Records to write at most.
    most: int
    outcome: Outcome
    #: Whether the stream is written, or read for its children only.
    written: bool

    @property
    def room(self) -> int:
        """Records still wanted; none of a stream that isn't written."""
        return self.most - self.outcome.rows if self.written else 0

    def wanted(self, rows: Rows, *, bookmark: Bookmark | None, key: str | None) -> Rows:
        """Return the rows of a page before the first that there is no room for."""
        if not self.written:
            return rows
        if bookmark is None or key is None:
            return rows.head(self.room)
        flags = bookmark.wanted(rows.column(key))
        places = [place for place, flag in enumerate(flags) if flag]
        return rows if len(places) <= self.room else rows.head(places[self.room])
