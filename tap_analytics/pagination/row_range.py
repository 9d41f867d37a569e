"""A range of the rows of one endpoint, for processes that read the others."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.pagination.strategies.strategy import StopReason
from tap_analytics.records.digests import digest_of

if t.TYPE_CHECKING:
    from tap_analytics.pagination.guard import PaginationGuard
    from tap_analytics.pagination.page import FetchedPage, PageToken


@dataclass(slots=True, kw_only=True)
class ReadRange:
    """Where reading begins and ends, and the keys that are found there.

    The key after the range is that of the first row another process reads: if both found the same,
    no row has moved from one range to the other.
    """

    #: Token of the first page.
    token: PageToken
    #: Rows of the list before the range, and up to its end; None is the end of the list.
    start: int
    end: int | None
    #: Digests; None where there is no row.
    first_key: str | None = field(init=False, default=None)
    next_key: str | None = field(init=False, default=None)

    def cut(self, fetched: FetchedPage, guard: PaginationGuard) -> FetchedPage:
        """Return the rows of a page that are in the range; the first one beyond it ends reading."""
        paginator, keys = guard.paginator, fetched.keys
        if self.first_key is None and keys:
            self.first_key = digest_of(keys[0])
        beyond = 0 if self.end is None else paginator.seen.rows - self.end
        if beyond > 0:
            inside = len(keys) - beyond
            self.next_key = digest_of(keys[inside])
            fetched = fetched.filter([number < inside for number in range(len(keys))])
            paginator.add_rows(-beyond)
            paginator.stop(StopReason.RANGE)
        elif self.end is not None and paginator.end is not None and beyond < 0:
            guard.doubt_because(
                f"the list ended after {paginator.seen.rows} rows, before row {self.end}, where "
                "the range of the shard ends; divide the sync again"
            )
        return fetched
