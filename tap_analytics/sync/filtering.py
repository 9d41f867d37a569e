"""What the requests of an endpoint are filtered by: a bookmark, in one window or in several."""

from __future__ import annotations

import typing as t
from itertools import islice

from tap_analytics.streams.scope import keeps_replication_key, open_fetcher, windows_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context

    from tap_analytics.pagination import PageToken
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.sync.stream import StreamSync


def windows(sync: StreamSync, context: Context | None) -> Iterable[PageToken | None]:
    """Yield the windows to read an endpoint in; None for one that is read at once."""
    if sync.stream.meets_at is None or sync.stream.failure is not None:
        return (None,)
    if sync.stream.is_final and not sync.knows_clock:
        _learn_clock(sync, context)
    return windows_of(sync.stream, filter_of(sync, context), began=sync.began)


def _learn_clock(sync: StreamSync, context: Context | None) -> None:
    """Take the first page for the server's clock, which decides what window is the last."""
    sync.knows_clock = True
    for window in islice(windows(sync, context), 1):
        open_fetcher(sync.stream, context, window=window).sample()


def filter_of(sync: StreamSync, context: Context | None) -> Bookmark | None:
    """Return the bookmark that filters requests: none where children need all rows."""
    return None if sync.bookmark is None or sync.children else sync.bookmark.below(context)


def learn_notation(sync: StreamSync, context: Context | None) -> None:
    """Detect the notation of the replication key from the first page, if it is unknown."""
    stream, bookmark = sync.stream, sync.bookmark
    if (
        bookmark is None
        or bookmark.window.request_unit
        or sync.children
        or not keeps_replication_key(stream)
    ):
        return
    if stream.window(bookmark.window.start_date, bookmark.window.end_date):
        rows = open_fetcher(stream, context).sample()
        bookmark.learn(row.get(bookmark.key) for row in rows)
