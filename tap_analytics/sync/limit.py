"""Limits of the records of a stream: `max_records`, and the limit of the SDK's dry run."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.rows import Rows
    from tap_analytics.reporting.results import StreamResult


@dataclass(frozen=True, slots=True)
class RecordLimit:
    """The record limit of one stream."""

    stream: AnalyticsStream
    result: StreamResult
    max_records: int | None

    @property
    def remaining(self) -> int | None:
        """Records that `max_records` still allows; None without a limit."""
        if self.max_records is None:
            return None
        return self.max_records - self.result.rows if self.stream.selected else 0

    def head(self, rows: Rows, bookmark: Bookmark | None) -> Rows:
        """Return the rows of a page up to the limit; rows left out by the bookmark don't count."""
        if (dry_run := self.stream.ABORT_AT_RECORD_COUNT) is not None:
            rows = rows.head(max(0, dry_run - self.result.rows))
        remaining = self.remaining
        if remaining is None or not self.stream.selected:
            return rows
        if bookmark is None:
            return rows.head(remaining)
        flags = bookmark.window.select(rows.column(bookmark.key))
        included = [index for index, flag in enumerate(flags) if flag]
        return rows if len(included) <= remaining else rows.head(included[remaining])

    def end_dry_run(self) -> None:
        """Raise the SDK's error that ends a stream in a dry run, if its limit is reached."""
        self.stream._check_max_record_limit(self.result.rows)  # noqa: SLF001 - the SDK's own way
