"""Endpoints of one stream in a row: read in order, with the first pages of the next prefetched."""

from __future__ import annotations

import typing as t
from collections import deque
from itertools import islice

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_analytics.sync.stream import StreamSync

#: The most pages of a short list, on average: the second one may only show the end.
MOST_PAGES = 2


class Readable(t.Protocol):
    """An endpoint to read."""

    def prefetch(self) -> bool:
        """Request the first page without waiting for it; False if there is no room."""

    def run(self) -> None:
        """Read it to its end."""


def read_in_order(reads: Iterator[Readable], *, limit: Callable[[], int]) -> None:
    """Read endpoints one after the other; the first pages of the next ones are prefetched."""
    queue = deque(islice(reads, 1))
    prefetched = 0
    while queue:
        each = queue.popleft()
        queue.extend(islice(reads, max(1, limit()) - len(queue)))
        if queue and not prefetched:
            # First, for it is due first.
            each.prefetch()
        prefetched = max(0, prefetched - 1)
        while prefetched < min(limit(), len(queue)) and queue[prefetched].prefetch():
            prefetched += 1
        each.run()


def lists_ahead(sync: StreamSync) -> int:
    """Return how many of the next lists of a stream to prefetch.

    One where the pages of a list, or the lists below it, have use for the room themselves.
    """
    result, limit = sync.result, prefetch_limit(sync)
    is_short = result.lists > 0 and result.pages <= MOST_PAGES * result.lists
    return limit if is_short and not sync.children else min(1, limit)


def prefetch_limit(sync: StreamSync) -> int:
    """Return how many endpoints to prefetch: none where a limit may end reading before them."""
    connection = sync.stream.connection
    is_limited = sync.limit.remaining is not None or connection.budget_low
    return 0 if is_limited else connection.concurrency
