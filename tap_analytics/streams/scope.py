"""Scope of a run: selected streams, bookmarks, filters and sort order."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_analytics.config.shard import RowRange, TimeRange, ValueGroup
from tap_analytics.pagination import NumberedStrategy
from tap_analytics.pagination.early_stop import DescendingOrder
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.pagination.reader import PageReader
from tap_analytics.pagination.row_range import ReadRange
from tap_analytics.records.bookmark import Bookmark, stored_bookmark
from tap_analytics.records.parents import CoveredParents
from tap_analytics.records.payload import MissingValueError
from tap_analytics.records.window import Window

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import PageToken
    from tap_analytics.records.rows import Row, RowDecoder

    Skip = Callable[[MissingValueError], object]

#: Failures that `optional_streams` accepts.
OPTIONAL_CAUSES = frozenset({"forbidden", "missing"})


# --- streams ----------------------------------------------------------------------------------


def is_read(stream: AnalyticsStream) -> bool:
    """Whether a run reads a stream, because it or a child is selected."""
    return bool(stream.selected or stream.has_selected_descendents)


def read_children(stream: AnalyticsStream) -> list[AnalyticsStream]:
    """Return the child streams that a run reads."""
    children = t.cast("list[AnalyticsStream]", stream.child_streams)
    return [child for child in children if is_read(child)]


def promises_deletes(stream: AnalyticsStream) -> bool:
    """Whether a target may delete rows that the stream or a child no longer has."""
    return stream.versioned or any(map(promises_deletes, read_children(stream)))


def is_optional(stream: AnalyticsStream, failure: Exception | None) -> bool:
    """Whether `optional_streams` names the stream and the error is one of access."""
    optional = stream.connection.settings.get("optional_streams") or ()
    names = {stream.name, stream.name.removeprefix(f"{stream.api}_")}
    cause = getattr(failure, "cause", None)
    return cause in OPTIONAL_CAUSES and not names.isdisjoint(optional)


def keeps_parent(stream: AnalyticsStream, row: Row) -> bool:
    """Whether the children of a row are read: not if a stream map filters out the row."""
    return bool(stream.stream_maps[0].get_filter_result(row) if stream.selected else row)


def contexts_of(
    child: AnalyticsStream,
    parent: AnalyticsStream,
    row: Row,
    context: Context | None,
    skip: Skip | None = None,
) -> Iterator[Context]:
    """Yield the contexts of a child below a row of its parent; `skip` gets why there is none."""
    try:
        yield from child.contexts_below(parent, row, context)
    except MissingValueError as error:
        if skip is not None:
            skip(error)


# --- rows -------------------------------------------------------------------------------------


def is_incremental(stream: AnalyticsStream) -> bool:
    """Whether a run reads only rows changed since the last one."""
    return stream.replication_method == REPLICATION_INCREMENTAL and bool(stream.replication_key)


def keeps_replication_key(stream: AnalyticsStream) -> bool:
    """Whether the catalog keeps the replication key of the stream."""
    own: object = getattr(type(stream), "replication_key", None)
    return stream.replication_key == own


def open_bookmark(
    stream: AnalyticsStream, *, warn: Callable[[str], None] = lambda _: None
) -> Bookmark | None:
    """Return the bookmark of the run from state and settings; None for full tables.

    `warn` is called with warnings for the user.
    """
    key = stream.replication_key
    if not is_incremental(stream) or not key:
        return None
    state = stored_bookmark(stream.tap_state, stream.name, source=stream.connection.source)
    known = state if state.get("replication_key") == key else {}
    column = stream.known_schema.get("properties", {}).get(key, {})
    part = stream.part if isinstance(stream.part, TimeRange) else TimeRange(start=None, end=None)
    window = Window(
        unit=stream.replication_unit if keeps_replication_key(stream) else None,
        holds_times=column.get("format") in {"date", "date-time"},
        stored=known.get("replication_key_value"),
        initial=stream.initial_value,
        final=stream.final_value,
        includes_final=stream.includes_final,
        start_date=part.start or stream.config.get("start_date"),
        end_date=part.end or stream.config.get("end_date"),
        lookback=stream.config.get("lookback_seconds", 0) if stream.takes_lag else 0,
        lag=stream.lag if stream.takes_lag else 0,
    )
    covers_parents = stream.is_divided and not stream.incremental_dependency
    parents = CoveredParents(known.get("parents")) if covers_parents else None
    return Bookmark(key=key, window=window, parents=parents, warn=warn)


def window_of(stream: AnalyticsStream, bookmark: Bookmark | None) -> PageToken:
    """Return the parameters that filter by a bookmark, if any: those of the first window."""
    return next(iter(windows_of(stream, bookmark)), {})


def windows_of(
    stream: AnalyticsStream, bookmark: Bookmark | None, *, began: datetime | None = None
) -> Iterable[PageToken]:
    """Yield the parameters of each window of a bookmark; of the whole range without windows.

    `began` is when the reading of the stream began, if it did so earlier than the run.
    """
    window = None if bookmark is None or not keeps_replication_key(stream) else bookmark.window
    start, end = (None, None) if window is None else (window.start, window.end)
    if stream.meets_at is not None:
        yield from stream.windows(start, end, began=began)
    elif window is not None:
        yield stream.window(start, end)


def is_keyed_by_window(stream: AnalyticsStream) -> bool:
    """Whether the bookmark is where windows end, not a value of rows."""
    return stream.has_window_key and keeps_replication_key(stream)


def ordering(stream: AnalyticsStream, *, newest: bool) -> PageToken:
    """Return the sort parameters: newest first if wanted and possible, else a stable order."""
    automatic = stream.newest_first if newest else stream.stable_order
    chosen = stream.connection.settings.get("sort_by", ...)
    if chosen is ... or not automatic:
        return dict(automatic)
    return {} if chosen is None else dict.fromkeys(automatic, str(chosen))


def own_contexts(stream: AnalyticsStream) -> Sequence[Context]:
    """Return the values for which a stream has a list each, as far as the run reads them."""
    part, contexts = stream.part, stream.contexts
    return contexts[part.group :: part.of] if isinstance(part, ValueGroup) else contexts


def open_fetcher(
    stream: AnalyticsStream,
    context: Context | None,
    *,
    bookmark: Bookmark | None = None,
    window: PageToken | None = None,
    decoder: RowDecoder | None = None,
) -> PageFetcher:
    """Return a fetcher of the pages, with filter and order for a bookmark.

    `bookmark` is None if all rows are needed, by the run or by its children. `window` is one of
    `windows_of`, the first one by default.
    """
    window = window_of(stream, bookmark) if window is None else window
    return PageFetcher(
        endpoint=stream.endpoint(context, window),
        window=window,
        needs_window=stream.meets_at is not None,
        sorting=_newest_first(stream, bookmark) or ordering(stream, newest=False),
        decoder=decoder,
    )


def open_reader(  # noqa: PLR0913 - what a run decides, each by its name
    stream: AnalyticsStream,
    context: Context | None,
    *,
    bookmark: Bookmark | None = None,
    window: PageToken | None = None,
    decoder: RowDecoder | None = None,
    prefetch_limit: int | None = None,
    max_rows: int | None = None,
) -> PageReader:
    """Return a reader of what `open_fetcher` fetches, which ends early where the order allows."""
    early_stop = None
    if bookmark is not None and _newest_first(stream, bookmark):
        early_stop = DescendingOrder(bookmark.key, bookmark.window)
    fetcher = open_fetcher(stream, context, bookmark=bookmark, window=window, decoder=decoder)
    within = _range_of(stream) if context is None else None
    if within is not None:
        fetcher = replace(fetcher, first=within.token)
        max_rows = max_rows if within.end is None else within.end + 1
    return PageReader(
        fetcher,
        early_stop=early_stop,
        prefetch_limit=prefetch_limit,
        max_rows=max_rows,
        within=within,
    )


def _range_of(stream: AnalyticsStream) -> ReadRange | None:
    """Return the range of rows that a shard reads; None for a run that reads all."""
    part, paging = stream.part, stream.paging
    if not isinstance(part, RowRange) or not isinstance(paging, NumberedStrategy):
        return None
    token = {**paging.start(), paging.number_param: str(part.number)}
    return ReadRange(token=token, start=part.start, end=part.end)


def _newest_first(stream: AnalyticsStream, bookmark: Bookmark | None) -> PageToken:
    """Return the parameters that sort by a stored bookmark, newest first; empty without any."""
    if bookmark is None or bookmark.window.stored is None or not keeps_replication_key(stream):
        return {}
    newest = ordering(stream, newest=True)
    return newest if newest == stream.newest_first else {}
