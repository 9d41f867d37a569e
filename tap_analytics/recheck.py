"""A second look at pages that were read by number, where nothing else shows that rows have moved.

Pages by number don't overlap: a row that is deleted in front of the reader pulls another one past
it, onto a page that has been read. So pages are read again when the walk is over: one whose keys
have changed brings the rows that moved onto it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from logging import Logger

    from tap_analytics.pages import Fetched
    from tap_analytics.pagination import Query

#: A walk of up to so many pages is looked at again as a whole, for it costs little.
FEW = 16


def fingerprint(keys: Sequence[Hashable]) -> int:
    """Return a hash of a page's keys, good for one process."""
    return hash(ENCODER.encode(keys))


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page that was read: its token, the fingerprint of its keys, and how many rows it had."""

    token: Query
    fingerprint: int
    rows: int


@dataclass(slots=True, kw_only=True)
class Recheck:
    """The pages of one walk in order, and the second look at them.

    A long walk is probed in the middle, where most moves show, unless deletes depend on it. Where a
    page has changed, those after it are looked at as well until one has not, for the rows that
    moved lie there.
    """

    fetch: Callable[[Query], Fetched]
    want: Callable[[Query], bool]
    #: Pages to read ahead at most.
    breadth: int
    logger: Logger
    pages: list[ReadPage] = field(default_factory=list)
    #: Whether an earlier run has read pages that are not among them.
    partial: bool = False
    #: What the second look has cost and found.
    requests: int = 0
    changed: int = 0

    def note(self, token: Query, fingerprint: int, *, rows: int) -> None:
        """Take note of a page that came whole and has rows."""
        self.pages.append(ReadPage(token, fingerprint, rows))

    def chosen(self, *, whole: bool, ended: bool) -> Sequence[int]:
        """Return the positions of the pages that are looked at, if none of them has changed."""
        end = len(self.pages) - ended
        return range(end) if whole or end <= FEW else (end // 2,)

    def look(self, *, whole: bool, ended: bool) -> Iterator[Fetched]:
        """Yield the pages that have changed since they were read.

        Nothing moves onto the last page if the list `ended` there when it was read.
        """
        end, chosen = len(self.pages) - ended, self.chosen(whole=whole, ended=ended)
        reached = 0
        for index, position in enumerate(chosen):
            if position < reached:
                continue
            for following in chosen[index : index + self.breadth]:
                self.want(self.pages[following].token)
            reached = position
            while reached < end and (page := self._changed(reached)) is not None:
                yield page
                reached += 1
            reached += 1

    def _changed(self, position: int) -> Fetched | None:
        page = self.pages[position]
        fetched = self.fetch(page.token)
        self.requests += 1
        if fingerprint(fetched.keys) == page.fingerprint:
            return None
        self.changed += 1
        return fetched

    def report(self, *, found: int, loud: bool) -> None:
        """Log what the second look has found, and what it cost."""
        if self.changed:
            self.logger.warning(
                "Rows moved while they were read by page number: %d of %d pages have changed. "
                "New rows found on them: %d; requests it took to look again: %d.",
                *(self.changed, len(self.pages), found, self.requests),
            )
        elif loud and self.requests:
            self.logger.info(
                "Looked again at %d of %d pages: nothing has moved meanwhile.",
                *(self.requests, len(self.pages)),
            )
