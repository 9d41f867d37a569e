"""Endpoints of one stream in a row: read in order, with the first pages of the next prefetched."""

from __future__ import annotations

import typing as t
from collections import deque
from itertools import islice

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_analytics.sync.stream import StreamSync


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
        prefetched = max(0, prefetched - 1)
        queue.extend(islice(reads, max(1, limit()) - len(queue)))
        while prefetched < min(limit(), len(queue)) and queue[prefetched].prefetch():
            prefetched += 1
        each.run()


def prefetch_limit(sync: StreamSync) -> int:
    """Return how many endpoints to prefetch: none where a limit may end reading before them."""
    connection = sync.stream.connection
    is_limited = sync.limit.remaining is not None or connection.budget_low
    return 0 if is_limited else connection.concurrency
