"""How a stream is approached: everything if children need every parent, else what has changed."""

from __future__ import annotations

import typing as t

from tap_analytics.incremental import NewestFirst
from tap_analytics.walk import Walk

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.incremental import Bookmark
    from tap_analytics.rows import Codec


def approach(
    stream: AnalyticsStream,
    context: Context | None,
    *,
    bookmark: Bookmark | None,
    codec: Codec | None = None,
) -> Walk:
    """Return a walk with the server's filter and the order that suit a bookmark.

    `bookmark` is None for a stream whose rows are all wanted, and for one whose children need them.
    """
    sorting, order, window = stream.ordering(newest=False), None, {}
    if bookmark is not None:
        window = stream.window(bookmark.start, bookmark.end)
        newest = stream.ordering(newest=True)
        if bookmark.stored is not None and newest and newest == stream.newest_first:
            sorting = newest
            order = NewestFirst(t.cast("str", stream.replication_key), bookmark)
    return Walk(stream, context, window=window, order=order, sorting=sorting, codec=codec)
