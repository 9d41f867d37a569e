"""The children of parents, read in order, while the first pages of those that come next are warmed.

All children of a page of parents stand in one line, and those of the next page behind them, so that
no place for a request stays empty where a page, or a child stream, ends.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_analytics.errors import TapError
from tap_analytics.transport.errors import Cancelled

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.rows import DictRows, Row, Rows
    from tap_analytics.sync.stream import StreamSync


@dataclass(frozen=True, slots=True)
class ChildRead:
    """One endpoint of a child stream: that of one parent."""

    child: StreamSync
    context: Context

    def prefetch(self) -> bool:
        """Ask for the first page without waiting for it; False if there is no room."""
        return self.child.is_over or self.child.prefetch(self.context)

    def read(self) -> None:
        """Read the endpoint to its end, if the child stream is still read."""
        self.child.read_child(self.context)
        if self.child.is_over:
            self.child.discard()


@dataclass(slots=True)
class ChildQueue:
    """The visits that follow from one walk over parents."""

    parent: StreamSync
    #: How many of those that come next have been warmed.
    _warmed: int = 0

    def below(self, rows: Rows, context: Context | None) -> list[ChildRead]:
        """Return the visits below a page of parents; one a stream map leaves out has none."""
        visits: list[ChildRead] = []
        if not self.parent.children:
            return visits
        dicts = t.cast("DictRows", rows).dicts
        kept = self._passed_on(dicts)
        for child in self.parent.children:
            child.outcome.spared |= len(kept) < len(dicts)
            try:
                visits += self._of(child, kept, context)
            except TapError as error:
                child.outcome.failure = child.outcome.failure or error
        return visits

    def read(
        self, visits: Sequence[ChildRead], context: Context | None, *, walk: PageReader | None
    ) -> None:
        """Pay the visits of a page, while those of the next page of the walk are warmed."""
        line = [*visits]
        for position, visit in enumerate(visits):
            end = position + 1 + self.parent.prefetch_limit
            self._warmed = max(self._warmed, position + 1)
            if walk is not None and end > len(line) and self.parent.prefetch_limit > 1:
                line += self._upcoming(walk, context)
                walk = None
            while self._warmed < min(end, len(line)) and line[self._warmed].prefetch():
                self._warmed += 1
            visit.read()
        self._warmed = max(0, self._warmed - len(visits))

    def _upcoming(self, walk: PageReader, context: Context | None) -> list[ChildRead]:
        """Return the visits below parents whose turn has not come; an error waits for that."""
        try:
            kept = self._passed_on(walk.peek())
            return [
                visit for child in self.parent.children for visit in self._of(child, kept, context)
            ]
        except Cancelled:
            raise
        except Exception:  # noqa: BLE001 - raised when the parents' turn comes
            return []

    def _of(
        self, child: StreamSync, rows: Sequence[Row], context: Context | None
    ) -> Iterator[ChildRead]:
        if not child.is_over:
            for row in rows:
                for below in child.stream.contexts_below(self.parent.stream, row, context):
                    yield ChildRead(child, below)

    def _passed_on(self, rows: Sequence[Row]) -> list[Row]:
        """Return the parents that no stream map leaves out."""
        return [row for row in rows if self.parent.stream.passes_on(row)]
