"""Limits of the records of a stream: `max_records`, and the limit of the SDK's dry run."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.rows import Rows
    from tap_analytics.reporting.results import StreamResult


class RecordLimit:
    """The record limit of one stream."""

    def __init__(
        self, stream: AnalyticsStream, result: StreamResult, max_records: int | None
    ) -> None:
        self._stream = stream
        self._result = result
        self._max_records = max_records

    @property
    def remaining(self) -> int | None:
        """Records that `max_records` still allows; None without a limit."""
        if self._max_records is None:
            return None
        return self._max_records - self._result.rows if self._stream.selected else 0

    def head(self, rows: Rows, bookmark: Bookmark | None) -> Rows:
        """Return the rows of a page up to the limit; rows left out by the bookmark don't count."""
        if (dry_run := self._stream.ABORT_AT_RECORD_COUNT) is not None:
            rows = rows.head(max(0, dry_run - self._result.rows))
        remaining = self.remaining
        if remaining is None or not self._stream.selected:
            return rows
        if bookmark is None:
            return rows.head(remaining)
        flags = bookmark.window.select(rows.column(bookmark.key))
        included = [index for index, flag in enumerate(flags) if flag]
        return rows if len(included) <= remaining else rows.head(included[remaining])

    def end_dry_run(self) -> None:
        """Raise the SDK's error that ends a stream in a dry run, if its limit is reached."""
        self._stream._check_max_record_limit(self._result.rows)  # noqa: SLF001 - the SDK's own way
